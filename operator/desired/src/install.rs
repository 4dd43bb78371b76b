//! What whoever installs Tollward decides: images, whom the data plane may dial, bounds and times. No tenant's resource
//! reaches these.

use k8s_openapi::api::core::v1::ResourceRequirements;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use tollward_policy::config::{DialConfig, HttpLimits, RefreshConfig, TrustedProxy};

/// Settings of the installation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InstallSettings {
    /// Image of the data plane.
    pub image: String,
    /// When to pull it: Always, `IfNotPresent` or Never.
    pub image_pull_policy: String,
    /// Address that the data plane's listeners bind in pods.
    pub listen: IpAddr,
    /// The DNS domain of the cluster.
    pub cluster_domain: String,
    /// Namespace of the operator, from which the report listener is reached.
    pub operator_namespace: String,
    /// DNS name in the operator's client certificate.
    pub report_client_name: String,
    /// Whom the data plane may dial besides its upstream.
    pub dial: DialConfig,
    /// Proxies in front of servers whose word about their clients counts.
    pub trusted_proxies: Vec<TrustedProxy>,
    /// Bounds of a request.
    pub http: HttpLimits,
    /// How long the server behind may take.
    pub upstream: UpstreamTimeouts,
    /// How issuers' keys are kept fresh.
    pub refresh: RefreshConfig,
    /// How pods stop.
    pub stop: StopSeconds,
    /// Most bytes of a call's arguments in an audit record.
    pub max_argument_bytes: u32,
    /// Replicas of a relay.
    pub relay_replicas: i32,
    /// Compute resources of the data plane's container.
    pub resources: ResourceRequirements,
    /// Environment variables of the data plane's container, for instance `OTEL_EXPORTER_OTLP_ENDPOINT`.
    pub environment: BTreeMap<String, String>,
}

/// How long the server behind may take, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpstreamTimeouts {
    /// To accept a connection.
    pub connect_seconds: u32,
    /// To send the head of its answer.
    pub response_seconds: u32,
    /// To pause within an answer.
    pub idle_seconds: u32,
}

/// How pods stop, in seconds. The grace period is their sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StopSeconds {
    /// How long a server keeps running after the decision to stop it, so that calls on their way still arrive. It is
    /// signalled before the data plane is.
    pub delay: u32,
    /// How long a server may take to stop.
    pub server: u32,
    /// How long the data plane lets requests end.
    pub drain: u32,
}

impl StopSeconds {
    /// The grace period of a pod.
    pub fn grace(&self) -> i64 {
        i64::from(self.delay) + i64::from(self.server) + i64::from(self.drain)
    }
}

impl InstallSettings {
    /// The settings of a plain installation: public addresses over https may be dialled, nothing else.
    pub fn plain(image: impl Into<String>, operator_namespace: impl Into<String>) -> Self {
        let operator_namespace = operator_namespace.into();
        Self {
            image: image.into(),
            image_pull_policy: "IfNotPresent".into(),
            listen: Ipv4Addr::UNSPECIFIED.into(),
            cluster_domain: "cluster.local".into(),
            report_client_name: format!("operator.{operator_namespace}.tollward.dev"),
            operator_namespace,
            dial: DialConfig { allow: Vec::new(), deny: Vec::new() },
            trusted_proxies: Vec::new(),
            http: plain_limits(),
            upstream: UpstreamTimeouts { connect_seconds: 2, response_seconds: 60, idle_seconds: 300 },
            refresh: RefreshConfig { interval_seconds: 300, cooldown_seconds: 30, max_stale_seconds: 86_400 },
            stop: StopSeconds { delay: 5, server: 30, drain: 25 },
            max_argument_bytes: 4096,
            relay_replicas: 1,
            resources: plain_resources(),
            environment: BTreeMap::new(),
        }
    }
}

fn plain_limits() -> HttpLimits {
    HttpLimits {
        max_body_bytes: 4_194_304,
        max_header_bytes: 32_768,
        max_headers: 100,
        header_timeout_seconds: 10,
        body_timeout_seconds: 30,
        max_connections: 10_000,
        max_in_flight: 10_000,
        max_streams_per_connection: 100,
    }
}

fn plain_resources() -> ResourceRequirements {
    let quantities = |list: [(&str, &str); 2]| {
        Some(list.map(|(name, amount)| (name.to_owned(), Quantity(amount.to_owned()))).into())
    };
    ResourceRequirements {
        limits: Some([("memory".to_owned(), Quantity("256Mi".to_owned()))].into()),
        requests: quantities([("cpu", "10m"), ("memory", "64Mi")]),
        ..ResourceRequirements::default()
    }
}
