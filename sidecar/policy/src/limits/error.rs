//! Why limits do not compile.

use super::config::Dimension;
use super::store::StoreError;
use crate::pattern::PatternError;

/// Why limits do not compile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// A policy that limits nothing is a mistake.
    #[error("policy `{policy}` limits nothing: give it limits, concurrency or beforeAuthentication")]
    Nothing {
        /// The policy.
        policy: String,
    },
    /// Two limits of one policy and name.
    #[error("limit `{policy}/{limit}` is declared twice")]
    Duplicate {
        /// The policy.
        policy: String,
        /// The limit.
        limit: String,
    },
    /// A pattern of resources can't be read as a template.
    #[error("limit `{policy}/{limit}`: {source}")]
    Pattern {
        /// The policy.
        policy: String,
        /// The limit.
        limit: String,
        /// What is wrong.
        source: PatternError,
    },
    /// A dimension twice would make a limit look narrower than it is.
    #[error("limit `{policy}/{limit}` is per {dimension:?} twice")]
    DimensionTwice {
        /// The policy.
        policy: String,
        /// The limit.
        limit: String,
        /// The dimension.
        dimension: Dimension,
    },
    /// A tier that can be selected has no rate.
    #[error("limit `{policy}/{limit}` has no rate for tier `{tier}`")]
    MissingTier {
        /// The policy.
        policy: String,
        /// The limit.
        limit: String,
        /// The tier.
        tier: String,
    },
    /// A burst of the whole budget would leave nothing to refill.
    #[error("limit `{policy}/{limit}`, tier `{tier}`: burst {burst} must be less than {requests} requests")]
    BurstTooLarge {
        /// The policy.
        policy: String,
        /// The limit.
        limit: String,
        /// The tier.
        tier: String,
        /// The burst.
        burst: u32,
        /// The requests.
        requests: u32,
    },
    /// A burst that takes longer than a process can live to come back.
    #[error("limit `{policy}/{limit}`, tier `{tier}`: a burst of {burst} takes centuries to refill; use a smaller one")]
    RefillTooSlow {
        /// The policy.
        policy: String,
        /// The limit.
        limit: String,
        /// The tier.
        tier: String,
        /// The burst.
        burst: u32,
    },
    /// A call that costs more than may come at once would never pass.
    #[error(
        "limit `{policy}/{limit}`, tier `{tier}`: a cost of {cost} never fits into a burst of {burst}; raise the burst"
    )]
    CostTooLarge {
        /// The policy.
        policy: String,
        /// The limit.
        limit: String,
        /// The tier.
        tier: String,
        /// The cost.
        cost: u32,
        /// The burst.
        burst: u32,
    },
    /// A cost of nothing.
    #[error("limit `{policy}/{limit}`: costs must name tools")]
    CostOfNothing {
        /// The policy.
        policy: String,
        /// The limit.
        limit: String,
    },
    /// A list per tier names a client twice, so its tier would depend on order.
    #[error("policy `{policy}` puts client `{client}` into two tiers")]
    ClientInTwoTiers {
        /// The policy.
        policy: String,
        /// The client.
        client: String,
    },
    /// A caller could choose its own tier or tenant.
    #[error(
        "policy `{policy}`: claim `{claim}` is chosen by the client or its user; use one that the identity provider alone sets"
    )]
    ClaimOfClient {
        /// The policy.
        policy: String,
        /// The claim.
        claim: String,
    },
    /// Nobody says which claim names the tenant.
    #[error("limit `{policy}/{limit}` is per Tenant, so the policy needs a tenant claim")]
    NoTenantClaim {
        /// The policy.
        policy: String,
        /// The limit.
        limit: String,
    },
    /// The store can't be used.
    #[error("policy `{policy}`: store: {source}")]
    Store {
        /// The policy.
        policy: String,
        /// What is wrong.
        source: StoreError,
    },
    /// There would be nothing to count in it.
    #[error("policy `{policy}` has a store but no limits: concurrency and beforeAuthentication are not counted there")]
    StoreOfNothing {
        /// The policy.
        policy: String,
    },
}
