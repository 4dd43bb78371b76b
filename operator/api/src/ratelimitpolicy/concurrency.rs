//! `spec.concurrency`.

use super::tiers::default_tier;
use crate::operations::OperationMatch;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};
use tollward_policy::limits::{Concurrent, Dimension};

/// How many calls or streams may be open at once, on each replica's share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConcurrencyLimit {
    /// The name in answers, metrics and audit records.
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
    /// Calls: requests whose answer has not ended. Streams: GET and `subscriptions/listen`, which have no end of their own.
    pub counts: Concurrent,
    /// Which of them. If not given, all.
    #[serde(rename = "match", default, skip_serializing_if = "Option::is_none")]
    pub matches: Option<OperationMatch>,
    /// What is counted apart: each combination has a count of its own. Empty means one count for all callers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 9))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub per: Vec<Dimension>,
    /// As many may be open at once, by tier.
    #[schemars(length(min = 1, max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["tier".into()]))]
    pub most: Vec<Most>,
}

/// The most of a tier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Most {
    /// The tier.
    #[serde(default = "default_tier")]
    #[schemars(length(min = 1, max = 63))]
    pub tier: String,
    /// As many may be open at once.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub open: i32,
}
