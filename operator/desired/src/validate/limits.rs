//! How often: the policies that name the server, in the order of their names.

use super::operations;
use super::store::{self, StoreMount};
use crate::finding::{Findings, Subject};
use crate::identity::Identity;
use crate::inputs::Inputs;
use kube::ResourceExt as _;
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use tollward_api::RateLimitPolicy;
use tollward_api::condition::{ConditionReason, ConditionType};
use tollward_api::duration::GoDuration;
use tollward_api::mcpserver::AuthSpec;
use tollward_api::operations::OperationMatch;
use tollward_api::ratelimitpolicy::{
    AddressRate, BeforeAuthentication, ConcurrencyLimit, LimitRate, Most, RateLimit, RateLimitPolicySpec, TargetKind,
    TargetReference, Tiers, ToolCost,
};
use tollward_policy::limits::{
    AddressConfig, ConcurrencyConfig, CostConfig, LimitConfig, LimitSet, RateConfig, RateLimitConfig, TierSelection,
};
use tollward_policy::pattern::Pattern;
use tollward_policy::rules::MatchConfig;

/// The longest window, in seconds.
const LONGEST_WINDOW: u32 = 744 * 3600;

/// What is wrong with a policy at this server.
struct Refusal(ConditionType, ConditionReason, String);

/// The limits of a server, and what their stores need of Secrets.
pub(super) struct Limits {
    pub(super) configs: Vec<RateLimitConfig>,
    pub(super) stores: Vec<StoreMount>,
}

pub(super) fn judge(inputs: &Inputs, identity: &Identity, findings: &mut Findings) -> Limits {
    let mut policies: Vec<_> = inputs.policies.iter().filter(|policy| is_of(policy, identity)).collect();
    policies.sort_by_key(|policy| policy.name_any());
    let (mut configs, mut stores) = (Vec::new(), Vec::new());
    for policy in policies {
        for target in policy.spec.target_refs.iter().filter(|target| names(target, identity)) {
            match compile(policy, target, &inputs.server.spec.auth) {
                Ok((config, mount)) => {
                    configs.push(config);
                    // Two sections of one policy have one store.
                    stores.extend(mount.filter(|mount| !stores.contains(mount)));
                }
                Err(refusal) => report(&policy.name_any(), refusal, findings),
            }
        }
    }
    if let Err(error) = LimitSet::compile(&configs) {
        findings.server(ConditionReason::InvalidLimit, format!("the rate limit policies of this server: {error}"));
    }
    Limits { configs, stores }
}

fn is_of(policy: &RateLimitPolicy, identity: &Identity) -> bool {
    policy.namespace().unwrap_or_else(|| "default".into()) == identity.namespace()
}

fn names(target: &TargetReference, identity: &Identity) -> bool {
    match target.kind {
        TargetKind::MCPServer => target.group == tollward_api::GROUP && target.name == identity.name(),
    }
}

/// A policy that can't be enforced holds its server back: dropping it would loosen a limit that somebody relies on.
fn report(policy: &str, Refusal(condition, reason, message): Refusal, findings: &mut Findings) {
    findings.push(Subject::Policy(policy.to_owned()), condition, reason, message);
    findings
        .server(ConditionReason::InvalidLimit, format!("RateLimitPolicy `{policy}` can't be enforced; see its status"));
}

fn compile(
    policy: &RateLimitPolicy,
    target: &TargetReference,
    auth: &AuthSpec,
) -> Result<(RateLimitConfig, Option<StoreMount>), Refusal> {
    let name = policy.name_any();
    let RateLimitPolicySpec {
        target_refs: _,
        tiers: selection,
        tenant_claim,
        limits,
        concurrency,
        before_authentication,
        store,
        on_store_failure,
    } = &policy.spec;
    let section = target.section_name.as_deref().map(|section| section_match(section, auth)).transpose()?;
    if section.is_some() && before_authentication.is_some() {
        return Err(invalid(
            "spec.beforeAuthentication must not be set, since the target's sectionName names operations",
        ));
    }
    let section = section.as_ref();
    let store = store::judge(&name, store.as_ref(), *on_store_failure).map_err(invalid)?;
    let (store, mount) = store.map_or((None, None), |(store, mount)| (Some(store), mount));
    let config = RateLimitConfig {
        policy: compiled_name(&name, target.section_name.as_deref()),
        tiers: tiers(selection)?,
        tenant_claim: tenant_claim.clone(),
        limits: limits.iter().map(|limit| compile_limit(limit, section)).collect::<Result<_, _>>()?,
        concurrency: concurrency.iter().map(|limit| compile_concurrency(limit, section)).collect::<Result<_, _>>()?,
        before_authentication: before_authentication.as_ref().map(compile_before).transpose()?,
        store,
    };
    LimitSet::compile(std::slice::from_ref(&config)).map_err(|error| invalid(error.to_string()))?;
    Ok((config, mount))
}

/// Name of a policy in the configuration. It may name two sections of one server: their counts are apart, and so are their
/// names.
pub fn compiled_name(policy: &str, section: Option<&str>) -> String {
    section.map_or_else(|| policy.to_owned(), |section| format!("{policy}#{section}"))
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal(ConditionType::Accepted, ConditionReason::InvalidLimit, message.into())
}

fn section_match(section: &str, auth: &AuthSpec) -> Result<MatchConfig, Refusal> {
    let rule = auth.rules.iter().find(|rule| rule.name == section).ok_or_else(|| {
        let message = format!("spec.targetRefs: the server has no rule `{section}`");
        Refusal(ConditionType::ResolvedRefs, ConditionReason::TargetNotFound, message)
    })?;
    operations::compile(&rule.matches).map_err(|error| invalid(format!("rule `{section}`: {error}")))
}

fn compile_match(
    place: &str,
    matches: Option<&OperationMatch>,
    section: Option<&MatchConfig>,
) -> Result<MatchConfig, Refusal> {
    match (matches, section) {
        (None, None) => Ok(operations::everything()),
        (None, Some(section)) => Ok(section.clone()),
        (Some(matches), None) => {
            let matches = operations::compile(matches).map_err(|error| invalid(format!("{place}.match: {error}")))?;
            if matches.is_empty() {
                return Err(invalid(format!("{place}.match must name methods, tools, resources or prompts")));
            }
            Ok(matches)
        }
        (Some(_), Some(_)) => {
            Err(invalid(format!("{place}.match must not be set, since the target's sectionName says what is limited")))
        }
    }
}

fn compile_limit(limit: &RateLimit, section: Option<&MatchConfig>) -> Result<LimitConfig, Refusal> {
    let RateLimit { name, matches, per, costs, rates } = limit;
    let place = format!("spec.limits[{name}]");
    let matches = compile_match(&place, matches.as_ref(), section)?;
    let costs = costs.iter().map(|cost| compile_cost(&place, cost)).collect::<Result<_, _>>()?;
    let mut tiers = BTreeMap::new();
    for LimitRate { tier, requests, window, burst } in rates {
        let compiled = compile_rate(*requests, window, *burst)
            .map_err(|message| invalid(format!("{place}.rates[{tier}]: {message}")))?;
        if tiers.insert(tier.clone(), compiled).is_some() {
            return Err(invalid(format!("{place}.rates names tier `{tier}` twice")));
        }
    }
    Ok(LimitConfig { name: name.clone(), matches, per: per.clone(), costs, tiers })
}

fn compile_cost(place: &str, cost: &ToolCost) -> Result<CostConfig, Refusal> {
    let ToolCost { tools, cost } = cost;
    let tools: Result<Vec<_>, _> = tools.iter().map(|tool| Pattern::new(tool.as_str())).collect();
    Ok(CostConfig {
        tools: tools.map_err(|error| invalid(format!("{place}.costs: {error}")))?,
        cost: positive(*cost, "cost").map_err(|message| invalid(format!("{place}.costs: {message}")))?,
    })
}

fn compile_concurrency(limit: &ConcurrencyLimit, section: Option<&MatchConfig>) -> Result<ConcurrencyConfig, Refusal> {
    let ConcurrencyLimit { name, counts, matches, per, most } = limit;
    let place = format!("spec.concurrency[{name}]");
    let matches = compile_match(&place, matches.as_ref(), section)?;
    let mut tiers = BTreeMap::new();
    for Most { tier, open } in most {
        let open = positive(*open, "open").map_err(|message| invalid(format!("{place}.most[{tier}]: {message}")))?;
        if tiers.insert(tier.clone(), open).is_some() {
            return Err(invalid(format!("{place}.most names tier `{tier}` twice")));
        }
    }
    Ok(ConcurrencyConfig { name: name.clone(), counts: *counts, matches, per: per.clone(), tiers })
}

fn compile_before(before: &BeforeAuthentication) -> Result<AddressConfig, Refusal> {
    let BeforeAuthentication { requests, failures } = before;
    let compile = |name: &str, rate: &Option<AddressRate>| {
        rate.as_ref()
            .map(|AddressRate { requests, window, burst }| compile_rate(*requests, window, *burst))
            .transpose()
            .map_err(|message| invalid(format!("spec.beforeAuthentication.{name}: {message}")))
    };
    Ok(AddressConfig { requests: compile("requests", requests)?, failures: compile("failures", failures)? })
}

fn positive(number: i32, field: &str) -> Result<NonZeroU32, String> {
    let number = u32::try_from(number).ok().and_then(NonZeroU32::new);
    number.ok_or_else(|| format!("{field} must be at least 1"))
}

fn compile_rate(requests: i32, window: &GoDuration, burst: Option<i32>) -> Result<RateConfig, String> {
    let seconds = window.seconds().map_err(|error| error.to_string())?;
    let window = NonZeroU32::new(seconds).filter(|seconds| seconds.get() <= LONGEST_WINDOW);
    Ok(RateConfig {
        requests: positive(requests, "requests")?,
        window_seconds: window.ok_or("window must be from 1s to 744h")?,
        burst: burst.map(|burst| positive(burst, "burst")).transpose()?,
    })
}

fn tiers(tiers: &Tiers) -> Result<TierSelection, Refusal> {
    let Tiers { claim, clients, default } = tiers;
    let mut by_tier = BTreeMap::new();
    for entry in clients {
        if by_tier.insert(entry.tier.clone(), entry.ids.clone()).is_some() {
            return Err(invalid(format!("spec.tiers.clients names tier `{}` twice", entry.tier)));
        }
    }
    Ok(TierSelection { claim: claim.clone(), clients: by_tier, default: default.clone() })
}
