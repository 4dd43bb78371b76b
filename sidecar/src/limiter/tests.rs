//! Exactness, refunds and what survives a reload, on a clock that only the test moves.

use super::*;
use governor::clock::FakeRelativeClock;
use proptest::prelude::*;
use std::collections::VecDeque;
use std::num::NonZeroU32;

fn rate(requests: u32, window: u64, burst: u32) -> Rate {
    let window = Duration::from_secs(window);
    let refilled = (requests - burst).max(1);
    Rate { requests, window, burst: NonZeroU32::new(burst).unwrap(), emission: window.div_f64(f64::from(refilled)) }
}

fn charge<'a>(id: &'a str, rate: Rate, key: &str) -> Charge<'a> {
    Charge { id, tier: "basic", rate, key: key.into() }
}

fn limiter(rates: &[(&'static str, Rate)]) -> (FakeRelativeClock, RouteLimiter<FakeRelativeClock>) {
    let clock = FakeRelativeClock::default();
    let limiter = Limiter::new(clock.clone());
    let route = limiter.route("route", rates.iter().map(|(id, rate)| (*id, "basic", *rate)));
    (clock, route)
}

#[test]
fn the_burst_passes_then_the_wait_is_told_exactly() {
    let per_tool = rate(6, 60, 3);
    let (clock, limiter) = limiter(&[("tool", per_tool)]);
    for expected in [2, 1, 0] {
        assert_eq!(limiter.charge(&[charge("tool", per_tool, "a")]).unwrap()[0].remaining, expected);
    }
    let refused = limiter.charge(&[charge("tool", per_tool, "a")]).unwrap_err();
    assert_eq!(refused[0].retry_after, Some(Duration::from_secs(20)));
    clock.advance(Duration::from_secs(20));
    assert!(limiter.charge(&[charge("tool", per_tool, "a")]).is_ok());
}

#[test]
fn keys_do_not_disturb_each_other() {
    let one = rate(1, 60, 1);
    let (_, limiter) = limiter(&[("client", one)]);
    assert!(limiter.charge(&[charge("client", one, "a")]).is_ok());
    assert!(limiter.charge(&[charge("client", one, "a")]).is_err());
    assert!(limiter.charge(&[charge("client", one, "b")]).is_ok());
}

#[test]
fn a_refusal_gives_back_what_the_call_was_charged_before() {
    let (narrow, wide) = (rate(10, 60, 5), rate(1, 60, 1));
    let (_, limiter) = limiter(&[("narrow", narrow), ("wide", wide)]);
    let both = |key: &str| [charge("narrow", narrow, key), charge("wide", wide, "")];
    assert!(limiter.charge(&both("a")).is_ok());
    for _ in 0..20 {
        assert_eq!(limiter.charge(&both("b")).unwrap_err().last().unwrap().limit, "wide");
    }
    let only_narrow = limiter.charge(&[charge("narrow", narrow, "b")]).unwrap();
    assert_eq!(only_narrow[0].remaining, 4, "twenty refused calls of b cost it nothing");
}

#[test]
fn a_thousand_tasks_get_exactly_the_burst() {
    let hundred = rate(200, 3600, 100);
    let (_, limiter) = limiter(&[("client", hundred)]);
    let passed: usize = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| (0..125).filter(|_| limiter.charge(&[charge("client", hundred, "a")]).is_ok()).count())
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).sum()
    });
    assert_eq!(passed, 100);
}

#[test]
fn an_unchanged_limit_keeps_its_state_and_a_changed_one_starts_anew() {
    let clock = FakeRelativeClock::default();
    let limiter = Limiter::new(clock);
    let (old, new) = (rate(1, 60, 1), rate(3, 60, 2));
    let before = limiter.route("route", [("a", "basic", old), ("b", "basic", old)]);
    assert!(before.charge(&[charge("a", old, "k"), charge("b", old, "k")]).is_ok());
    let after = limiter.route("route", [("a", "basic", old), ("b", "basic", new)]);
    drop(before);
    limiter.sweep();
    assert!(after.charge(&[charge("a", old, "k")]).is_err());
    assert!(after.charge(&[charge("b", new, "k")]).is_ok());
}

#[test]
fn a_limit_that_has_no_state_refuses() {
    let (_, limiter) = limiter(&[]);
    assert!(limiter.charge(&[charge("ghost", rate(9, 60, 5), "k")]).is_err());
}

proptest! {
    /// Whatever the arrivals, no window of any position holds more admitted calls than the limit says.
    #[test]
    fn no_window_of_any_position_exceeds_the_limit(
        requests in 2u32..40,
        burst in 1u32..40,
        gaps in prop::collection::vec(0u64..4_000, 1..300),
    ) {
        prop_assume!(burst < requests);
        let limit = rate(requests, 60, burst);
        let (clock, limiter) = limiter(&[("client", limit)]);
        let mut now = Duration::ZERO;
        let mut admitted: VecDeque<Duration> = VecDeque::new();
        for gap in gaps {
            clock.advance(Duration::from_millis(gap));
            now += Duration::from_millis(gap);
            if limiter.charge(&[charge("client", limit, "k")]).is_ok() {
                admitted.push_back(now);
            }
            while admitted.front().is_some_and(|first| now.saturating_sub(*first) >= limit.window) {
                admitted.pop_front();
            }
            prop_assert!(admitted.len() <= requests as usize);
        }
    }
}
