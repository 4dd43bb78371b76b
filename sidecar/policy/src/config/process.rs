//! The part of the configuration that lives as long as the process.

use super::egress_relay::EgressRelay;
use super::proxy::TrustedProxy;
use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::PathBuf;

/// In which shape the data plane runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Role {
    /// Beside the MCP server, in its pod: dials loopback only.
    Sidecar,
    /// In a pod of its own, in front of a Service.
    Relay,
}

/// Listeners, bounds and whom to dial.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProcessConfig {
    /// The shape.
    pub role: Role,
    /// Where clients connect.
    pub public: PublicListener,
    /// Where probes and Prometheus connect: `/livez`, `/readyz`, `/metrics`, nothing else.
    pub observe: SocketAddr,
    /// Where the operator connects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<ReportListener>,
    /// What becomes of the server's own connections to the outside. Without it the sidecar has no part in them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub egress: Option<EgressRelay>,
    /// Bounds of a request.
    pub http: HttpLimits,
    /// Which addresses may be dialled for keys and metadata.
    pub dial: DialConfig,
    /// Proxies in front whose word about their clients counts. Nobody else's does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub trusted_proxies: Vec<TrustedProxy>,
    /// Seconds that requests in flight get to end after SIGTERM.
    #[schemars(range(min = 0, max = 3600))]
    pub drain_seconds: u32,
}

/// The public listener.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PublicListener {
    /// Address and port.
    pub address: SocketAddr,
    /// Certificate, or Off in so many words.
    pub tls: ListenerTls,
}

/// Transport security of a listener.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "mode", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum ListenerTls {
    /// Plain HTTP.
    Off {},
    /// PEM files, read again when they change.
    Files {
        /// Certificate chain, leaf first.
        certificate: PathBuf,
        /// Private key of the leaf.
        private_key: PathBuf,
    },
}

/// The operator's listener: mutual TLS always.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReportListener {
    /// Address and port.
    pub address: SocketAddr,
    /// Certificate chain in PEM.
    pub certificate: PathBuf,
    /// Private key in PEM.
    pub private_key: PathBuf,
    /// Certificate authority in PEM of clients that may connect.
    pub client_ca: PathBuf,
    /// DNS name that the client's certificate must carry.
    pub client_name: String,
}

/// Bounds of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpLimits {
    /// Largest request body in bytes.
    #[schemars(range(min = 1024, max = 67_108_864))]
    pub max_body_bytes: u32,
    /// Largest sum of header names and values in bytes.
    #[schemars(range(min = 4096, max = 262_144))]
    pub max_header_bytes: u32,
    /// Most header fields.
    #[schemars(range(min = 16, max = 1000))]
    pub max_headers: u16,
    /// Seconds for the head of a request.
    #[schemars(range(min = 1, max = 300))]
    pub header_timeout_seconds: u32,
    /// Seconds for the body of a request.
    #[schemars(range(min = 1, max = 300))]
    pub body_timeout_seconds: u32,
    /// Most open connections.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_connections: u32,
    /// Most requests in flight, open streams included.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_in_flight: u32,
    /// Most concurrent streams of an HTTP/2 connection.
    #[schemars(range(min = 1, max = 10_000))]
    pub max_streams_per_connection: u32,
}

/// Whom the process may dial besides its upstream. Public addresses over https need no entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DialConfig {
    /// Exceptions that only the installer can make.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<Allowance>,
    /// Never dialled although public, for instance the cluster's own ranges.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<String>")]
    pub deny: Vec<IpNet>,
}

/// An address range that may be dialled by a scheme.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Allowance {
    /// The range.
    #[schemars(with = "String")]
    pub cidr: IpNet,
    /// The scheme.
    pub scheme: Scheme,
}

/// A scheme that may be dialled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// Plain, only by allowance.
    Http,
    /// With TLS.
    Https,
}
