//! How Tollward talks to the server in its pod.

use crate::cel;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How Tollward talks to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TransportType {
    /// HTTP on a loopback port.
    #[serde(rename = "StreamableHTTP")]
    StreamableHttp,
}

/// How Tollward talks to the server in its pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Transport {
    /// `StreamableHTTP`: the server listens on 127.0.0.1. Tollward sets the environment variables HOST to 127.0.0.1 and
    /// PORT to the port.
    #[serde(rename = "type", default = "streamable_http")]
    pub kind: TransportType,
    /// The port that the server listens on.
    #[schemars(range(min = 1, max = 65535))]
    #[x_kube(validation = cel::free_port())]
    pub port: i32,
    /// The path of the server's MCP endpoint.
    #[serde(default = "mcp_path")]
    #[schemars(length(min = 1, max = 256), regex(pattern = "^/[A-Za-z0-9._~/-]*$"))]
    pub path: String,
}

fn streamable_http() -> TransportType {
    TransportType::StreamableHttp
}

/// The path of an MCP endpoint that nobody named.
pub(super) fn mcp_path() -> String {
    "/mcp".to_owned()
}
