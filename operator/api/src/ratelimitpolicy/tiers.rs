//! `spec.tiers`.

use crate::cel;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// How callers are sorted into tiers: by client list, else by claim, else the default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tiers {
    /// Claim of the access token whose text names the tier. It must be one that the client can't choose itself. A value
    /// for which a limit has no rate counts as the default tier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    #[x_kube(validation = cel::claim_of_provider("tiers.claim"))]
    pub claim: Option<String>,
    /// Clients that are in a tier whatever their token says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 8))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["tier".into()]))]
    pub clients: Vec<TierClients>,
    /// The tier of everybody else.
    #[serde(default = "default_tier")]
    #[schemars(length(min = 1, max = 63))]
    pub default: String,
}

impl Default for Tiers {
    fn default() -> Self {
        Self { claim: None, clients: Vec::new(), default: default_tier() }
    }
}

/// Clients of a tier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct TierClients {
    /// The tier.
    #[schemars(length(min = 1, max = 63))]
    pub tier: String,
    /// OAuth client ids, compared exactly.
    #[schemars(length(min = 1, max = 128), inner(length(min = 1, max = 512)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub ids: Vec<String>,
}

pub(super) fn default_tier() -> String {
    "default".to_owned()
}
