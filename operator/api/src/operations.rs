//! Which operations a rule or a limit is about: shared by `MCPServer` and `RateLimitPolicy`.

use crate::cel;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};
use tollward_policy::operation::Method;

/// Which operations are meant. Methods and targets narrow each other; tools, resources and prompts stand beside each other.
/// A pattern is an exact name or has `*` for any run of characters; names are case-sensitive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = cel::rule(
    "[has(self.methods), has(self.tools), has(self.resources), has(self.prompts)].exists(given, given)",
    "match must name methods, tools, resources or prompts: a match of everything would undo default deny",
))]
pub struct OperationMatch {
    /// Methods of the protocol, for instance `tools/call`. Empty means any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 32))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub methods: Vec<Method>,
    /// Patterns of tool names, for instance `get_*`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 512)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub tools: Vec<String>,
    /// Patterns of resource URIs, for instance `catalog://products/*`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 512)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub resources: Vec<String>,
    /// Patterns of prompt names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 512)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub prompts: Vec<String>,
}
