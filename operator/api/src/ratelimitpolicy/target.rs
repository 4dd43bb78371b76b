//! `spec.targetRefs`, in the form of the Gateway API (GEP-713).

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Kinds that can be limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TargetKind {
    /// One server.
    MCPServer,
}

/// What is limited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct TargetReference {
    /// API group of the target.
    #[serde(default = "group")]
    #[schemars(length(max = 64), regex(pattern = "^tollward\\.dev$"))]
    pub group: String,
    /// Kind of the target.
    #[serde(default = "mcpserver")]
    pub kind: TargetKind,
    /// Name of the target.
    #[schemars(length(min = 1, max = 52), regex(pattern = "^[a-z]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
    /// Name of a rule of the target's auth.rules: only what it matches is limited. If not given, everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub section_name: Option<String>,
}

fn group() -> String {
    crate::GROUP.to_owned()
}

fn mcpserver() -> TargetKind {
    TargetKind::MCPServer
}
