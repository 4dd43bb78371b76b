//! How often: limits, their tiers and their keys, compiled to GCRA parameters. No state lives here.
//!
//! A limit of `requests` per `window` never lets more than `requests` through in any window of any position: of the
//! budget, `burst` may come at once and the rest is refilled evenly, at `(requests - burst) / window`.

use crate::operation::{Operation, Target};
use crate::pattern::PatternError;
use crate::principal::{Principal, TokenPrincipal, join_lengths};
use crate::rules::MatchConfig;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

/// Stands for every name that nobody declared; no name can be it, since names have no control characters.
const UNKNOWN: &str = "\u{0}unknown";

/// What a limit counts apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Dimension {
    /// The OAuth client of the token.
    Client,
    /// The subject of the token.
    Subject,
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
    /// The caller's address.
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
    /// The rate of each tier. Every tier that can be selected must be here.
    pub tiers: BTreeMap<String, RateConfig>,
}

/// The limits of one `RateLimitPolicy`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RateLimitConfig {
    /// Name of the policy object.
    pub policy: String,
    /// How callers are sorted into tiers.
    pub tiers: TierSelection,
    /// The limits; a call must pass each that matches it.
    pub limits: Vec<LimitConfig>,
}

/// Why limits do not compile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
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
    /// A list per tier names a client twice, so its tier would depend on order.
    #[error("policy `{policy}` puts client `{client}` into two tiers")]
    ClientInTwoTiers {
        /// The policy.
        policy: String,
        /// The client.
        client: String,
    },
}

/// GCRA parameters of one tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Most requests in any window.
    pub requests: u32,
    /// The window.
    pub window: Duration,
    /// Most requests at once.
    pub burst: NonZeroU32,
    /// Time in which one request is refilled.
    pub emission: Duration,
}

impl Rate {
    fn compile(config: &RateConfig) -> Option<Self> {
        let requests = config.requests.get();
        let burst = config.burst.unwrap_or(NonZeroU32::new(requests / 10).unwrap_or(NonZeroU32::MIN));
        let window = Duration::from_secs(u64::from(config.window_seconds.get()));
        if burst.get() >= requests && requests > 1 {
            return None;
        }
        let refilled = requests.saturating_sub(burst.get()).max(1);
        let emission = div_up(window, refilled);
        Some(Self { requests, window, burst, emission })
    }
}

/// Rounded up, so that rounding never adds a request to a window.
fn div_up(window: Duration, parts: u32) -> Duration {
    let nanos = window.as_nanos().div_ceil(u128::from(parts));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// A compiled limit.
#[derive(Debug, Clone)]
pub struct Limit {
    /// `policy/limit`.
    pub id: String,
    matches: MatchConfig,
    per: Vec<Dimension>,
    tiers: BTreeMap<String, Rate>,
}

/// A limit that applies to a call, with the rate of the caller's tier and the key of its count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge<'a> {
    /// Which limit.
    pub id: &'a str,
    /// The caller's tier.
    pub tier: &'a str,
    /// The tier's rate.
    pub rate: Rate,
    /// What is counted apart, unambiguous within the limit and tier.
    pub key: String,
}

/// Facts about the call that limits count by.
#[derive(Debug, Clone, Copy)]
pub struct Counted<'a> {
    /// The caller.
    pub principal: &'a Principal,
    /// The call.
    pub operation: &'a Operation,
    /// False if the target's name is not one that rules or the server ever named.
    pub target_known: bool,
    /// `namespace/name` of the server.
    pub server: &'a str,
    /// The caller's address, as far as it can be trusted.
    pub address: &'a str,
}

#[derive(Debug, Clone)]
struct Policy {
    selection: TierSelection,
    limits: Vec<Limit>,
}

/// The compiled limits of one route.
#[derive(Debug, Clone)]
pub struct LimitSet {
    policies: Vec<Policy>,
}

impl LimitSet {
    /// Compiles the policies of a route.
    pub fn compile(configs: &[RateLimitConfig]) -> Result<Self, LimitError> {
        let mut seen = std::collections::BTreeSet::new();
        let mut policies = Vec::with_capacity(configs.len());
        for config in configs {
            check_clients(config)?;
            let mut limits = Vec::with_capacity(config.limits.len());
            for limit in &config.limits {
                if !seen.insert((config.policy.as_str(), limit.name.as_str())) {
                    return Err(LimitError::Duplicate { policy: config.policy.clone(), limit: limit.name.clone() });
                }
                limits.push(compile_limit(config, limit)?);
            }
            policies.push(Policy { selection: config.tiers.clone(), limits });
        }
        Ok(Self { policies })
    }

    /// Every limit, tier and rate, so that their state can be made ready.
    pub fn rates(&self) -> impl Iterator<Item = (&str, &str, Rate)> {
        self.policies
            .iter()
            .flat_map(|policy| &policy.limits)
            .flat_map(|limit| limit.tiers.iter().map(|(tier, rate)| (limit.id.as_str(), tier.as_str(), *rate)))
    }

    /// The charges of a call, narrowest first, so that a noisy caller exhausts its own count before a shared one.
    pub fn charges(&self, counted: &Counted<'_>) -> Vec<Charge<'_>> {
        let mut charges = Vec::new();
        for policy in &self.policies {
            for limit in policy.limits.iter().filter(|limit| limit.applies(counted.operation)) {
                let tier = policy.selection.tier_of(counted.principal, &limit.tiers);
                if let Some((tier, rate)) = limit.tiers.get_key_value(tier) {
                    charges
                        .push((limit.per.len(), Charge { id: &limit.id, tier, rate: *rate, key: limit.key(counted) }));
                }
            }
        }
        charges.sort_by_key(|(width, _)| std::cmp::Reverse(*width));
        charges.into_iter().map(|(_, charge)| charge).collect()
    }
}

impl TierSelection {
    /// The caller's tier: by client list, else by claim if it names a tier of this limit, else the default.
    fn tier_of<'a>(&'a self, principal: &'a Principal, tiers: &BTreeMap<String, Rate>) -> &'a str {
        let Some(token) = principal.token() else {
            return &self.default;
        };
        let listed = token.client.as_ref().and_then(|client| {
            self.clients.iter().find(|(_, clients)| clients.contains(client)).map(|(tier, _)| tier.as_str())
        });
        let claimed = || {
            let value = token.claims.get(self.claim.as_deref()?)?.as_str()?;
            tiers.contains_key(value).then_some(value)
        };
        listed.or_else(claimed).unwrap_or(&self.default)
    }
}

impl Limit {
    fn applies(&self, operation: &Operation) -> bool {
        self.matches.is_empty() || self.matches.selects(operation)
    }

    fn key(&self, counted: &Counted<'_>) -> String {
        let values: Vec<_> = self.per.iter().map(|dimension| value_of(*dimension, counted)).collect();
        join_lengths(values.iter().map(AsRef::as_ref))
    }
}

/// The value of a dimension; what a call does not have counts as the empty text, one count for all of them. Names that an
/// issuer gives are counted within it: another issuer may give the same name to somebody else.
fn value_of<'a>(dimension: Dimension, counted: &Counted<'a>) -> Cow<'a, str> {
    let token = counted.principal.token();
    let resource = |uris: &'a [String]| match uris {
        [one] => Cow::Borrowed(one.as_str()),
        several => Cow::Owned(join_lengths(several.iter().map(String::as_str))),
    };
    match (dimension, &counted.operation.target) {
        (Dimension::Client, _) => token.map_or(Cow::Borrowed(""), client_of),
        (Dimension::Subject, _) => token.map_or(Cow::Borrowed(""), |token| {
            Cow::Owned(join_lengths(["subject", token.issuer.as_str(), &token.subject]))
        }),
        (Dimension::Method, _) => Cow::Borrowed(counted.operation.method.as_str()),
        (Dimension::Server, _) => Cow::Borrowed(counted.server),
        (Dimension::Address, _) => Cow::Borrowed(counted.address),
        (Dimension::Tool, Target::Tool(name)) | (Dimension::Prompt, Target::Prompt(name)) => {
            Cow::Borrowed(if counted.target_known { name } else { UNKNOWN })
        }
        (Dimension::Resource, Target::Resources(uris)) if counted.target_known => resource(uris),
        (Dimension::Resource, Target::Resources(_)) => Cow::Borrowed(UNKNOWN),
        (Dimension::Tool | Dimension::Prompt | Dimension::Resource, _) => Cow::Borrowed(""),
    }
}

/// A token without a client is counted by its subject, apart from every client of that name.
fn client_of(token: &TokenPrincipal) -> Cow<'_, str> {
    Cow::Owned(match &token.client {
        Some(client) => join_lengths(["client", token.issuer.as_str(), client]),
        None => join_lengths(["subject", token.issuer.as_str(), &token.subject]),
    })
}

fn check_clients(config: &RateLimitConfig) -> Result<(), LimitError> {
    let mut seen = std::collections::BTreeSet::new();
    for client in config.tiers.clients.values().flatten() {
        if !seen.insert(client) {
            return Err(LimitError::ClientInTwoTiers { policy: config.policy.clone(), client: client.clone() });
        }
    }
    Ok(())
}

fn compile_limit(config: &RateLimitConfig, limit: &LimitConfig) -> Result<Limit, LimitError> {
    limit.matches.check().map_err(|source| LimitError::Pattern {
        policy: config.policy.clone(),
        limit: limit.name.clone(),
        source,
    })?;
    for tier in config.tiers.clients.keys().chain([&config.tiers.default]) {
        if !limit.tiers.contains_key(tier) {
            let (policy, limit, tier) = (config.policy.clone(), limit.name.clone(), tier.clone());
            return Err(LimitError::MissingTier { policy, limit, tier });
        }
    }
    let mut tiers = BTreeMap::new();
    for (tier, rate) in &limit.tiers {
        let compiled = Rate::compile(rate).ok_or_else(|| LimitError::BurstTooLarge {
            policy: config.policy.clone(),
            limit: limit.name.clone(),
            tier: tier.clone(),
            burst: rate.burst.map_or(0, NonZeroU32::get),
            requests: rate.requests.get(),
        })?;
        tiers.insert(tier.clone(), compiled);
    }
    let id = format!("{}/{}", config.policy, limit.name);
    Ok(Limit { id, matches: limit.matches.clone(), per: limit.per.clone(), tiers })
}

#[cfg(test)]
mod tests;
