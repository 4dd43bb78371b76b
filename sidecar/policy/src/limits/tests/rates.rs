//! The arithmetic: no window of any position exceeds its requests, whatever the arrivals, costs and parts.

use super::*;
use std::time::Duration;

const SECOND: u64 = 1_000_000_000;

fn compiled(requests: u32, window: u32, burst: Option<u32>) -> Rate {
    Rate::compile(&rate(requests, window, burst)).unwrap()
}

#[test]
fn the_burst_is_a_tenth_and_at_least_one() {
    assert_eq!(compiled(1000, 3600, None).burst.get(), 100);
    assert_eq!(compiled(10_000, 3600, None).burst.get(), 1000);
    assert_eq!(compiled(9, 60, None).burst.get(), 1);
    assert_eq!(compiled(1000, 3600, None).emission, Duration::from_secs(4));
}

#[test]
fn a_debt_is_kept_in_time_when_the_rate_changes_and_never_exceeds_the_new_burst() {
    let (old, new) = (compiled(1000, 3600, None), compiled(100, 3600, None));
    let owed = old.admit(0, 0, 50).unwrap();
    assert_eq!((owed.remaining, owed.reset), (50, Duration::from_secs(200)));
    assert_eq!(new.remaining(owed.arrival, 0), 5, "half of the old burst is half of the new one");
    let tight = compiled(60, 60, None);
    assert_eq!(tight.remaining(owed.arrival, 0), 0);
    let wait = tight.admit(owed.arrival, 0, 1).unwrap_err();
    assert_eq!(wait, tight.emission, "what was owed under the old rate locks nobody out for longer than the new one");
    assert_eq!(tight.settle(owed.arrival, 300 * SECOND), 300 * SECOND);
}

#[test]
fn what_is_given_back_is_as_if_it_had_not_been_taken() {
    let rate = compiled(100, 60, Some(10));
    let before = rate.admit(0, 7 * SECOND, 3).unwrap();
    let after = rate.admit(before.arrival, 7 * SECOND, 4).unwrap();
    assert_eq!(rate.give_back(after.arrival, 4, after.reset), before.arrival);
    assert_eq!(rate.give_back(5, 1, Duration::MAX), 0, "never before the beginning of time");
}

#[test]
fn a_part_is_rounded_down_but_never_to_nothing() {
    let parts = |requests, burst, parts, least| {
        let part =
            compiled(requests, 60, burst).share(NonZeroU32::new(parts).unwrap(), NonZeroU32::new(least).unwrap());
        (part.requests, part.burst.get())
    };
    assert_eq!(parts(1000, None, 1, 1), (1000, 100));
    assert_eq!(parts(1000, None, 3, 1), (333, 33));
    assert_eq!(parts(11, Some(10), 2, 1), (5, 4));
    assert_eq!(parts(5, None, 50, 1), (1, 1));
    assert_eq!(parts(100, Some(20), 4, 20), (25, 20), "a call that costs the whole burst passes on every replica");
    assert_eq!(parts(100, Some(90), 4, 90), (91, 90));
}

proptest! {
    /// An exact reference: the admitted requests themselves, counted in every window that ends now.
    #[test]
    fn no_window_exceeds_the_requests(
        requests in 1u32..60,
        window in 1u32..100,
        burst in proptest::option::of(1u32..60),
        parts in 1u32..5,
        calls in prop::collection::vec((0u64..40 * SECOND, 1u32..4), 1..200),
    ) {
        prop_assume!(burst.is_none_or(|burst| burst < requests));
        let rate = Rate::compile(&rate(requests, window, burst)).unwrap();
        let rate = rate.share(NonZeroU32::new(parts).unwrap(), NonZeroU32::MIN);
        let (mut now, mut arrival, mut admitted) = (0, 0, std::collections::VecDeque::new());
        for (gap, cost) in calls {
            now += gap;
            if let Ok(next) = rate.admit(arrival, now, cost) {
                arrival = next.arrival;
                admitted.push_back((now, cost));
            }
            let window = u64::from(window) * SECOND;
            while admitted.front().is_some_and(|(then, _)| now - then >= window) {
                admitted.pop_front();
            }
            let total: u32 = admitted.iter().map(|(_, cost)| cost).sum();
            prop_assert!(total <= rate.requests, "{total} of {rate:?}");
        }
    }

    /// The wait that a refusal tells is exact: a moment earlier it is refused still.
    #[test]
    fn a_refused_request_passes_after_its_wait_and_not_before(
        requests in 2u32..100, window in 1u32..1000, cost in 1u32..4, spent in 1usize..30,
    ) {
        let burst = (requests / 2).max(1);
        prop_assume!(cost <= burst);
        let rate = compiled(requests, window, Some(burst));
        let mut arrival = 0;
        for _ in 0..spent {
            if let Ok(next) = rate.admit(arrival, SECOND, 1) {
                arrival = next.arrival;
            }
        }
        if let Err(wait) = rate.admit(arrival, SECOND, cost) {
            let then = SECOND + u64::try_from(wait.as_nanos()).unwrap();
            prop_assert!(rate.admit(arrival, then, cost).is_ok());
            prop_assert!(rate.admit(arrival, then - 1, cost).is_err());
        }
    }

    /// Times and rates of any size come to an answer, and to no more than the burst.
    #[test]
    fn no_time_and_no_rate_overflows(
        arrival: u64, now: u64, cost in 1u32.., requests in 1u32.., window in 1u32.., burst in proptest::option::of(1u32..),
    ) {
        let config = rate(requests, window, burst);
        let Ok(rate) = Rate::compile(&config) else { return Ok(()) };
        if let Ok(admitted) = rate.admit(arrival, now, cost) {
            prop_assert!(admitted.remaining < rate.burst.get());
            prop_assert!(rate.give_back(admitted.arrival, cost, admitted.reset) <= admitted.arrival);
        }
    }

    /// governor decides what this arithmetic says, to the nanosecond. Whoever counts elsewhere (a script in a store) can do
    /// these four lines and no governor, and must come to the same.
    #[test]
    fn the_decision_is_that_of_the_arithmetic_that_a_store_can_do(
        arrival in 0u64..2_000 * SECOND, now in 0u64..1_000 * SECOND, cost in 1u32..20,
        requests in 1u32..2_000, window in 1u32..5_000, burst in proptest::option::of(1u32..40), parts in 1u32..60,
    ) {
        let Ok(rate) = Rate::compile(&rate(requests, window, burst)) else { return Ok(()) };
        let rate = rate.share(NonZeroU32::new(parts).unwrap(), NonZeroU32::MIN);
        let emission = u64::try_from(rate.emission.as_nanos()).unwrap();
        let tolerance = emission * u64::from(rate.burst.get());
        let due = arrival.clamp(now, now + tolerance) - now;
        let owed = due + emission * u64::from(cost);
        let expected = if owed > tolerance { Err(Duration::from_nanos(owed - tolerance)) } else { Ok(now + owed) };
        prop_assert_eq!(rate.admit(arrival, now, cost).map(|admitted| admitted.arrival), expected);
    }

    /// A part that is raised to the cost of its dearest call may take longer to refill than 64 bits hold: it is bounded, and
    /// never admits more than its burst.
    #[test]
    fn a_part_of_any_size_does_not_overflow(
        arrival: u64, now: u64, cost in 1u32.., requests in 1u32.., window in 1u32.., burst in proptest::option::of(1u32..),
        parts in 1u32.., least in 1u32..,
    ) {
        let Ok(rate) = Rate::compile(&rate(requests, window, burst)) else { return Ok(()) };
        let rate = rate.share(NonZeroU32::new(parts).unwrap(), NonZeroU32::new(least).unwrap());
        if let Ok(admitted) = rate.admit(arrival, now, cost) {
            prop_assert!(cost <= rate.burst.get() && admitted.remaining <= rate.burst.get() - cost);
        }
    }

    /// All parts together are no more than the whole, unless a part is a single request.
    #[test]
    fn parts_are_no_more_than_the_whole(requests in 2u32.., parts in 1u32..1000) {
        let whole = compiled(requests, 3600, None);
        let part = whole.share(NonZeroU32::new(parts).unwrap(), NonZeroU32::MIN);
        prop_assert!(part.requests == 1 || u64::from(part.requests) * u64::from(parts) <= u64::from(requests));
        prop_assert!(part.burst.get() == 1 || part.burst.get() < part.requests);
    }
}
