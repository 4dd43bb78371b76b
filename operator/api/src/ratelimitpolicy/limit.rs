//! `spec.limits`.

use super::tiers::default_tier;
use crate::{cel, duration::GoDuration, operations::OperationMatch};
use kube::KubeSchema;
use serde::{Deserialize, Serialize};
use tollward_policy::limits::Dimension;

/// A limit: what it counts, what it counts apart, and the rate of each tier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = cel::naming(
    "!has(self.costs) || self.rates.all(rate, self.costs.all(entry, entry.cost <= (has(rate.burst) ? rate.burst : (rate.requests < 20 ? 1 : rate.requests / 10))))",
    "'limit `' + self.name + '`: a cost must fit into the burst of every rate (a tenth of requests if not given), or its calls would never pass'",
))]
pub struct RateLimit {
    /// The name in answers, metrics and audit records.
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
    /// What is counted. If not given, every request.
    #[serde(rename = "match", default, skip_serializing_if = "Option::is_none")]
    pub matches: Option<OperationMatch>,
    /// What is counted apart: each combination has a count of its own. Empty means one count for all callers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 9))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub per: Vec<Dimension>,
    /// Tools whose calls count for more than one request. Of several entries about a tool, the dearest holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 16))]
    pub costs: Vec<ToolCost>,
    /// The rate of each tier.
    #[schemars(length(min = 1, max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["tier".into()]))]
    pub rates: Vec<LimitRate>,
}

/// What calls of some tools count for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ToolCost {
    /// Patterns of tool names: an exact name, or one with `*` for any run of characters.
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 512)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub tools: Vec<String>,
    /// As many requests a call counts for.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub cost: i32,
}

/// The rate of a tier. In any window of this length, whenever it starts, at most `requests` pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = cel::burst())]
pub struct LimitRate {
    /// The tier.
    #[serde(default = "default_tier")]
    #[schemars(length(min = 1, max = 63))]
    pub tier: String,
    /// The most requests in any window.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub requests: i32,
    /// The length of the window, from 1s to 744h.
    #[x_kube(validation = cel::between("1s", "744h", "window must be from 1s to 744h"))]
    pub window: GoDuration,
    /// The most requests at once. If not given, a tenth of `requests`, at least one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub burst: Option<i32>,
}
