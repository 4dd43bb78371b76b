//! How limits are written in a configuration.

use super::store::StoreConfig;
use crate::pattern::Pattern;
use crate::rules::MatchConfig;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::num::NonZeroU32;

/// What a limit counts apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Dimension {
    /// The OAuth client of the token.
    Client,
    /// The subject of the token.
    Subject,
    /// The tenant, as the policy's tenant claim names it; tokens without one share one count.
    Tenant,
    /// The tool called; names that nobody declared share one count.
    Tool,
    /// The resource read.
    Resource,
    /// The prompt asked for.
    Prompt,
    /// The JSON-RPC method.
    Method,
    /// The MCP server.
    Server,
    /// The address of the connection's other end: one IPv4 address, or a /64 network of IPv6. Behind a proxy that is the
    /// proxy, since no header is trusted to name another.
    Address,
}

/// A rate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RateConfig {
    /// Most requests in any window.
    pub requests: NonZeroU32,
    /// Length of the window in seconds.
    pub window_seconds: NonZeroU32,
    /// Most requests at once; a tenth of `requests`, at least one, if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<NonZeroU32>,
}

/// What calls of some tools cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CostConfig {
    /// Patterns of tool names.
    pub tools: Vec<Pattern>,
    /// As many requests one call counts for.
    pub cost: NonZeroU32,
}

/// Which tier a caller is in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TierSelection {
    /// Claim whose text value names the tier. It must be one that the client can't choose itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<String>,
    /// Client ids by tier; looked at before the claim.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub clients: BTreeMap<String, Vec<String>>,
    /// The tier of everybody else.
    pub default: String,
}

/// One limit of a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LimitConfig {
    /// The name in answers, metrics and audit records.
    pub name: String,
    /// What it counts; empty means every request.
    #[serde(rename = "match")]
    pub matches: MatchConfig,
    /// What it counts apart; empty means one count for the route.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub per: Vec<Dimension>,
    /// Tools whose calls count for more than one request. Of several that match, the dearest holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub costs: Vec<CostConfig>,
    /// The rate of each tier. Every tier that can be selected must be here.
    pub tiers: BTreeMap<String, RateConfig>,
}

/// What a limit of concurrency counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Concurrent {
    /// Requests whose answer has not ended, but for streams.
    Calls,
    /// Streams without an end of their own: GET, and `subscriptions/listen`.
    Streams,
}

/// How many calls or streams may be open at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConcurrencyConfig {
    /// The name in answers, metrics and audit records.
    pub name: String,
    /// What it counts.
    pub counts: Concurrent,
    /// Which of them; empty means all.
    #[serde(rename = "match")]
    pub matches: MatchConfig,
    /// What it counts apart; empty means one count for the route.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub per: Vec<Dimension>,
    /// The most of each tier. Every tier that can be selected must be here.
    pub tiers: BTreeMap<String, NonZeroU32>,
}

/// What one address may send before it is known who calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AddressConfig {
    /// Requests, whatever comes of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<RateConfig>,
    /// Requests with credentials that are refused. Once they are used up, the address is refused before its token is
    /// looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failures: Option<RateConfig>,
}

/// The limits of one `RateLimitPolicy`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RateLimitConfig {
    /// Name of the policy object.
    pub policy: String,
    /// How callers are sorted into tiers.
    pub tiers: TierSelection,
    /// Claim whose text or number names the tenant, for limits per Tenant. It must be one that the client can't choose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant_claim: Option<String>,
    /// The limits; a call must pass each that matches it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<LimitConfig>,
    /// How many may be open at once; a call must pass each that matches it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub concurrency: Vec<ConcurrencyConfig>,
    /// What one address may send before authentication.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before_authentication: Option<AddressConfig>,
    /// Where replicas count `limits` together; without it each counts for itself. What is open at once and what comes before
    /// authentication is counted by each replica always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<StoreConfig>,
}
