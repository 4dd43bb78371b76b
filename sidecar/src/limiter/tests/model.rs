//! The limiter against exact references, over random histories: token buckets that are looked at all together before any is
//! touched, and a log of everything that passed.

use super::{Bench, Limiter, compile, now};
use governor::clock::FakeRelativeClock;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::{HashMap, VecDeque};
use std::num::NonZeroU32;
use std::time::Duration;
use tollward_policy::limits::{Charge, Counted, LimitSet};
use tollward_policy::operation::{Method, Operation, Target};
use tollward_policy::principal::Principal;

/// Of every limit here, in nanoseconds.
const WINDOW: u128 = 60_000_000_000;

/// A bucket of tokens, in nanoseconds of refill: exact, since nothing is divided.
#[derive(Debug, Clone, Copy)]
struct Tokens {
    missing: u128,
    at: u128,
}

/// What a limit of the reference knows: its size, a bucket for each key, and what passed.
#[derive(Debug)]
struct Reference {
    size: Size,
    by_address: bool,
    buckets: HashMap<String, Tokens>,
    passed: HashMap<String, VecDeque<(u128, u128)>>,
    /// Since when a call may be the most of which size.
    sizes: Vec<(u128, u128)>,
}

/// Requests and burst.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Size {
    requests: u32,
    burst: u32,
}

impl Size {
    fn emission(self) -> u128 {
        WINDOW.div_ceil(u128::from((self.requests - self.burst).max(1)))
    }

    fn tolerance(self) -> u128 {
        self.emission() * u128::from(self.burst)
    }
}

impl Reference {
    fn new(size: Size, by_address: bool) -> Self {
        let sizes = vec![(0, u128::from(size.requests))];
        Self { size, by_address, buckets: HashMap::new(), passed: HashMap::new(), sizes }
    }

    fn key(&self, address: &str) -> String {
        if self.by_address { address.to_owned() } else { String::new() }
    }

    fn resize(&mut self, size: Size, now: u128) {
        self.size = size;
        self.sizes.push((now, u128::from(size.requests)));
    }

    /// A debt under a former size is no more than the whole burst of this one.
    fn bucket(&mut self, address: &str, now: u128) -> &mut Tokens {
        let (key, tolerance) = (self.key(address), self.size.tolerance());
        let bucket = self.buckets.entry(key).or_insert(Tokens { missing: 0, at: now });
        bucket.missing = bucket.missing.saturating_sub(now - bucket.at).min(tolerance);
        bucket.at = now;
        bucket
    }

    /// Nanoseconds that are missing for a call of this cost: none if it would pass.
    fn lacks(&mut self, address: &str, now: u128, cost: u128) -> u128 {
        let (emission, tolerance) = (self.size.emission(), self.size.tolerance());
        (self.bucket(address, now).missing + cost * emission).saturating_sub(tolerance)
    }

    /// Notes a call that passed, and says how many did in the window that ends now, and how many may.
    fn note(&mut self, address: &str, now: u128, cost: u128) -> (u128, u128) {
        let log = self.passed.entry(self.key(address)).or_default();
        log.push_back((now, cost));
        while log.front().is_some_and(|(then, _)| now - then >= WINDOW) {
            log.pop_front();
        }
        // Sizes that were in force in the window: each of them for a part of it.
        let last = self.sizes.iter().rposition(|(since, _)| *since + WINDOW <= now).unwrap_or(0);
        (log.iter().map(|(_, cost)| cost).sum(), self.sizes[last..].iter().map(|(_, requests)| requests).sum())
    }
}

#[derive(Debug, Clone)]
enum Step {
    Call {
        who: u8,
        cost: u8,
    },
    /// A call that passed is refused by somebody else.
    CallBack {
        who: u8,
        cost: u8,
    },
    Wait(u64),
    Tidy(usize),
    /// One limit gets another size: the policy was edited.
    Edit(usize, Size),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (0u8..4, 1u8..4).prop_map(|(who, cost)| Step::Call { who, cost }),
        2 => (0u8..4, 1u8..4).prop_map(|(who, cost)| Step::CallBack { who, cost }),
        6 => prop_oneof![0u64..2_000_000_000, 0u64..40_000_000_000].prop_map(Step::Wait),
        2 => (0usize..64).prop_map(Step::Tidy),
        1 => (0usize..3, size()).prop_map(|(limit, size)| Step::Edit(limit, size)),
    ]
}

/// The dearest call, of three, fits into every burst.
fn size() -> impl Strategy<Value = Size> {
    (3u32..12)
        .prop_flat_map(|burst| (burst + 1..40, Just(burst)))
        .prop_map(|(requests, burst)| Size { requests, burst })
}

/// Three limits: two by address, one for all. Tool `t2` counts for two and so on, everywhere.
fn limits(sizes: [Size; 3]) -> Vec<Value> {
    let per: [&[&str]; 3] = [&["Address", "Server"], &["Address"], &[]];
    let costs: Vec<_> = (1..4).map(|cost| json!({"tools": [format!("t{cost}")], "cost": cost})).collect();
    let limit = |(at, size): (usize, Size)| {
        let rate = json!({"requests": size.requests, "windowSeconds": 60, "burst": size.burst});
        json!({"name": format!("limit-{at}"), "match": {}, "per": per[at], "costs": costs, "tiers": {"basic": rate}})
    };
    sizes.into_iter().enumerate().map(limit).collect()
}

fn charges<'a>(set: &'a LimitSet, address: &str, cost: u8) -> Vec<Charge<'a>> {
    let operation = Operation { method: Method::ToolsCall, target: Target::Tool(format!("t{cost}")) };
    let principal = &Principal::Anonymous;
    set.charges(&Counted { principal, operation: &operation, target_known: true, server: "s", address })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// One call after another, whatever happens in between, is answered as the reference answers: the same limit refuses,
    /// the same time is told, and a refused call leaves no trace in any limit. And no window has more than its requests.
    #[test]
    fn every_answer_is_that_of_the_reference(
        sizes in [size(), size(), size()], steps in prop::collection::vec(step(), 1..200),
    ) {
        let (mut sizes, mut bench) = (sizes, Bench::new(&limits(sizes)));
        let mut reference = [(sizes[0], true), (sizes[1], true), (sizes[2], false)].map(|(size, by)| Reference::new(size, by));
        let mut time = 0u128;
        for step in steps {
            let (who, cost, back) = match step {
                Step::Wait(nanos) => {
                    bench.clock.advance(Duration::from_nanos(nanos));
                    time += u128::from(nanos);
                    continue;
                }
                Step::Tidy(turn) => {
                    bench.limiter.tidy(turn);
                    continue;
                }
                Step::Edit(limit, size) => {
                    sizes[limit] = size;
                    bench.change(&limits(sizes));
                    reference[limit].resize(size, time);
                    continue;
                }
                Step::Call { who, cost } => (who, cost, false),
                Step::CallBack { who, cost } => (who, cost, true),
            };
            let (address, tokens) = (format!("192.0.2.{who}"), u128::from(cost));
            let asked = charges(&bench.set, &address, cost);
            let answer = now(bench.route.charge(&asked));
            let lacking = |limit: &mut Reference| Some(limit.lacks(&address, time, tokens)).filter(|lack| *lack > 0);
            match reference.iter_mut().enumerate().find_map(|(at, limit)| Some((at, lacking(limit)?))) {
                None => {
                    let standings = answer.expect("the reference lets it pass");
                    for (limit, standing) in reference.iter_mut().zip(&standings) {
                        let size = limit.size;
                        let bucket = limit.bucket(&address, time);
                        let missing = bucket.missing + tokens * size.emission();
                        prop_assert_eq!(u128::from(standing.remaining), (size.tolerance() - missing) / size.emission());
                        prop_assert_eq!(standing.reset.as_nanos(), missing);
                        if !back {
                            bucket.missing = missing;
                            let (passed, most) = limit.note(&address, time, tokens);
                            prop_assert!(passed <= most, "{} of {}", passed, most);
                        }
                    }
                    if back {
                        bench.route.refund(&asked, &standings, Duration::ZERO);
                    }
                }
                Some((first, lack)) => {
                    let refusal = answer.expect_err("the reference refuses it");
                    prop_assert_eq!(refusal.standings.len(), first + 1);
                    prop_assert_eq!(refusal.standings[first].retry_after.unwrap().as_nanos(), lack);
                }
            }
        }
    }

    /// A limit that is edited in proportion, its burst a tenth as it is by default, never lets more through in a window than
    /// the largest of its sizes in that window.
    #[test]
    fn an_edit_in_proportion_gives_nobody_a_second_budget(
        steps in prop::collection::vec((prop_oneof![0u64..1_000_000_000, 0u64..30_000_000_000], 0u32..80), 1..300),
    ) {
        let of = |tens: u32| {
            let size = Size { requests: tens * 10, burst: tens };
            (size, vec![super::limit("calls", size.requests, size.burst, &["Address"])])
        };
        let (size, limits) = of(3);
        let (mut bench, mut reference, mut time) = (Bench::new(&limits), Reference::new(size, true), 0u128);
        for (wait, tens) in steps {
            bench.clock.advance(Duration::from_nanos(wait));
            time += u128::from(wait);
            // One step in eight is an edit, the others are calls.
            if (1..=10).contains(&tens) {
                let (size, limits) = of(tens);
                bench.change(&limits);
                reference.resize(size, time);
            } else if bench.call("a").is_ok() {
                let (passed, _) = reference.note("a", time, 1);
                let last = reference.sizes.iter().rposition(|(since, _)| *since + WINDOW <= time).unwrap_or(0);
                let most = reference.sizes[last..].iter().map(|(_, requests)| *requests).max().unwrap();
                prop_assert!(passed <= most, "{} of {}", passed, most);
            }
        }
    }

    /// Replicas that each enforce their part let no more through together than the limit says, whichever a call reaches.
    #[test]
    fn parts_together_are_no_more_than_the_whole(
        replicas in 1u32..12, requests in 40u32..400,
        calls in prop::collection::vec((0u64..3_000_000_000, 0usize..12), 1..400),
    ) {
        let size = Size { requests, burst: (requests / 10).max(3) };
        let clock = FakeRelativeClock::default();
        let set = compile(&[super::limit("calls", requests, size.burst, &["Address"])]);
        let set = set.shared_by(NonZeroU32::new(replicas).unwrap());
        let limiters: Vec<_> = (0..replicas).map(|_| Limiter::new(clock.clone())).collect();
        let routes: Vec<_> = limiters.iter().map(|limiter| limiter.route("route", &set)).collect();
        let (mut reference, mut time) = (Reference::new(size, true), 0u128);
        for (wait, replica) in calls {
            clock.advance(Duration::from_nanos(wait));
            time += u128::from(wait);
            if now(routes[replica % routes.len()].charge(&charges(&set, "a", 1))).is_ok() {
                let (passed, most) = reference.note("a", time, 1);
                prop_assert!(passed <= most, "{} of {}", passed, most);
            }
        }
    }
}
