//! Exactness, refunds and what survives a reload, on a clock that only the test moves.

mod model;

use super::*;
use crate::limiter::concurrency::Open;
use governor::clock::FakeRelativeClock;
use serde_json::{Value, json};
use std::time::Duration;
use tollward_policy::limits::{Charge, Counted, RateLimitConfig};
use tollward_policy::operation::{Method, Operation, Target};
use tollward_policy::principal::Principal;

/// A limit of `burst` at once and `requests` in a minute, counted by the address.
fn limit(name: &str, requests: u32, burst: u32, per: &[&str]) -> Value {
    json!({"name": name, "match": {}, "per": per, "tiers": {"basic": {"requests": requests, "windowSeconds": 60, "burst": burst}}})
}

fn compile(limits: &[Value]) -> LimitSet {
    let policy = json!({"policy": "p", "tiers": {"default": "basic"}, "limits": limits});
    let policy: RateLimitConfig = serde_json::from_value(policy).unwrap();
    LimitSet::compile(&[policy]).unwrap()
}

fn charges<'a>(set: &'a LimitSet, address: &str) -> Vec<Charge<'a>> {
    let operation = Operation { method: Method::ToolsCall, target: Target::Tool("get".into()) };
    let principal = &Principal::Anonymous;
    set.charges(&Counted { principal, operation: &operation, target_known: true, server: "s", address })
}

struct Bench {
    clock: FakeRelativeClock,
    limiter: Limiter<FakeRelativeClock>,
    set: LimitSet,
    route: RouteLimiter<FakeRelativeClock>,
}

impl Bench {
    fn new(limits: &[Value]) -> Self {
        let clock = FakeRelativeClock::default();
        let (limiter, set) = (Limiter::new(clock.clone()), compile(limits));
        let route = limiter.route("route", &set);
        Self { clock, limiter, set, route }
    }

    fn call(&self, address: &str) -> Charged {
        now(self.route.charge(&charges(&self.set, address)))
    }

    fn change(&mut self, limits: &[Value]) {
        self.set = compile(limits);
        self.route = self.limiter.route("route", &self.set);
        self.limiter.sweep();
    }
}

/// What a store in this process answers at once.
fn now(charging: Charging<'_>) -> Charged {
    use futures_util::FutureExt as _;
    charging.now_or_never().expect("a local store waits for nothing")
}

#[test]
fn the_burst_passes_then_the_wait_is_told_exactly() {
    let bench = Bench::new(&[limit("calls", 6, 3, &["Address"])]);
    for expected in [2, 1, 0] {
        assert_eq!(bench.call("a").unwrap()[0].remaining, expected);
    }
    let refused = bench.call("a").unwrap_err();
    assert_eq!((refused.cause, refused.standings[0].retry_after), (Cause::Exceeded, Some(Duration::from_secs(20))));
    bench.clock.advance(Duration::from_secs(20));
    assert!(bench.call("a").is_ok());
    assert!(bench.call("a").is_err());
    assert!(bench.call("b").is_ok(), "keys do not disturb each other");
}

#[test]
fn a_refusal_gives_back_what_the_call_was_charged_before() {
    let bench = Bench::new(&[limit("narrow", 10, 5, &["Address"]), limit("wide", 2, 1, &[])]);
    assert!(bench.call("a").is_ok());
    for _ in 0..20 {
        let refused = bench.call("b").unwrap_err();
        let told: Vec<_> =
            refused.standings.iter().map(|standing| (standing.limit.as_str(), standing.remaining)).collect();
        assert_eq!(told, [("p/narrow", 4), ("p/wide", 0)], "twenty refused calls of b cost it nothing");
    }
}

#[test]
fn what_a_store_gives_back_for_somebody_else_is_as_if_it_had_not_been_taken() {
    let bench = Bench::new(&[limit("calls", 10, 2, &["Address"])]);
    let charges = charges(&bench.set, "a");
    for _ in 0..20 {
        let standings = now(bench.route.charge(&charges)).unwrap();
        bench.route.refund(&charges, &standings, Duration::ZERO);
    }
    assert_eq!(bench.call("a").unwrap()[0].remaining, 1);
}

#[test]
fn what_is_given_back_late_is_not_taken_from_what_others_owe_by_then() {
    let bench = Bench::new(&[limit("calls", 12, 2, &["Address"])]);
    let charges = charges(&bench.set, "a");
    let standings = now(bench.route.charge(&charges)).unwrap();
    // What the call took is refilled after six seconds, while a store thinks about another of its limits.
    let ago = Duration::from_secs(20);
    bench.clock.advance(ago);
    assert!(bench.call("a").is_ok() && bench.call("a").is_ok() && bench.call("a").is_err());
    bench.route.refund(&charges, &standings, ago);
    assert!(bench.call("a").is_err(), "a burst is all that may come at once");
    bench.clock.advance(Duration::from_secs(12));
    let standings = now(bench.route.charge(&charges)).unwrap();
    bench.clock.advance(Duration::from_secs(2));
    bench.route.refund(&charges, &standings, Duration::from_secs(2));
    assert_eq!(bench.call("a").unwrap()[0].reset, Duration::from_secs(6), "what is still owed is given back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_tasks_get_exactly_the_burst_of_every_limit() {
    let bench = Arc::new(Bench::new(&[limit("narrow", 300, 100, &["Address"]), limit("wide", 500, 250, &[])]));
    let tasks = (0..1000).map(|number| {
        let bench = bench.clone();
        tokio::spawn(async move { (number % 4, bench.call(["a", "b", "c", "d"][number % 4]).is_ok()) })
    });
    let mut passed = [0; 4];
    for task in tasks.collect::<Vec<_>>() {
        let (who, admitted) = task.await.unwrap();
        passed[who] += usize::from(admitted);
    }
    let total: usize = passed.iter().sum();
    assert!(passed.iter().all(|of_one| *of_one <= 100), "{passed:?}");
    // A charge that is about to be given back may refuse another for a moment, but never admits one too many.
    assert!(total <= 250, "{passed:?}");
    let rest = (0..1000).filter(|number| bench.call(["a", "b", "c", "d"][number % 4]).is_ok()).count();
    assert_eq!(total + rest, 250, "and what was given back is there");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_tasks_of_one_caller_get_exactly_the_burst() {
    let bench = Arc::new(Bench::new(&[limit("calls", 200, 100, &["Address"])]));
    let tasks: Vec<_> = (0..1000)
        .map(|_| {
            let bench = bench.clone();
            tokio::spawn(async move { bench.call("a").is_ok() })
        })
        .collect();
    let mut passed = 0;
    for task in tasks {
        passed += usize::from(task.await.unwrap());
    }
    assert_eq!(passed, 100);
}

#[test]
fn a_limit_keeps_its_state_over_every_change_of_the_configuration() {
    let mut bench = Bench::new(&[limit("a", 10, 4, &["Address"]), limit("b", 10, 4, &["Address"])]);
    for _ in 0..4 {
        assert!(bench.call("k").is_ok());
    }
    bench.change(&[limit("a", 10, 4, &["Address"]), limit("new", 9, 3, &["Address"])]);
    assert_eq!(bench.call("k").unwrap_err().standings[0].limit, "p/a", "another limit of the policy changed");
    // What is owed is kept in time: the whole old burst is the whole new one.
    bench.change(&[limit("a", 1000, 400, &["Address"])]);
    let wait = bench.call("k").unwrap_err().standings[0].retry_after.unwrap();
    assert!(wait <= Duration::from_millis(101), "{wait:?}");
    bench.change(&[limit("new", 9, 3, &["Address"])]);
    assert!(bench.call("k").is_ok());
    bench.change(&[limit("a", 10, 4, &["Address"])]);
    assert_eq!(bench.call("k").unwrap()[0].remaining, 3, "a limit that was gone for a configuration starts anew");
}

#[test]
fn a_limit_that_has_no_state_refuses() {
    let bench = Bench::new(&[limit("calls", 9, 5, &[])]);
    let other = compile(&[limit("calls", 9, 5, &[]), limit("ghost", 9, 5, &[])]);
    assert!(now(bench.route.charge(&charges(&other, "k"))).is_err());
}

#[test]
fn routes_and_limits_of_one_name_are_counted_apart() {
    let bench = Bench::new(&[limit("calls", 10, 1, &[])]);
    let neighbour = bench.limiter.route("neighbour", &bench.set);
    assert!(bench.call("a").is_ok());
    assert!(bench.call("a").is_err());
    assert!(now(neighbour.charge(&charges(&bench.set, "a"))).is_ok());
    assert_eq!(bench.limiter.keys(), [("p/calls".to_owned(), 2)]);
}

#[test]
fn addresses_that_nobody_knows_use_up_no_room_of_callers() {
    let limit = limit("calls", 10, 1, &["Address"]);
    let policy = json!({
        "policy": "p", "tiers": {"default": "basic"}, "limits": [limit],
        "beforeAuthentication": {"requests": {"requests": 9, "windowSeconds": 60}, "failures": {"requests": 9, "windowSeconds": 60}},
    });
    let set = LimitSet::compile(&[serde_json::from_value(policy).unwrap()]).unwrap();
    let limiter = Limiter::new(FakeRelativeClock::default());
    let route = limiter.route("route", &set);
    let before = set.before().next().unwrap();
    for slot in [before.requests, before.failures] {
        let bucket = route.bucket(slot.unwrap()).unwrap();
        let full = (0..KEYS).position(|number| bucket.charge(&number.to_string(), 1).is_err());
        assert!(full.is_some_and(|full| full <= ADDRESSES), "{full:?}");
    }
    assert!(now(route.charge(&charges(&set, "a"))).is_ok());
}

#[test]
fn places_come_back_when_their_permits_are_dropped_and_leave_nothing_behind() {
    let open = Arc::new(Open::new());
    let (first, left) = open.enter("a", 2).unwrap();
    assert_eq!(left, 1);
    let (second, left) = open.enter("a", 2).unwrap();
    assert_eq!(left, 0);
    assert!(open.enter("a", 2).is_none());
    assert!(open.enter("b", 2).is_some());
    assert!(open.enter("a", 3).is_some(), "a raised limit holds at once");
    drop(first);
    assert!(open.enter("a", 2).is_some());
    drop(second);
    assert_eq!(open.keys(), 0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for number in 0..12_500 {
                    drop(open.enter(&format!("{}", number % 100), 3));
                }
            });
        }
    });
    assert_eq!(open.keys(), 0, "a hundred thousand calls later");
}

#[test]
fn a_call_that_one_limit_has_no_place_for_has_a_place_in_none() {
    let hold = |name: &str, per: &[&str], most: u32| json!({"name": name, "counts": "Calls", "match": {}, "per": per, "tiers": {"basic": most}});
    let policy = json!({
        "policy": "p", "tiers": {"default": "basic"},
        "concurrency": [hold("narrow", &["Address"], 2), hold("wide", &[], 3)],
    });
    let set = LimitSet::compile(&[serde_json::from_value(policy).unwrap()]).unwrap();
    let limiter = Limiter::new(FakeRelativeClock::default());
    let route = limiter.route("route", &set);
    let operation = Operation { method: Method::Ping, target: Target::None };
    let enter = |address| {
        let principal = &Principal::Anonymous;
        route.hold(&set.holds(&Counted { principal, operation: &operation, target_known: true, server: "s", address }))
    };
    let (one, other) = (enter("a").unwrap(), enter("a").unwrap());
    assert_eq!(enter("a").unwrap_err().last().unwrap().limit, "p/narrow");
    let third = enter("b").unwrap();
    assert_eq!(enter("b").unwrap_err().last().unwrap().limit, "p/wide");
    drop(other);
    assert!(enter("b").is_ok(), "the refused call left nothing in the narrow limit");
    let changed = limiter.route("route", &set);
    limiter.sweep();
    drop((route, one, third));
    assert_eq!(changed.hold(&[]).unwrap().permits.len(), 0);
}
