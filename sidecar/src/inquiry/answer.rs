//! What a question comes to: for each limit that is about the calls, the count that the pipeline would charge, and how it stands.

use super::caller::{Caller, Fact};
use super::calls::calls;
use crate::snapshot::{Route, Snapshot};
use std::collections::BTreeMap;
use std::time::Duration;
use tollward_policy::inquiry::{Answer, Counts, Inquiry, LimitState};
use tollward_policy::limits::{Charge, Counted, Hold};
use tollward_policy::operation::Operation;

/// Limit, tier and key of a count.
type Count = (String, String, String);

/// Answers for every server of the process. Charges nothing.
pub fn answer(snapshot: &Snapshot, inquiry: &Inquiry) -> Answer {
    let mut answer = Answer::default();
    for route in snapshot.routes() {
        let issuers: Vec<_> = route.authenticator.providers().map(|it| it.config().issuer.as_str()).collect();
        let claims = route.limits.claims().into_iter().collect();
        let caller = Caller { inquiry, issuers, claims };
        let unknown = caller.unknown();
        let tiers = |fact: &&Fact<'_>| match fact {
            Fact::Claim(_) => true,
            Fact::Client => route.limits.lists_clients(),
            Fact::Issuer | Fact::Subject | Fact::Address => false,
        };
        answer.not_given.extend(unknown.iter().filter(tiers).map(|fact| fact.option()));
        answer.limits.extend(limits(route, &caller, &unknown));
    }
    answer.not_given.sort();
    answer.not_given.dedup();
    answer
}

fn limits(route: &Route, caller: &Caller<'_>, unknown: &[Fact<'_>]) -> Vec<LimitState> {
    let (calls, named) = calls(route, caller.inquiry);
    let mut counts: BTreeMap<Count, LimitState> = BTreeMap::new();
    for call in &calls {
        for (count, mut state) in states(route, caller, None, call) {
            if let Some(known) = counts.get_mut(&count) {
                // Calls of several names share it.
                known.about = known.about.take().filter(|about| Some(about) == state.about.as_ref());
                continue;
            }
            counts.entry(count).or_insert_with_key(|count| {
                state.needs = needs(route, caller, unknown, call, count);
                if !state.needs.is_empty() {
                    // The count of somebody who was made up.
                    (state.left, state.full_after_millis, state.retry_after_millis) = (None, 0, None);
                }
                state
            });
        }
    }
    told_apart(counts, named)
}

/// Where calls are counted apart, each count says what it is about; those that nobody asked for and nobody used are left out.
fn told_apart(counts: BTreeMap<Count, LimitState>, named: bool) -> Vec<LimitState> {
    let mut groups: BTreeMap<(String, String), Vec<LimitState>> = BTreeMap::new();
    for ((limit, tier, _), state) in counts {
        groups.entry((limit, tier)).or_default().push(state);
    }
    let mut limits = Vec::new();
    for mut states in groups.into_values() {
        if !named {
            let one = states.len() == 1;
            let untouched = |state: &LimitState| state.left == Some(state.most) || !state.needs.is_empty();
            let spare = states.iter().find(|state| untouched(state)).cloned();
            if !one {
                states.retain(|state| !untouched(state));
            }
            if one || states.is_empty() {
                states = spare
                    .or_else(|| states.pop())
                    .map(|state| LimitState { about: None, ..state })
                    .into_iter()
                    .collect();
            }
        }
        states.sort_by(|one, other| one.about.cmp(&other.about));
        limits.extend(states);
    }
    limits
}

/// What the count depends on and was not given: what leads to another count when it is made up differently.
fn needs(route: &Route, caller: &Caller<'_>, unknown: &[Fact<'_>], call: &Operation, count: &Count) -> Vec<String> {
    let depends = |fact: &&Fact<'_>| !states(route, caller, Some(**fact), call).iter().any(|(other, _)| other == count);
    unknown.iter().filter(depends).map(|fact| fact.option()).collect()
}

/// Every count that a call would be charged to, and how it stands.
fn states(route: &Route, caller: &Caller<'_>, varied: Option<Fact<'_>>, call: &Operation) -> Vec<(Count, LimitState)> {
    let (principal, address) = (caller.principal(varied), caller.address(varied));
    let counted = Counted {
        principal: &principal,
        operation: call,
        target_known: route.knows(&call.target),
        server: &route.name,
        address: &address,
    };
    let about = call.target.name().unwrap_or(call.method.as_str());
    let name = |limit: &str, tier: &str, key: &str| (limit.to_owned(), tier.to_owned(), key.to_owned());
    let mut states: Vec<_> = Vec::new();
    for charge in route.limits.charges(&counted) {
        states.push((name(charge.id, charge.tier, &charge.key), rate(route, &charge, about)));
    }
    for hold in route.limits.holds(&counted) {
        states.push((name(hold.id, hold.tier, &hold.key), open(route, &hold, about)));
    }
    states
}

fn rate(route: &Route, charge: &Charge<'_>, about: &str) -> LimitState {
    let in_store = charge.shared.is_some();
    let rate = charge.shared.as_ref().map_or(charge.rate, |shared| shared.whole);
    let looked = if in_store { None } else { route.limiter.bucket(charge.slot).map(|bucket| bucket.look(&charge.key)) };
    // What is looked at is how it would stand after one more request.
    let (left, full_after, retry_after) = match looked {
        None => (None, Duration::ZERO, None),
        Some(Ok(next)) => (Some(next.remaining.saturating_add(1)), next.reset.saturating_sub(rate.emission), None),
        Some(Err(wait)) => {
            let rest = rate.emission.saturating_mul(rate.burst.get().saturating_sub(1));
            (Some(0), wait.saturating_add(rest), Some(wait))
        }
    };
    LimitState {
        server: route.name.clone(),
        limit: charge.id.to_owned(),
        tier: charge.tier.to_owned(),
        about: Some(about.to_owned()),
        counts: Counts::Requests { requests: rate.requests, window_seconds: rate.window.as_secs() },
        most: rate.burst.get(),
        left,
        full_after_millis: millis(full_after),
        retry_after_millis: retry_after.map(millis),
        in_store,
        needs: Vec::new(),
    }
}

fn open(route: &Route, hold: &Hold<'_>, about: &str) -> LimitState {
    let most = hold.most.get();
    LimitState {
        server: route.name.clone(),
        limit: hold.id.to_owned(),
        tier: hold.tier.to_owned(),
        about: Some(about.to_owned()),
        counts: Counts::Open {},
        most,
        left: Some(most.saturating_sub(route.limiter.open(hold))),
        full_after_millis: 0,
        retry_after_millis: None,
        in_store: false,
        needs: Vec::new(),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
