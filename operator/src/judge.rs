//! Whether servers and providers make sense, with everything that they refer to. Reads caches, decides purely.
//!
//! # Flow
//! [`resolve`] (what a server depends on, from the caches) -> [`service`] and `tollward_desired::validate` (whether it makes
//! sense, pure).
//!
//! A server, its policies and its providers are told the same, since each of them is judged here.

mod resolve;
mod service;

use crate::cache::Caches;
use crate::child::ChildKind;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::{Resource as _, ResourceExt as _};
use std::num::NonZeroU32;
use tollward_api::condition::{ConditionReason, ConditionType};
use tollward_api::mcpserver::SourceType;
use tollward_api::{IdentityProvider, MCPServer};
use tollward_desired::{Finding, Inputs, InstallSettings, Subject, Validated, validate};
use tollward_policy::digest;

/// A server that makes sense, and the configuration that it has now.
pub(crate) struct Judged {
    /// The server, to be compiled with the generation of the configuration in force.
    pub(crate) validated: Validated,
    /// The same with the generation after it.
    pub(crate) next: Validated,
    /// The digest of the configuration in force.
    pub(crate) in_force: Option<String>,
    /// The replicas among which it divides limits.
    pub(crate) sharing: Option<NonZeroU32>,
}

/// Judges a server.
pub(crate) fn judge_server(
    server: &MCPServer,
    caches: &Caches,
    install: &InstallSettings,
) -> Result<Judged, Vec<Finding>> {
    let InForce { generation, digest: in_force, sharing } = in_force(server, caches);
    let inputs = resolve::resolve(server, generation, caches, install);
    let mut found = services(server, caches);
    found.extend(unreadable_policies(server, caches));
    let validated = match validate(&inputs) {
        Ok(validated) if found.is_empty() => validated,
        Ok(_) => return Err(found),
        Err(mut findings) => {
            findings.extend(found);
            return Err(findings);
        }
    };
    let later = Inputs { generation: generation.saturating_add(1), ..inputs };
    Ok(Judged { validated, next: validate(&later)?, in_force, sharing })
}

/// What is wrong with a provider itself, whoever refers to it.
pub(crate) fn judge_provider(provider: &IdentityProvider, install: &InstallSettings) -> Vec<Finding> {
    let namespace = provider.namespace().unwrap_or_default();
    let Some(server) = referring(provider, &namespace) else {
        return Vec::new();
    };
    let inputs = Inputs {
        server,
        namespace_labels: std::collections::BTreeMap::new(),
        providers: vec![provider.clone()],
        policies: Vec::new(),
        siblings: Vec::new(),
        generation: 1,
        install: install.clone(),
    };
    let about = |finding: &Finding| matches!(&finding.subject, Subject::Provider(_));
    validate(&inputs).err().unwrap_or_default().into_iter().filter(about).collect()
}

/// The plainest server that refers to a provider: a provider is judged by what a server would make of it.
fn referring(provider: &IdentityProvider, namespace: &str) -> Option<MCPServer> {
    let spec = serde_json::json!({
        "source": {"type": "Workload", "workload": {"image": "none", "transport": {"port": 8080}}},
        "auth": {"mode": "OAuth", "identityProviders": [{"name": provider.name_any()}]},
    });
    let mut server = MCPServer::new("judge", serde_json::from_value(spec).ok()?);
    server.meta_mut().namespace = Some(namespace.to_owned());
    Some(server)
}

/// What matters of the configuration that pods are given now.
struct InForce {
    generation: i64,
    digest: Option<String>,
    sharing: Option<NonZeroU32>,
}

fn in_force(server: &MCPServer, caches: &Caches) -> InForce {
    #[derive(serde::Deserialize)]
    struct Header {
        generation: i64,
        #[serde(default)]
        routes: Vec<Share>,
    }
    #[derive(serde::Deserialize)]
    struct Share {
        // Whatever stands there must not hide the generation.
        replicas: Option<serde_json::Value>,
    }
    let Some((_, text)) = caches.configuration(&server.namespace().unwrap_or_default(), &server.name_any()) else {
        return InForce { generation: 1, digest: None, sharing: None };
    };
    let digest = Some(digest::of(text.as_bytes()));
    match serde_json::from_str(&text) {
        Ok(Header { generation, routes }) => {
            // One is not written.
            let number = |value: &serde_json::Value| NonZeroU32::new(u32::try_from(value.as_u64()?).ok()?);
            let sharing =
                routes.first().and_then(|route| route.replicas.as_ref().map_or(Some(NonZeroU32::MIN), number));
            InForce { generation: generation.max(1), digest, sharing }
        }
        Err(_) => InForce { generation: 1, digest, sharing: None },
    }
}

/// A policy that this operator can't read may limit this server: leaving it out would loosen what somebody relies on.
fn unreadable_policies(server: &MCPServer, caches: &Caches) -> Vec<Finding> {
    let home = server.metadata.namespace.as_deref();
    let unreadable =
        caches.policies.state_filter(|policy| policy.0.is_err() && policy.meta().namespace.as_deref() == home);
    let finding = |policy: &std::sync::Arc<crate::cache::Policy>| Finding {
        subject: Subject::Server,
        condition: ConditionType::Accepted,
        reason: ConditionReason::InvalidLimit,
        message: format!(
            "RateLimitPolicy `{}` can't be read by this operator and may limit this server; see its status",
            policy.name_any()
        ),
    };
    unreadable.iter().map(finding).collect()
}

fn services(server: &MCPServer, caches: &Caches) -> Vec<Finding> {
    match (server.spec.source.kind, &server.spec.source.service) {
        (SourceType::Workload, _) | (SourceType::Service, None) => Vec::new(),
        (SourceType::Service, Some(source)) => {
            let namespace = server.namespace().unwrap_or_default();
            let found = caches.child(ChildKind::Service, &namespace, &source.name);
            let slices = caches.slices.state_filter(|slice| belongs(slice, &namespace, &source.name));
            let slices: Vec<_> = slices.iter().map(std::convert::AsRef::as_ref).collect();
            service::judge(source, found.as_deref(), &slices)
        }
    }
}

fn belongs(slice: &EndpointSlice, namespace: &str, service: &str) -> bool {
    slice.metadata.namespace.as_deref() == Some(namespace)
        && slice.labels().get("kubernetes.io/service-name").map(String::as_str) == Some(service)
}
