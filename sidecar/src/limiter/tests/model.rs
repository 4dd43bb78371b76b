//! The limiter against an exact reference: token buckets that are looked at all together before any is touched.

use super::{Bench, limit, now};
use crate::limiter::tests::charges;
use proptest::prelude::*;
use std::collections::HashMap;
use std::time::Duration;

/// A bucket of tokens, in nanoseconds of refill: exact, since nothing is divided.
#[derive(Debug, Clone, Copy)]
struct Tokens {
    missing: u128,
    at: u128,
}

/// What a limit of the reference knows: its size, and a bucket for each key.
#[derive(Debug)]
struct Reference {
    emission: u128,
    burst: u128,
    by_address: bool,
    buckets: HashMap<String, Tokens>,
}

impl Reference {
    fn new(requests: u32, burst: u32, by_address: bool) -> Self {
        let emission = 60_000_000_000u128.div_ceil(u128::from((requests - burst).max(1)));
        Self { emission, burst: u128::from(burst), by_address, buckets: HashMap::new() }
    }

    fn bucket(&mut self, address: &str, now: u128) -> &mut Tokens {
        let key = if self.by_address { address } else { "" };
        let bucket = self.buckets.entry(key.to_owned()).or_insert(Tokens { missing: 0, at: now });
        bucket.missing = bucket.missing.saturating_sub(now - bucket.at);
        bucket.at = now;
        bucket
    }

    /// Tokens that are missing for one more request: none if it would pass.
    fn lacks(&mut self, address: &str, now: u128) -> u128 {
        let (emission, burst) = (self.emission, self.burst);
        (self.bucket(address, now).missing + emission).saturating_sub(burst * emission)
    }
}

#[derive(Debug, Clone)]
enum Step {
    Call(u8),
    /// A call that passed is refused by somebody else.
    CallBack(u8),
    Wait(u64),
    Tidy(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0u8..4).prop_map(Step::Call),
        1 => (0u8..4).prop_map(Step::CallBack),
        3 => prop_oneof![0u64..2_000_000_000, 0u64..40_000_000_000].prop_map(Step::Wait),
        1 => (0usize..64).prop_map(Step::Tidy),
    ]
}

fn size() -> impl Strategy<Value = (u32, u32)> {
    (1u32..12).prop_flat_map(|burst| (burst + 1..40, Just(burst)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// One call after another, whatever happens in between, is answered as the reference answers: the same limit refuses,
    /// the same time is told, and a refused call leaves no trace in any limit.
    #[test]
    fn every_answer_is_that_of_the_reference(
        narrow in size(), wide in size(), steps in prop::collection::vec(step(), 1..200),
    ) {
        let bench = Bench::new(&[limit("narrow", narrow.0, narrow.1, &["Address"]), limit("wide", wide.0, wide.1, &[])]);
        let mut reference = [Reference::new(narrow.0, narrow.1, true), Reference::new(wide.0, wide.1, false)];
        let mut time = 0u128;
        for step in steps {
            let (who, back) = match step {
                Step::Wait(nanos) => {
                    bench.clock.advance(Duration::from_nanos(nanos));
                    time += u128::from(nanos);
                    continue;
                }
                Step::Tidy(turn) => {
                    bench.limiter.tidy(turn);
                    continue;
                }
                Step::Call(who) => (who, false),
                Step::CallBack(who) => (who, true),
            };
            let address = format!("192.0.2.{who}");
            let asked = charges(&bench.set, &address);
            let answer = now(bench.route.charge(&asked));
            let lacks: Vec<_> = reference.iter_mut().map(|limit| limit.lacks(&address, time)).collect();
            match lacks.iter().position(|lack| *lack > 0) {
                None => {
                    let standings = answer.expect("the reference lets it pass");
                    for (limit, standing) in reference.iter_mut().zip(&standings) {
                        let (emission, burst) = (limit.emission, limit.burst);
                        let bucket = limit.bucket(&address, time);
                        if !back {
                            bucket.missing += emission;
                        }
                        let missing = if back { bucket.missing + emission } else { bucket.missing };
                        prop_assert_eq!(u128::from(standing.remaining), (burst * emission - missing) / emission);
                        prop_assert_eq!(standing.reset.as_nanos(), missing);
                    }
                    if back {
                        bench.route.refund(&asked);
                    }
                }
                Some(first) => {
                    let refusal = answer.expect_err("the reference refuses it");
                    prop_assert_eq!(refusal.standings.len(), first + 1);
                    prop_assert_eq!(refusal.standings[first].retry_after.unwrap().as_nanos(), lacks[first]);
                }
            }
        }
    }
}
