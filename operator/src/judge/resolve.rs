//! What a server depends on, out of the caches. No request is made.

use crate::cache::Caches;
use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;
use std::collections::BTreeMap;
use tollward_api::{IdentityProvider, MCPServer, RateLimitPolicy};
use tollward_desired::{Inputs, InstallSettings, Sibling};

/// Gathers it. The generation is that of the next configuration, if it differs from the one in force.
pub(super) fn resolve(server: &MCPServer, generation: i64, caches: &Caches, install: &InstallSettings) -> Inputs {
    let namespace = server.namespace().unwrap_or_default();
    let known = caches.readable_providers();
    Inputs {
        server: server.clone(),
        namespace_labels: namespace_labels(&namespace, caches),
        policies: policies(&namespace, caches),
        siblings: siblings(server, &known, caches, install),
        providers: known,
        generation,
        install: install.clone(),
    }
}

/// The labels of a namespace. None are known of one that does not exist: then no provider's selector can admit it.
pub(super) fn namespace_labels(namespace: &str, caches: &Caches) -> BTreeMap<String, String> {
    let found = caches.namespaces.get(&ObjectRef::new(namespace));
    found.map_or_else(BTreeMap::new, |namespace| namespace.labels().clone())
}

fn policies(namespace: &str, caches: &Caches) -> Vec<RateLimitPolicy> {
    let mut policies: Vec<_> = caches
        .policies
        .state()
        .iter()
        .filter_map(|policy| policy.0.as_ref().ok())
        .filter(|policy| policy.metadata.namespace.as_deref() == Some(namespace))
        .filter(|policy| policy.metadata.deletion_timestamp.is_none())
        .cloned()
        .collect();
    // The order is part of the configuration, which must not change by itself.
    policies.sort_by_key(ResourceExt::name_any);
    policies
}

fn siblings(
    server: &MCPServer,
    providers: &[IdentityProvider],
    caches: &Caches,
    install: &InstallSettings,
) -> Vec<Sibling> {
    caches
        .servers
        .state()
        .iter()
        .filter_map(|other| other.0.as_ref().ok())
        .filter(|other| other.uid() != server.uid() && other.metadata.deletion_timestamp.is_none())
        .map(|other| Sibling::of(other, providers, install))
        .collect()
}
