//! What the record of a tunnel holds beside that of every request: a connection of an MCP server to the outside.

use serde::Serialize;

/// A tunnel, or the attempt at one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tunnel {
    /// Where it was to lead, as it was asked for: at most 256 bytes.
    pub to: String,
    /// The address that was connected to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Bytes from the MCP server to the outside. Those to it are the outcome's `bytesOut`.
    pub bytes_up: u64,
}
