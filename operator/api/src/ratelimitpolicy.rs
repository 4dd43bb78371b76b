//! `RateLimitPolicy`: how often callers may call the servers that it names.

mod limit;
mod status;
mod target;
mod tiers;

pub use limit::{LimitRate, RateLimit};
pub use status::{AncestorStatus, RateLimitPolicyStatus};
pub use target::{TargetKind, TargetReference};
pub use tiers::{TierClients, Tiers};

use crate::cel;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

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
    printcolumn(name = "Target", type_ = "string", json_path = ".spec.targetRefs[0].name"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.ancestors[0].conditions[?(@.type=='Accepted')].reason", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = cel::rule("self.metadata.name.size() <= 63", "metadata.name must have at most 63 characters, since it is part of every answer about a limit")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = cel::rule(
        "!self.targetRefs.exists(target, has(target.sectionName)) || self.limits.all(limit, !has(limit.match))",
        "a target with sectionName already says which operations are limited, so limits must not have match",
    ),
    validation = cel::naming(
        "self.limits.all(limit, limit.rates.exists(rate, rate.tier == self.tiers.default))",
        "'every limit needs a rate for the default tier `' + self.tiers.default + '`'",
    ),
    validation = cel::rule(
        "!has(self.tiers.clients) || self.limits.all(limit, self.tiers.clients.all(entry, limit.rates.exists(rate, rate.tier == entry.tier)))",
        "every limit needs a rate for each tier of tiers.clients",
    ),
)]
pub struct RateLimitPolicySpec {
    /// The servers that are limited, in the namespace of the policy.
    #[schemars(length(min = 1, max = 16))]
    pub target_refs: Vec<TargetReference>,
    /// How callers are sorted into tiers. If not given, everybody is in the tier `default`.
    #[serde(default)]
    pub tiers: Tiers,
    /// The limits. A call must pass each that matches it.
    #[schemars(length(min = 1, max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub limits: Vec<RateLimit>,
}
