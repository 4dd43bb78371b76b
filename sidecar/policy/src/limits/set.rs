//! The compiled limits of a route, and what of them is about a call.

use super::claim::is_of_client;
use super::config::RateLimitConfig;
use super::config::{AddressConfig, ConcurrencyConfig, Concurrent, CostConfig, Dimension, LimitConfig, RateConfig};
use super::error::LimitError;
use super::key::{Counted, key_of};
use super::rate::{Rate, RateError};
use super::store::{Store, StoreUse};
use super::tier::Selection;
use crate::operation::{Operation, Target};
use crate::rules::{MatchConfig, names_exactly};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;

/// Names of the limits before authentication: a limit of a policy can't have one of them besides.
pub const BEFORE_AUTHENTICATION: &str = "before-authentication";
/// See [`BEFORE_AUTHENTICATION`].
pub const FAILED_AUTHENTICATION: &str = "failed-authentication";

/// A limit that applies to a call, with the rate of the caller's tier and the key of its count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge<'a> {
    /// Which limit: `policy/limit`.
    pub id: &'a str,
    /// The caller's tier.
    pub tier: &'a str,
    /// Position among [`LimitSet::rates`].
    pub slot: usize,
    /// The tier's rate, as far as this replica enforces it by itself.
    pub rate: Rate,
    /// Where all replicas count it together, if they do.
    pub shared: Option<Shared>,
    /// As many requests the call counts for.
    pub cost: u32,
    /// What is counted apart, unambiguous within the limit and tier.
    pub key: String,
}

/// How a limit is counted by all replicas together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shared {
    /// Which store, and what becomes of a call without it.
    pub store: StoreUse,
    /// The tier's rate, undivided.
    pub whole: Rate,
}

/// A limit of concurrency that applies to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold<'a> {
    /// Which limit: `policy/limit`.
    pub id: &'a str,
    /// The caller's tier.
    pub tier: &'a str,
    /// Position among [`LimitSet::holds_of_route`].
    pub slot: usize,
    /// As many may be open at once.
    pub most: NonZeroU32,
    /// What is counted apart, unambiguous within the limit and tier.
    pub key: String,
}

/// A rate of some limit and tier of the route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// `policy/limit`.
    pub id: String,
    /// The tier; empty where it is not known yet.
    pub tier: String,
    /// The rate, as far as this replica enforces it by itself.
    pub rate: Rate,
    /// The rate before it was divided among replicas.
    pub whole: Rate,
    /// As much must be able to come at once on each of them: the dearest call.
    least: NonZeroU32,
}

impl Named {
    /// True for what is counted before it is known who calls.
    pub fn is_of_strangers(&self) -> bool {
        self.tier.is_empty()
    }
}

/// What one address may send before authentication, as one policy says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Before {
    /// Position of the rate of requests among [`LimitSet::rates`].
    pub requests: Option<usize>,
    /// Position of the rate of failures.
    pub failures: Option<usize>,
}

#[derive(Debug, Clone)]
struct Limit {
    matches: MatchConfig,
    per: Vec<Dimension>,
    costs: Vec<CostConfig>,
    /// Positions among the set's rates, by tier.
    tiers: BTreeMap<String, usize>,
}

#[derive(Debug, Clone)]
struct Concurrency {
    id: String,
    counts: Concurrent,
    matches: MatchConfig,
    per: Vec<Dimension>,
    tiers: BTreeMap<String, (usize, NonZeroU32)>,
}

#[derive(Debug, Clone)]
struct Policy {
    name: String,
    store: Option<StoreUse>,
    selection: Selection,
    tenant_claim: Option<String>,
    limits: Vec<Limit>,
    concurrency: Vec<Concurrency>,
    before: Option<Before>,
}

/// The compiled limits of one route.
#[derive(Debug, Clone)]
pub struct LimitSet {
    policies: Vec<Policy>,
    rates: Vec<Named>,
    holds: Vec<(String, String)>,
    stores: Vec<Store>,
}

impl LimitSet {
    /// Compiles the policies of a route.
    pub fn compile(configs: &[RateLimitConfig]) -> Result<Self, LimitError> {
        let mut set = Self {
            policies: Vec::with_capacity(configs.len()),
            rates: Vec::new(),
            holds: Vec::new(),
            stores: Vec::new(),
        };
        let mut seen = BTreeSet::new();
        for config in configs {
            for name in names(config) {
                if !seen.insert((config.policy.as_str(), name)) {
                    return Err(LimitError::Duplicate { policy: config.policy.clone(), limit: name.to_owned() });
                }
            }
            let policy = set.policy(config)?;
            set.policies.push(policy);
        }
        Ok(set)
    }

    /// The part of every limit that one of several replicas enforces. Parts are rounded down, so that all together are no more
    /// than the whole; only what can't be divided any further (one request, one place, the dearest call) each has in full.
    #[must_use]
    pub fn shared_by(mut self, replicas: NonZeroU32) -> Self {
        for named in &mut self.rates {
            named.rate = named.whole.share(replicas, named.least);
        }
        let limits = self.policies.iter_mut().flat_map(|policy| &mut policy.concurrency);
        for (_, most) in limits.flat_map(|limit| limit.tiers.values_mut()) {
            *most = NonZeroU32::new(most.get() / replicas).unwrap_or(NonZeroU32::MIN);
        }
        self
    }

    /// Every limit, tier and rate, so that their state can be made ready.
    pub fn rates(&self) -> &[Named] {
        &self.rates
    }

    /// Limit and tier of everything that may be held, so that its state can be made ready.
    pub fn holds_of_route(&self) -> &[(String, String)] {
        &self.holds
    }

    /// Stores that policies name, each once.
    pub fn stores(&self) -> &[Store] {
        &self.stores
    }

    /// Policies that count in a store, and how.
    pub fn shared_policies(&self) -> impl Iterator<Item = (&str, StoreUse)> {
        self.policies.iter().filter_map(|policy| Some((policy.name.as_str(), policy.store?)))
    }

    /// Whether some clients have a tier of their own.
    pub fn lists_clients(&self) -> bool {
        self.policies.iter().any(|policy| policy.selection.lists_clients())
    }

    /// Claims by which callers are sorted into tiers and tenants.
    pub fn claims(&self) -> BTreeSet<&str> {
        self.policies
            .iter()
            .flat_map(|policy| [policy.selection.claim(), policy.tenant_claim.as_deref()])
            .flatten()
            .collect()
    }

    /// What an address may send before authentication, by each policy that says so.
    pub fn before(&self) -> impl Iterator<Item = Before> {
        self.policies.iter().filter_map(|policy| policy.before)
    }

    /// The charges of a call: what a replica counts by itself first, then those of each store together, so that it is asked
    /// once. Of each, the narrowest first, so that a noisy caller exhausts its own count before a shared one.
    pub fn charges(&self, counted: &Counted<'_>) -> Vec<Charge<'_>> {
        let mut charges = Vec::new();
        for policy in &self.policies {
            for limit in policy.limits.iter().filter(|limit| applies(&limit.matches, counted.operation)) {
                let tier = policy.selection.tier_of(counted.principal, &limit.tiers);
                let named = limit.tiers.get(tier).and_then(|slot| Some((*slot, self.rates.get(*slot)?)));
                if let Some((slot, Named { id, tier, rate, whole, least: _ })) = named {
                    let counted = Counted { target_known: limit.knows(counted), ..*counted };
                    let key = key_of(&limit.per, policy.tenant_claim.as_deref(), &counted);
                    let cost = limit.cost(counted.operation);
                    let shared = policy.store.map(|store| Shared { store, whole: *whole });
                    let order = (shared.map(|shared| shared.store.store), Reverse(limit.per.len()));
                    charges.push((order, Charge { id, tier, slot, rate: *rate, shared, cost, key }));
                }
            }
        }
        charges.sort_by_key(|(order, _)| *order);
        charges.into_iter().map(|(_, charge)| charge).collect()
    }

    /// What a call holds as long as it is open, narrowest first.
    pub fn holds(&self, counted: &Counted<'_>) -> Vec<Hold<'_>> {
        let counts = if counted.operation.method.is_open_ended() { Concurrent::Streams } else { Concurrent::Calls };
        let mut holds = Vec::new();
        for policy in &self.policies {
            let about = |limit: &&Concurrency| limit.counts == counts && applies(&limit.matches, counted.operation);
            for limit in policy.concurrency.iter().filter(about) {
                let tier = policy.selection.tier_of(counted.principal, &limit.tiers);
                if let Some((tier, (slot, most))) = limit.tiers.get_key_value(tier) {
                    let target_known = counted.target_known || limit.matches.names(&counted.operation.target);
                    let counted = Counted { target_known, ..*counted };
                    let key = key_of(&limit.per, policy.tenant_claim.as_deref(), &counted);
                    holds.push((limit.per.len(), Hold { id: &limit.id, tier, slot: *slot, most: *most, key }));
                }
            }
        }
        holds.sort_by_key(|(width, _)| Reverse(*width));
        holds.into_iter().map(|(_, hold)| hold).collect()
    }

    fn policy(&mut self, config: &RateLimitConfig) -> Result<Policy, LimitError> {
        let RateLimitConfig { policy, tiers, tenant_claim, limits, concurrency, before_authentication, store: _ } =
            config;
        if limits.is_empty() && concurrency.is_empty() && before_authentication.is_none() {
            return Err(LimitError::Nothing { policy: policy.clone() });
        }
        for claim in tiers.claim.iter().chain(tenant_claim) {
            if is_of_client(claim) {
                return Err(LimitError::ClaimOfClient { policy: policy.clone(), claim: claim.clone() });
            }
        }
        let selection = Selection::compile(config)?;
        let store = self.store(config)?;
        let limits = limits.iter().map(|limit| self.limit(config, limit)).collect::<Result<_, _>>()?;
        let concurrency = concurrency.iter().map(|limit| self.concurrency(config, limit)).collect::<Result<_, _>>()?;
        let before = before_authentication.as_ref().map(|before| self.before_of(config, before)).transpose()?;
        let tenant_claim = tenant_claim.clone();
        Ok(Policy { name: policy.clone(), store, selection, tenant_claim, limits, concurrency, before })
    }

    /// Policies that mean the same store are charged there by one question.
    fn store(&mut self, config: &RateLimitConfig) -> Result<Option<StoreUse>, LimitError> {
        let Some(store) = &config.store else { return Ok(None) };
        let policy = || config.policy.clone();
        let (compiled, deadline) = store.compile().map_err(|source| LimitError::Store { policy: policy(), source })?;
        if config.limits.is_empty() {
            return Err(LimitError::StoreOfNothing { policy: policy() });
        }
        let known = self.stores.iter().position(|known| *known == compiled);
        let position = known.unwrap_or(self.stores.len());
        if known.is_none() {
            self.stores.push(compiled);
        }
        Ok(Some(StoreUse { store: position, deadline, on_failure: store.on_failure }))
    }

    fn limit(&mut self, config: &RateLimitConfig, limit: &LimitConfig) -> Result<Limit, LimitError> {
        let LimitConfig { name, matches, per, costs, tiers } = limit;
        check(config, name, matches, per)?;
        check_tiers(config, name, tiers)?;
        if costs.iter().any(|cost| cost.tools.is_empty()) {
            return Err(LimitError::CostOfNothing { policy: config.policy.clone(), limit: name.clone() });
        }
        let dearest = costs.iter().map(|cost| cost.cost).max().unwrap_or(NonZeroU32::MIN);
        let mut slots = BTreeMap::new();
        for (tier, rate) in tiers {
            slots.insert(tier.clone(), self.rate(config, name, tier, rate, dearest)?);
        }
        Ok(Limit { matches: matches.clone(), per: per.clone(), costs: costs.clone(), tiers: slots })
    }

    fn concurrency(&mut self, config: &RateLimitConfig, limit: &ConcurrencyConfig) -> Result<Concurrency, LimitError> {
        let ConcurrencyConfig { name, counts, matches, per, tiers } = limit;
        check(config, name, matches, per)?;
        check_tiers(config, name, tiers)?;
        let id = id(config, name);
        let mut slots = BTreeMap::new();
        for (tier, most) in tiers {
            slots.insert(tier.clone(), (self.holds.len(), *most));
            self.holds.push((id.clone(), tier.clone()));
        }
        Ok(Concurrency { id, counts: *counts, matches: matches.clone(), per: per.clone(), tiers: slots })
    }

    fn before_of(&mut self, config: &RateLimitConfig, before: &AddressConfig) -> Result<Before, LimitError> {
        let AddressConfig { requests, failures } = before;
        if requests.is_none() && failures.is_none() {
            return Err(LimitError::Nothing { policy: config.policy.clone() });
        }
        let mut slot = |name: &str, rate: &Option<RateConfig>| -> Result<Option<usize>, LimitError> {
            rate.as_ref().map(|rate| self.rate(config, name, "", rate, NonZeroU32::MIN)).transpose()
        };
        let requests = slot(BEFORE_AUTHENTICATION, requests)?;
        Ok(Before { requests, failures: slot(FAILED_AUTHENTICATION, failures)? })
    }

    /// The slot of a rate whose dearest call costs that much.
    fn rate(
        &mut self,
        config: &RateLimitConfig,
        limit: &str,
        tier: &str,
        rate: &RateConfig,
        dearest: NonZeroU32,
    ) -> Result<usize, LimitError> {
        let compiled = Rate::compile(rate).map_err(|error| {
            let (policy, limit, tier) = (config.policy.clone(), limit.to_owned(), tier.to_owned());
            match error {
                RateError::Burst(burst) => {
                    LimitError::BurstTooLarge { policy, limit, tier, burst, requests: rate.requests.get() }
                }
                RateError::Slow(burst) => LimitError::RefillTooSlow { policy, limit, tier, burst },
            }
        })?;
        if dearest > compiled.burst {
            let (policy, limit, tier) = (config.policy.clone(), limit.to_owned(), tier.to_owned());
            let (cost, burst) = (dearest.get(), compiled.burst.get());
            return Err(LimitError::CostTooLarge { policy, limit, tier, cost, burst });
        }
        let (id, tier) = (id(config, limit), tier.to_owned());
        self.rates.push(Named { id, tier, rate: compiled, whole: compiled, least: dearest });
        Ok(self.rates.len() - 1)
    }
}

impl Limit {
    /// What the limit itself names needs no list of the server's to be known, so that its count is the same from the first
    /// call on and at every replica.
    fn knows(&self, counted: &Counted<'_>) -> bool {
        let target = &counted.operation.target;
        let has_cost = |name: &str| self.costs.iter().any(|cost| names_exactly(&cost.tools, name));
        counted.target_known || self.matches.names(target) || matches!(target, Target::Tool(name) if has_cost(name))
    }

    /// Of several patterns that match, the dearest holds, so that their order means nothing.
    fn cost(&self, operation: &Operation) -> u32 {
        let Target::Tool(name) = &operation.target else { return 1 };
        let about = |cost: &&CostConfig| cost.tools.iter().any(|pattern| pattern.matches(name));
        self.costs.iter().filter(about).map(|cost| cost.cost.get()).max().unwrap_or(1)
    }
}

fn id(config: &RateLimitConfig, limit: &str) -> String {
    format!("{}/{limit}", config.policy)
}

fn applies(matches: &MatchConfig, operation: &Operation) -> bool {
    matches.is_empty() || matches.selects(operation)
}

/// The names that a policy's limits go by.
fn names(config: &RateLimitConfig) -> impl Iterator<Item = &str> {
    let before = config.before_authentication.iter().flat_map(|before| {
        let requests = before.requests.as_ref().map(|_| BEFORE_AUTHENTICATION);
        requests.into_iter().chain(before.failures.as_ref().map(|_| FAILED_AUTHENTICATION))
    });
    let limits = config.limits.iter().map(|limit| limit.name.as_str());
    limits.chain(config.concurrency.iter().map(|limit| limit.name.as_str())).chain(before)
}

fn check(config: &RateLimitConfig, name: &str, matches: &MatchConfig, per: &[Dimension]) -> Result<(), LimitError> {
    let (policy, limit) = (config.policy.clone(), name.to_owned());
    if let Err(source) = matches.check() {
        return Err(LimitError::Pattern { policy, limit, source });
    }
    let mut seen = BTreeSet::new();
    if let Some(twice) = per.iter().find(|dimension| !seen.insert(**dimension)) {
        return Err(LimitError::DimensionTwice { policy, limit, dimension: *twice });
    }
    if per.contains(&Dimension::Tenant) && config.tenant_claim.is_none() {
        return Err(LimitError::NoTenantClaim { policy, limit });
    }
    Ok(())
}

/// Every tier that is chosen by list or default must have a rate; a claim's value that has none counts as the default.
fn check_tiers<T>(config: &RateLimitConfig, name: &str, tiers: &BTreeMap<String, T>) -> Result<(), LimitError> {
    let selectable = config.tiers.clients.keys().chain([&config.tiers.default]);
    match selectable.into_iter().find(|tier| !tiers.contains_key(*tier)) {
        None => Ok(()),
        Some(tier) => {
            let (policy, limit, tier) = (config.policy.clone(), name.to_owned(), tier.clone());
            Err(LimitError::MissingTier { policy, limit, tier })
        }
    }
}
