//! The kinds of objects that are made for a server, in the order in which they are written.
//!
//! Protection comes before exposure: the network policy stands before the first pod, and the Service, which lets callers
//! in, comes last.

use k8s_openapi::Resource as _;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::core::{ApiResource, DynamicObject};

/// A kind of object that the operator makes and looks at afterwards. Secrets are not here: it never looks at them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChildKind {
    /// The pods' identity.
    ServiceAccount,
    /// The configuration.
    ConfigMap,
    /// Who reaches what.
    NetworkPolicy,
    /// How many pods may be away at once.
    PodDisruptionBudget,
    /// The pods.
    Deployment,
    /// The address.
    Service,
}

impl ChildKind {
    /// Every kind, in the order in which objects are written.
    pub const ALL: [Self; 6] = [
        Self::ServiceAccount,
        Self::ConfigMap,
        Self::NetworkPolicy,
        Self::PodDisruptionBudget,
        Self::Deployment,
        Self::Service,
    ];

    /// Its `kind`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ServiceAccount => ServiceAccount::KIND,
            Self::ConfigMap => ConfigMap::KIND,
            Self::NetworkPolicy => NetworkPolicy::KIND,
            Self::PodDisruptionBudget => PodDisruptionBudget::KIND,
            Self::Deployment => Deployment::KIND,
            Self::Service => Service::KIND,
        }
    }

    /// How the API server calls it.
    pub fn resource(self) -> ApiResource {
        match self {
            Self::ServiceAccount => ApiResource::erase::<ServiceAccount>(&()),
            Self::ConfigMap => ApiResource::erase::<ConfigMap>(&()),
            Self::NetworkPolicy => ApiResource::erase::<NetworkPolicy>(&()),
            Self::PodDisruptionBudget => ApiResource::erase::<PodDisruptionBudget>(&()),
            Self::Deployment => ApiResource::erase::<Deployment>(&()),
            Self::Service => ApiResource::erase::<Service>(&()),
        }
    }
}

/// The unique id of the server that controls an object, if one does.
pub fn controller(object: &DynamicObject) -> Option<&str> {
    let owners = object.metadata.owner_references.as_deref().unwrap_or_default();
    let ours = owners.iter().find(|owner| owner.controller == Some(true))?;
    let group = ours.api_version.split('/').next();
    (group == Some(tollward_api::GROUP) && ours.kind == "MCPServer").then_some(ours.uid.as_str())
}
