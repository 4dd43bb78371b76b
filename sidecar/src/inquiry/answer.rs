//! What a question comes to: for each limit that is about the calls, the count that the pipeline would charge, and how it stands.

use super::caller::{Caller, Fact};
use super::calls::calls;
use super::told_apart::told_apart;
use crate::limiter::Look;
use crate::snapshot::{Route, Snapshot};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tollward_policy::inquiry::{Answer, Counts, Inquiry, LimitState};
use tollward_policy::limits::{Charge, Counted, Hold, Rate};
use tollward_policy::operation::Operation;

/// Most counts of a server in one answer, so that no store is asked for more at once.
const MOST: usize = 2048;

/// Limit, tier and key of a count.
type Count = (String, String, String);

/// What a call would be charged to, or hold.
enum Part<'a> {
    Rate(Charge<'a>),
    Open(Hold<'a>),
}

/// A count that calls are about.
struct Found<'a> {
    part: Part<'a>,
    about: Option<String>,
    /// What it depends on and was not given.
    needs: Vec<String>,
}

/// More would have to be told than may be.
#[derive(Debug, thiserror::Error)]
#[error("there are more than {MOST} counts: ask about single names, by --tool, --prompt or --resource")]
pub struct TooMany;

/// Answers for every server of the process. Charges nothing.
pub async fn answer(snapshot: &Snapshot, inquiry: &Inquiry) -> Result<Answer, TooMany> {
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
        let (calls, named) = calls(route, inquiry);
        let found = find(route, &caller, &unknown, &calls).await?;
        answer.limits.extend(before(route, &caller));
        answer.limits.extend(told_apart(states(route, found).await, named));
    }
    answer.not_given.sort();
    answer.not_given.dedup();
    Ok(answer)
}

/// Every count of the calls, once.
async fn find<'a>(
    route: &'a Route,
    caller: &Caller<'_>,
    unknown: &[Fact<'_>],
    calls: &[Operation],
) -> Result<BTreeMap<Count, Found<'a>>, TooMany> {
    let mut found: BTreeMap<Count, Found<'a>> = BTreeMap::new();
    for call in calls {
        let about = call.target.name().unwrap_or(call.method.as_str());
        let mut new = Vec::new();
        for (count, part) in parts(route, caller, None, call) {
            match found.get_mut(&count) {
                // Calls of several names share it.
                Some(known) => known.about = known.about.take().filter(|known| known == about),
                None => new.push((count, part)),
            }
        }
        if !new.is_empty() {
            // What leads to another count when it is made up differently.
            let varied: Vec<BTreeSet<Count>> = unknown
                .iter()
                .map(|fact| parts(route, caller, Some(*fact), call).into_iter().map(|(count, _)| count).collect())
                .collect();
            for (count, part) in new {
                let depends = unknown.iter().zip(&varied).filter(|(_, other)| !other.contains(&count));
                let needs = depends.map(|(fact, _)| fact.option()).collect();
                found.insert(count, Found { part, about: Some(about.to_owned()), needs });
            }
        }
        if found.len() > MOST {
            return Err(TooMany);
        }
        // Requests come first.
        tokio::task::yield_now().await;
    }
    Ok(found)
}

/// Every count that a call would be charged to.
fn parts<'a>(
    route: &'a Route,
    caller: &Caller<'_>,
    varied: Option<Fact<'_>>,
    call: &Operation,
) -> Vec<(Count, Part<'a>)> {
    let (principal, address) = (caller.principal(varied), caller.address(varied));
    let counted = Counted {
        principal: &principal,
        operation: call,
        target_known: route.knows(&call.target),
        server: &route.name,
        address: &address,
    };
    let name = |limit: &str, tier: &str, key: &str| (limit.to_owned(), tier.to_owned(), key.to_owned());
    let charges = route.limits.charges(&counted).into_iter();
    let rates = charges.map(|charge| (name(charge.id, charge.tier, &charge.key), Part::Rate(charge)));
    let holds = route.limits.holds(&counted).into_iter();
    rates.chain(holds.map(|hold| (name(hold.id, hold.tier, &hold.key), Part::Open(hold)))).collect()
}

/// How every count stands; stores are asked for all of theirs at once. Those of somebody who was made up are not looked at.
async fn states(route: &Route, found: BTreeMap<Count, Found<'_>>) -> Vec<LimitState> {
    let mut charges = Vec::new();
    for Found { part, about: _, needs } in found.values() {
        match part {
            Part::Rate(charge) if needs.is_empty() => charges.push(charge.clone()),
            Part::Rate(_) | Part::Open(_) => {}
        }
    }
    let mut looks = route.limiter.look(&charges).await.into_iter();
    let state = |Found { part, about, needs }: Found<'_>| {
        let known = needs.is_empty();
        let state = match part {
            Part::Rate(charge) => rate(route, &charge, if known { looks.next() } else { None }),
            Part::Open(hold) => open(route, &hold, known),
        };
        LimitState { about, needs, ..state }
    };
    found.into_values().map(state).collect()
}

fn rate(route: &Route, charge: &Charge<'_>, look: Option<Result<Look, String>>) -> LimitState {
    let rate = charge.shared.as_ref().map_or(&charge.rate, |shared| &shared.whole);
    let state = LimitState { in_store: charge.shared.is_some(), ..of_rate(route, charge.id, charge.tier, rate) };
    match look {
        None => state,
        Some(Ok(look)) => stands(state, look),
        Some(Err(error)) => LimitState {
            store_error: Some(error),
            on_store_failure: charge.shared.map(|shared| shared.store.on_failure),
            ..state
        },
    }
}

/// What addresses are bound by before it is known who calls.
fn before(route: &Route, caller: &Caller<'_>) -> Vec<LimitState> {
    let given = caller.inquiry.address.is_some();
    let slots = route.limits.before().flat_map(|before| [before.requests, before.failures]).flatten();
    let state = |slot: usize| {
        let (named, bucket) = (route.limits.rates().get(slot)?, route.limiter.bucket(slot)?);
        let state = of_rate(route, &named.id, &named.tier, &named.rate);
        Some(if given {
            stands(state, bucket.stands(&caller.address(None)))
        } else {
            LimitState { needs: vec![Fact::Address.option()], ..state }
        })
    };
    slots.filter_map(state).collect()
}

fn stands(state: LimitState, look: Look) -> LimitState {
    LimitState {
        left: Some(look.left),
        full_after_millis: millis(look.full_after),
        retry_after_millis: look.retry_after.map(millis),
        ..state
    }
}

fn of_rate(route: &Route, limit: &str, tier: &str, rate: &Rate) -> LimitState {
    let counts = Counts::Requests { requests: rate.requests, window_seconds: rate.window.as_secs() };
    LimitState {
        server: route.name.clone(),
        limit: limit.to_owned(),
        tier: tier.to_owned(),
        about: None,
        counts,
        most: rate.burst.get(),
        left: None,
        full_after_millis: 0,
        retry_after_millis: None,
        in_store: false,
        store_error: None,
        on_store_failure: None,
        needs: Vec::new(),
    }
}

fn open(route: &Route, hold: &Hold<'_>, known: bool) -> LimitState {
    let most = hold.most.get();
    LimitState {
        server: route.name.clone(),
        limit: hold.id.to_owned(),
        tier: hold.tier.to_owned(),
        about: None,
        counts: Counts::Open {},
        most,
        left: known.then(|| most.saturating_sub(route.limiter.open(hold))),
        full_after_millis: 0,
        retry_after_millis: None,
        in_store: false,
        store_error: None,
        on_store_failure: None,
        needs: Vec::new(),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
