//! Who plays: an everyday user, and one whose token carries the claim of a better tier. Found in the policy, so that the
//! walk-through says what the manifests say.

use super::script::SEARCH;
use crate::arguments::UserClaim;
use anyhow::{Context as _, ensure};
use std::num::NonZeroU32;
use tollward_policy::config::RouteConfig;
use tollward_policy::limits::{LimitConfig, RateConfig, RateLimitConfig};
use tollward_policy::operation::{Method, Operation, Target};

/// The everyday user.
pub(super) const EVERYDAY: &str = "Ada";
/// The user of a better tier.
pub(super) const FAVOURED: &str = "Grace";
/// Most calls that it may take to exhaust a limit; more would only take time.
const MOST_CALLS: u32 = 2_000;

/// The users and the limit that tells them apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cast {
    claim: String,
    /// The better tier.
    pub(super) tier: String,
    /// The everyday tier.
    pub(super) default: String,
    /// `policy/limit`.
    pub(super) limit: String,
    /// Calls that the everyday tier may make at once.
    pub(super) burst: u32,
    /// Rates in words: everyday, better.
    pub(super) rates: (String, String),
}

impl Cast {
    /// Finds a limit of searching whose tier comes from a claim.
    pub(crate) fn of(route: &RouteConfig) -> anyhow::Result<Self> {
        let limits = route.rate_limits.iter().flat_map(|policy| policy.limits.iter().map(move |limit| (policy, limit)));
        // The tightest is the quickest to show.
        let found = limits.filter_map(|(policy, limit)| cast(policy, limit)).min_by_key(|cast| cast.burst);
        let cast = found.with_context(|| {
            format!(
                "the walk-through needs a RateLimitPolicy on `{SEARCH}` with tiers.claim and a rate for a better tier, as \
                 examples/catalog has it"
            )
        })?;
        ensure!(
            cast.burst <= MOST_CALLS,
            "the walk-through would need {} calls to exhaust limit `{}`; give its tier `{}` a burst of at most {MOST_CALLS}",
            cast.burst,
            cast.limit,
            cast.default
        );
        Ok(cast)
    }

    /// The claim that puts the favoured user into the better tier.
    pub(crate) fn claim(&self) -> UserClaim {
        UserClaim { user: FAVOURED.to_owned(), claim: self.claim.clone(), value: self.tier.clone().into() }
    }
}

/// Calling a tool.
pub(super) fn call(tool: &str) -> Operation {
    Operation { method: Method::ToolsCall, target: Target::Tool(tool.to_owned()) }
}

fn cast(policy: &RateLimitConfig, limit: &LimitConfig) -> Option<Cast> {
    let claim = policy.tiers.claim.clone()?;
    let counts = limit.matches.is_empty() || limit.matches.selects(&call(SEARCH));
    let everyday = limit.tiers.get(&policy.tiers.default).filter(|_| counts)?;
    let better =
        limit.tiers.iter().filter(|(tier, rate)| **tier != policy.tiers.default && burst(rate) > burst(everyday));
    let (tier, rate) = better.max_by_key(|(_, rate)| burst(rate))?;
    Some(Cast {
        claim,
        tier: tier.clone(),
        default: policy.tiers.default.clone(),
        limit: format!("{}/{}", policy.policy, limit.name),
        burst: burst(everyday),
        rates: (words(everyday), words(rate)),
    })
}

/// As the data plane computes it when none is given.
fn burst(rate: &RateConfig) -> u32 {
    rate.burst.map_or_else(|| (rate.requests.get() / 10).max(1), NonZeroU32::get)
}

fn words(rate: &RateConfig) -> String {
    format!("{} calls in {} s, {} at once", rate.requests, rate.window_seconds, burst(rate))
}

#[cfg(test)]
mod tests;
