//! The Kubernetes objects of a server: a closed struct, so that applying it can't forget one.

mod assertion;
mod container;
mod deployment;
mod keys;
mod mounts;
mod network;
mod non_empty;
mod pod;
mod security;
mod server;

pub use keys::{KeyEntry, KeysSecret};

use crate::configuration::{Configuration, Place, configuration};
use crate::finding::Finding;
use crate::names::{CONFIG_KEY, POLICY_DIGEST, labels};
use crate::validate::{Shape, Validated};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use std::collections::BTreeMap;
use tollward_api::owned::child_name;

/// Everything that exists because of a server.
#[derive(Debug, Clone, PartialEq)]
pub struct Children {
    /// The pods' identity, which may do nothing.
    pub service_account: ServiceAccount,
    /// The configuration, without secrets.
    pub config_map: ConfigMap,
    /// Which keys are needed. Their bytes are made elsewhere.
    pub keys: KeysSecret,
    /// The pods.
    pub deployment: Deployment,
    /// The address, which leads to the sidecar only.
    pub service: Service,
    /// Who may reach which port.
    pub network_policy: NetworkPolicy,
    /// From two replicas on.
    pub pod_disruption_budget: Option<PodDisruptionBudget>,
}

/// What should exist, and the configuration in it.
#[derive(Debug, Clone)]
pub struct Desired {
    /// The objects.
    pub children: Children,
    /// The configuration in `children.config_map`.
    pub configuration: Configuration,
}

/// What should exist because of a server.
pub fn desired(server: &Validated) -> Result<Desired, Vec<Finding>> {
    let configuration = configuration(server, &Place::Pod)?;
    let children = Children {
        service_account: service_account(server),
        config_map: config_map(server, &configuration),
        keys: keys::secret(server),
        deployment: deployment::deployment(server, configuration.config()),
        service: network::service(server),
        network_policy: network::policy(server),
        pod_disruption_budget: (replicas(server) >= 2).then(|| deployment::budget(server)),
    };
    Ok(Desired { children, configuration })
}

/// `sidecar` or `relay`.
fn component(server: &Validated) -> &'static str {
    match &server.shape {
        Shape::Workload(_) => "sidecar",
        Shape::Service(_) => "relay",
    }
}

fn replicas(server: &Validated) -> i32 {
    match &server.shape {
        Shape::Workload(workload) => workload.replicas,
        Shape::Service(_) => server.install.relay_replicas,
    }
}

/// Metadata of a child: named, labelled, and deleted with its server.
fn metadata(server: &Validated) -> ObjectMeta {
    ObjectMeta {
        name: Some(child_name(server.identity.name())),
        namespace: Some(server.identity.namespace().to_owned()),
        labels: Some(labels(&server.identity, component(server))),
        owner_references: Some(vec![owner(server)]),
        ..ObjectMeta::default()
    }
}

fn owner(server: &Validated) -> OwnerReference {
    OwnerReference {
        api_version: tollward_api::API_VERSION.to_owned(),
        kind: "MCPServer".to_owned(),
        name: server.identity.name().to_owned(),
        uid: server.identity.uid().to_owned(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    }
}

fn service_account(server: &Validated) -> ServiceAccount {
    ServiceAccount {
        metadata: metadata(server),
        automount_service_account_token: Some(false),
        ..ServiceAccount::default()
    }
}

fn config_map(server: &Validated, configuration: &Configuration) -> ConfigMap {
    let mut metadata = metadata(server);
    metadata.annotations = Some(BTreeMap::from([(POLICY_DIGEST.to_owned(), configuration.digest().to_owned())]));
    ConfigMap {
        metadata,
        data: Some(BTreeMap::from([(CONFIG_KEY.to_owned(), configuration.text().to_owned())])),
        ..ConfigMap::default()
    }
}
