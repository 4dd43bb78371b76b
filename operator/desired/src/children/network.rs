//! How the pods are reached: by one Service at the data plane's port, and by nobody at the server's.

use super::deployment::selected;
use super::metadata;
use crate::names::selector;
use crate::validate::{TlsPlan, Validated};
use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::api::networking::v1::{
    NetworkPolicy, NetworkPolicyIngressRule, NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use std::collections::BTreeMap;
use tollward_api::ports;

pub(super) fn service(server: &Validated) -> Service {
    let (name, port) = match server.endpoint.tls() {
        TlsPlan::Issued | TlsPlan::Secret(_) => ("https", 443),
        TlsPlan::Off => ("http", 80),
    };
    Service {
        metadata: metadata(server),
        spec: Some(ServiceSpec {
            type_: Some("ClusterIP".to_owned()),
            selector: Some(selector(&server.identity)),
            ports: Some(vec![ServicePort {
                name: Some(name.to_owned()),
                port,
                // By number: a port's name could be taken by another container of a pod.
                target_port: Some(IntOrString::Int(i32::from(ports::PUBLIC))),
                protocol: Some("TCP".to_owned()),
                ..ServicePort::default()
            }]),
            ..ServiceSpec::default()
        }),
        status: None,
    }
}

/// Clients, probes and Prometheus come from anywhere; reports go to the operator's namespace only; everything else, the
/// server's own port first of all, is closed.
pub(super) fn policy(server: &Validated) -> NetworkPolicy {
    let operator = NetworkPolicyPeer {
        namespace_selector: Some(LabelSelector {
            match_labels: Some(BTreeMap::from([(
                "kubernetes.io/metadata.name".to_owned(),
                server.install.operator_namespace.clone(),
            )])),
            match_expressions: None,
        }),
        ..NetworkPolicyPeer::default()
    };
    NetworkPolicy {
        metadata: metadata(server),
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(selected(server)),
            policy_types: Some(vec!["Ingress".to_owned()]),
            ingress: Some(vec![
                NetworkPolicyIngressRule { from: None, ports: Some(vec![port(ports::PUBLIC), port(ports::OBSERVE)]) },
                NetworkPolicyIngressRule { from: Some(vec![operator]), ports: Some(vec![port(ports::REPORT)]) },
            ]),
            egress: None,
        }),
    }
}

fn port(number: u16) -> NetworkPolicyPort {
    NetworkPolicyPort {
        port: Some(IntOrString::Int(i32::from(number))),
        protocol: Some("TCP".to_owned()),
        end_port: None,
    }
}
