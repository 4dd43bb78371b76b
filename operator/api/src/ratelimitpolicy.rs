//! `RateLimitPolicy`: how often callers may call the servers that it names.

mod address;
mod concurrency;
mod limit;
mod status;
mod store;
mod target;
mod tiers;

pub use address::{AddressRate, BeforeAuthentication};
pub use concurrency::{ConcurrencyLimit, Most};
pub use limit::{LimitRate, RateLimit, ToolCost};
pub use status::{AncestorStatus, RateLimitPolicyStatus};
pub use store::{Store, StoreKey, StoreSecret};
pub use target::{TargetKind, TargetReference};
pub use tiers::{TierClients, Tiers};

use crate::cel;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};
use tollward_policy::limits::OnStoreFailure;

/// Which servers, how callers are sorted into tiers, and how often each tier may call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "tollward.dev",
    version = "v1alpha1",
    kind = "RateLimitPolicy",
    plural = "ratelimitpolicies",
    singular = "ratelimitpolicy",
    shortname = "rlp",
    category = "tollward",
    namespaced,
    status = "RateLimitPolicyStatus",
    derive = "PartialEq",
    label("gateway.networking.k8s.io/policy", "Direct"),
    doc = "RateLimitPolicy says how often callers may call the MCPServers that it names. All policies of a server apply, and a call must pass each: none can loosen another.",
    printcolumn(name = "Accepted", type_ = "string", json_path = ".status.ancestors[0].conditions[?(@.type=='Accepted')].status"),
    printcolumn(name = "Exact", type_ = "string", json_path = ".status.ancestors[0].conditions[?(@.type=='Exact')].status"),
    printcolumn(name = "Target", type_ = "string", json_path = ".spec.targetRefs[0].name"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.ancestors[0].conditions[?(@.type=='Accepted')].reason", priority = 1),
    printcolumn(name = "Store", type_ = "string", json_path = ".spec.store.url", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = cel::rule("self.metadata.name.size() <= 63", "metadata.name must have at most 63 characters, since it is part of every answer about a limit")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = cel::rule(
        "has(self.limits) || has(self.concurrency) || has(self.beforeAuthentication)",
        "a policy must limit something: set limits, concurrency or beforeAuthentication",
    ),
    validation = cel::rule(
        "!self.targetRefs.exists(target, has(target.sectionName)) || ((!has(self.limits) || self.limits.all(limit, !has(limit.match))) && (!has(self.concurrency) || self.concurrency.all(limit, !has(limit.match))))",
        "a target with sectionName already says which operations are limited, so limits must not have match",
    ),
    validation = cel::rule(
        "!self.targetRefs.exists(target, has(target.sectionName)) || !has(self.beforeAuthentication)",
        "beforeAuthentication can't be of a section: before authentication nobody knows which operation is asked for",
    ),
    validation = cel::naming(
        "(!has(self.limits) || self.limits.all(limit, limit.rates.exists(rate, rate.tier == self.tiers.default))) && (!has(self.concurrency) || self.concurrency.all(limit, limit.most.exists(most, most.tier == self.tiers.default)))",
        "'every limit needs a rate for the default tier `' + self.tiers.default + '`'",
    ),
    validation = cel::rule(
        "!has(self.tiers.clients) || ((!has(self.limits) || self.limits.all(limit, self.tiers.clients.all(entry, limit.rates.exists(rate, rate.tier == entry.tier)))) && (!has(self.concurrency) || self.concurrency.all(limit, self.tiers.clients.all(entry, limit.most.exists(most, most.tier == entry.tier)))))",
        "every limit needs a rate for each tier of tiers.clients",
    ),
    validation = cel::rule(
        "has(self.tenantClaim) || ((!has(self.limits) || self.limits.all(limit, !has(limit.per) || !limit.per.exists(dimension, dimension == 'Tenant'))) && (!has(self.concurrency) || self.concurrency.all(limit, !has(limit.per) || !limit.per.exists(dimension, dimension == 'Tenant'))))",
        "a limit per Tenant needs tenantClaim, the claim that names the tenant",
    ),
    validation = cel::rule(
        "!has(self.limits) || !has(self.concurrency) || self.limits.all(limit, !self.concurrency.exists(other, other.name == limit.name))",
        "limits and concurrency must not share a name, since answers and audit records go by it",
    ),
    validation = cel::rule(
        "!has(self.store) || has(self.limits)",
        "a policy with store must have limits: concurrency and beforeAuthentication are counted by each replica",
    ),
    validation = cel::rule("!has(self.onStoreFailure) || has(self.store)", "onStoreFailure must be set only with store"),
)]
pub struct RateLimitPolicySpec {
    /// The servers that are limited, in the namespace of the policy.
    #[schemars(length(min = 1, max = 16))]
    pub target_refs: Vec<TargetReference>,
    /// How callers are sorted into tiers. If not given, everybody is in the tier `default`.
    #[serde(default)]
    pub tiers: Tiers,
    /// Claim of the access token whose text or number names the tenant, for limits per Tenant. It must be one that the
    /// client can't choose itself. Tokens without it share one count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    #[x_kube(validation = cel::claim_of_provider("tenantClaim"))]
    pub tenant_claim: Option<String>,
    /// The limits. A call must pass each that matches it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub limits: Vec<RateLimit>,
    /// How many calls or streams may be open at once. A call must pass each that matches it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub concurrency: Vec<ConcurrencyLimit>,
    /// What one address may send before it is known who calls. If not given, only Tollward's own bound on failed
    /// authentication holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before_authentication: Option<BeforeAuthentication>,
    /// A Redis or Valkey in which all replicas of a server count `limits` together. If not given, each replica enforces its
    /// part of every limit, which is exact with one replica.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<Store>,
    /// What becomes of a call that the store did not count in time. `Local`: the replica counts it by its own part of the
    /// limits. `Deny`: it is refused with 503. `Allow`: it passes uncounted, so that whoever can disturb the store is limited
    /// by nothing. If not given: Local. Only with store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "OnStoreFailure::json_schema")]
    pub on_store_failure: Option<OnStoreFailure>,
}
