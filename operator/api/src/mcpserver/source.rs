//! `spec.source`: what the server is.

use super::transport::mcp_path;
use super::workload::Workload;
use crate::cel;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What kind of thing the server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SourceType {
    /// Tollward runs the server's container beside its sidecar.
    Workload,
    /// An existing Service of the same namespace, through a relay.
    Service,
}

/// The server itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = cel::union("source", "type", "Workload", "workload"),
    validation = cel::union("source", "type", "Service", "service"),
)]
pub struct Source {
    /// What kind of thing the server is. `Workload`: Tollward runs the container given in `workload`, with a sidecar in
    /// its pod. `Service`: Tollward runs a relay in front of the existing Service given in `service`.
    #[serde(rename = "type")]
    pub kind: SourceType,
    /// The container to run. Only with type Workload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<Workload>,
    /// The Service to protect. Only with type Service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceSource>,
}

/// An existing Service in front of Pods of this namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceSource {
    /// Name of the Service, in the namespace of the MCPServer. It must select Pods: ExternalName Services and those
    /// without selector are refused.
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z]([-a-z0-9]*[a-z0-9])?$"))]
    #[x_kube(validation = cel::not_owned())]
    pub name: String,
    /// Port of the Service, as a number.
    #[schemars(range(min = 1, max = 65535))]
    pub port: i32,
    /// The path of the server's MCP endpoint.
    #[serde(default = "mcp_path")]
    #[schemars(length(min = 1, max = 256), regex(pattern = "^/[A-Za-z0-9._~/-]*$"))]
    pub path: String,
}
