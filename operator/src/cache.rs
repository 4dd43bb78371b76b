//! What the API server has, kept by watches: reconciling reads here, so that nothing is asked for while nothing changes.
//!
//! Each kind is watched once. [`feed`] keeps a store, [`slim`] drops what nobody reads, [`routes`] tells which objects a
//! change concerns.

mod feed;
mod routes;
mod slim;
mod start;

pub use start::start;

use crate::child::ChildKind;
use crate::trigger::Queue;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::ResourceExt as _;
use kube::core::{DeserializeGuard, DynamicObject, PartialObjectMeta};
use kube::runtime::reflector::{ObjectRef, Store};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use tollward_api::{IdentityProvider, MCPServer, RateLimitPolicy};

/// An object of ours as the API server has it, which may be of a newer version than this operator knows.
pub type Server = DeserializeGuard<MCPServer>;
/// See [`Server`].
pub type Policy = DeserializeGuard<RateLimitPolicy>;
/// See [`Server`].
pub type Provider = DeserializeGuard<IdentityProvider>;

/// Annotation of pods, `ConfigMaps` and the like whose change is no change to us.
pub const CONFIG_DIGEST: &str = "tollward.dev/config-digest";

/// The stores.
#[derive(Clone)]
pub struct Caches {
    /// Servers.
    pub servers: Store<Server>,
    /// Rate limit policies.
    pub policies: Store<Policy>,
    /// Identity providers.
    pub providers: Store<Provider>,
    /// Namespaces: names and labels.
    pub namespaces: Store<PartialObjectMeta<Namespace>>,
    /// Pods of ours: addresses and whether they run.
    pub pods: Store<Pod>,
    /// Where Services lead.
    pub slices: Store<EndpointSlice>,
    /// What the operator made, and every Service.
    pub children: Arc<BTreeMap<ChildKind, Store<DynamicObject>>>,
}

/// The queues that changes feed.
#[derive(Debug, Default)]
pub struct Queues {
    /// Servers to look at.
    pub servers: Queue<Server>,
    /// Policies to look at.
    pub policies: Queue<Policy>,
    /// Providers to look at.
    pub providers: Queue<Provider>,
}

impl Caches {
    /// A child by kind and name.
    pub fn child(&self, kind: ChildKind, namespace: &str, name: &str) -> Option<Arc<DynamicObject>> {
        let store = self.children.get(&kind)?;
        store.get(&ObjectRef::new_with(name, kind.resource()).within(namespace))
    }

    /// The object with the configuration that a server's pods are given, and its text.
    pub fn configuration(&self, namespace: &str, server: &str) -> Option<(Arc<DynamicObject>, String)> {
        let object = self.child(ChildKind::ConfigMap, namespace, &tollward_api::owned::child_name(server))?;
        let data = object.data.pointer("/data")?;
        let text = data.get(tollward_desired::names::CONFIG_KEY)?.as_str()?.to_owned();
        Some((object, text))
    }

    /// Every object of a kind that a server controls.
    pub fn controlled(&self, kind: ChildKind, namespace: &str, uid: &str) -> Vec<Arc<DynamicObject>> {
        let owned = |object: &DynamicObject| {
            object.metadata.namespace.as_deref() == Some(namespace) && crate::child::controller(object) == Some(uid)
        };
        self.children.get(&kind).map_or_else(Vec::new, |store| store.state_filter(owned))
    }

    /// A server by name.
    pub fn server(&self, namespace: &str, name: &str) -> Option<Arc<Server>> {
        self.servers.get(&ObjectRef::new(name).within(namespace))
    }

    /// Unique ids of everything that is reconciled.
    pub fn uids(&self) -> HashSet<String> {
        let servers = self.servers.state().into_iter().filter_map(|server| server.uid());
        let policies = self.policies.state().into_iter().filter_map(|policy| policy.uid());
        let providers = self.providers.state().into_iter().filter_map(|provider| provider.uid());
        servers.chain(policies).chain(providers).collect()
    }

    /// Every provider that this operator can read.
    pub fn readable_providers(&self) -> Vec<IdentityProvider> {
        self.providers.state().iter().filter_map(|provider| provider.0.as_ref().ok().cloned()).collect()
    }

    /// A provider by name, if this operator can read it.
    pub fn provider(&self, namespace: &str, name: &str) -> Option<IdentityProvider> {
        let found = self.providers.get(&ObjectRef::new(name).within(namespace))?;
        found.0.clone().ok()
    }

    /// The pods of a server.
    pub fn pods_of(&self, namespace: &str, uid: &str) -> Vec<Arc<Pod>> {
        let mut pods = self.pods.state_filter(|pod| {
            pod.metadata.namespace.as_deref() == Some(namespace)
                && pod.labels().get(tollward_desired::names::SERVER_UID).map(String::as_str) == Some(uid)
        });
        pods.sort_by_key(|pod| pod.name_any());
        pods
    }
}
