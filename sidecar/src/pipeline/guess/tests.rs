//! What an address may cost.

use super::{BURST, GuessLimiter, QUESTION_BURST};
use crate::authenticate::Effort;
use crate::limiter::{Limiter, RouteLimiter};
use governor::clock::DefaultClock;
use serde_json::{Value, json};
use std::net::IpAddr;
use tollward_policy::limits::LimitSet;
use tollward_policy::reason::Reason;

fn peer() -> IpAddr {
    "192.0.2.1".parse().unwrap()
}

/// The limits of policies with these limits before authentication.
fn limits(before: &[Value]) -> (LimitSet, RouteLimiter) {
    let policy = |(number, before): (usize, &Value)| {
        let policy = json!({"policy": format!("p{number}"), "tiers": {"default": "a"}, "beforeAuthentication": before});
        serde_json::from_value(policy).unwrap()
    };
    let policies: Vec<_> = before.iter().enumerate().map(policy).collect();
    let set = LimitSet::compile(&policies).unwrap();
    let limiter = Limiter::new(DefaultClock::default()).route("route", &set);
    (set, limiter)
}

fn rate(burst: u32) -> Value {
    json!({"requests": burst + 1, "windowSeconds": 2_678_400, "burst": burst})
}

#[test]
fn a_token_and_its_proof_are_one_guess_and_guesses_are_bounded() {
    let (guesses, (set, limiter)) = (GuessLimiter::new(&DefaultClock::default()), limits(&[]));
    let refused = (0..10 * BURST.get()).find_map(|number| {
        let mut attempt = guesses.attempt(peer(), &set, &limiter);
        let both = attempt.take(Effort::Signature).and_then(|()| attempt.take(Effort::Signature));
        both.err().map(|refusal| (number, refusal.reason))
    });
    let (number, reason) = refused.expect("somebody who guesses on and on is refused");
    assert!(number >= BURST.get() && reason == Reason::RateLimited, "{number} {reason}");
    let other = "192.0.2.2".parse().unwrap();
    assert!(guesses.attempt(other, &set, &limiter).take(Effort::Signature).is_ok(), "others are not");
}

#[test]
fn questions_to_an_authorization_server_have_a_smaller_budget_of_their_own() {
    let (guesses, (set, limiter)) = (GuessLimiter::new(&DefaultClock::default()), limits(&[]));
    let take = |effort| guesses.attempt(peer(), &set, &limiter).take(effort);
    let refused = (0..BURST.get()).find(|_| take(Effort::Question).is_err());
    assert!(refused.is_some_and(|number| number >= QUESTION_BURST.get()), "{refused:?}");
    assert!(take(Effort::Signature).is_ok(), "signatures are counted apart");
}

#[test]
fn what_is_given_back_is_no_guess() {
    let (guesses, (set, limiter)) = (GuessLimiter::new(&DefaultClock::default()), limits(&[]));
    for _ in 0..3 * BURST.get() {
        let mut attempt = guesses.attempt(peer(), &set, &limiter);
        assert!(attempt.take(Effort::Signature).is_ok());
        attempt.give_back();
    }
}

#[test]
fn failures_have_a_budget_of_their_own_and_then_nothing_is_looked_at() {
    let before = [json!({"requests": rate(100), "failures": rate(3)})];
    let (guesses, (set, limiter)) = (GuessLimiter::new(&DefaultClock::default()), limits(&before));
    let attempt = || guesses.attempt(peer(), &set, &limiter);
    for _ in 0..20 {
        assert!(attempt().enter().is_ok(), "requests that do not fail are no failures");
    }
    for _ in 0..3 {
        assert!(attempt().enter().is_ok());
        attempt().fail();
    }
    let denial = attempt().enter().unwrap_err();
    assert_eq!((denial.reason, denial.limits()[0].limit.as_str()), (Reason::RateLimited, "p0/failed-authentication"));
    let other = "192.0.2.2".parse().unwrap();
    assert!(guesses.attempt(other, &set, &limiter).enter().is_ok());
    let standings = guesses.attempt(other, &set, &limiter).enter().unwrap();
    assert_eq!((standings[0].limit.as_str(), standings[0].remaining), ("p0/before-authentication", 98));
}

#[test]
fn a_request_that_one_policy_refuses_is_charged_to_none() {
    let before = [json!({"requests": rate(10)}), json!({"requests": rate(1)})];
    let (guesses, (set, limiter)) = (GuessLimiter::new(&DefaultClock::default()), limits(&before));
    let enter = || guesses.attempt(peer(), &set, &limiter).enter();
    assert!(enter().is_ok());
    for _ in 0..20 {
        let denial = enter().unwrap_err();
        let named: Vec<_> =
            denial.limits().iter().map(|standing| (standing.limit.as_str(), standing.remaining)).collect();
        assert_eq!(named, [("p0/before-authentication", 8), ("p1/before-authentication", 0)]);
    }
}
