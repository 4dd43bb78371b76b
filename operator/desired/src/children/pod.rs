//! The pod: the data plane first, then the server, both within what the `restricted` profile allows.

use super::mounts::mounts;
use super::non_empty::non_empty;
use super::security::pod_security;
use super::{assertion, container, server as server_container};
use crate::validate::{Shape, Validated};
use k8s_openapi::api::core::v1::{LocalObjectReference, PodSpec};
use tollward_api::mcpserver::PodOptions;
use tollward_api::owned::child_name;

pub(super) fn spec(server: &Validated) -> PodSpec {
    let options = options(server);
    let sidecar = container::sidecar(server);
    let (init_containers, containers, volumes) = match &server.shape {
        Shape::Workload(workload) => (
            Some(vec![sidecar]),
            vec![server_container::container(workload, server.install.stop, &assertion::variables(server))],
            server_container::volumes(workload),
        ),
        Shape::Service(_) => (None, vec![container::alone(sidecar)], Vec::new()),
    };
    let volumes: Vec<_> = mounts(server).into_iter().map(|(volume, _)| volume).chain(volumes).collect();
    let pull_secrets = options.image_pull_secrets.into_iter();
    PodSpec {
        init_containers,
        containers,
        volumes: Some(volumes),
        service_account_name: Some(child_name(server.identity.name())),
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        termination_grace_period_seconds: Some(server.install.stop.grace()),
        security_context: Some(pod_security()),
        node_selector: non_empty(options.node_selector),
        tolerations: non_empty(options.tolerations),
        affinity: options.affinity,
        topology_spread_constraints: non_empty(options.topology_spread_constraints),
        priority_class_name: options.priority_class_name,
        runtime_class_name: options.runtime_class_name,
        image_pull_secrets: non_empty(
            pull_secrets.map(|secret| LocalObjectReference { name: secret.name }).collect::<Vec<_>>(),
        ),
        ..PodSpec::default()
    }
}

/// What the user decides about pods.
pub(super) fn options(server: &Validated) -> PodOptions {
    match &server.shape {
        Shape::Workload(workload) => workload.pod_options.clone().unwrap_or_default(),
        Shape::Service(_) => PodOptions::default(),
    }
}
