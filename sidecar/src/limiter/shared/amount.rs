//! A rate in the store's numbers. Pure.
//!
//! Numbers of the store's scripts are doubles, exact below 2^53, and its clock has microseconds: since 1970 about 2^50.7 of them.
//! So times are whole microseconds, rounded up as in `policy::limits::rate`, and a debt is at most [`LONGEST`]: the sum of now,
//! a debt and an increment stays exact until the year 2112.

use crate::limiter::look::Look;
use std::time::Duration;
use tollward_policy::limits::Rate;

/// Longest time that a burst may take to refill: 71 years.
pub(super) const LONGEST: u64 = 1 << 51;

/// What one charge does to one count, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Amount {
    /// As much the charge adds to what is owed.
    pub(super) increment: u64,
    /// As much may be owed.
    pub(super) tolerance: u64,
    /// As much one request adds.
    emission: u64,
}

impl Amount {
    /// A charge of that cost by that rate.
    pub(super) fn of(rate: &Rate, cost: u32) -> Self {
        let emission = u64::try_from(rate.emission.as_nanos().div_ceil(1000)).unwrap_or(LONGEST).clamp(1, LONGEST);
        let tolerance = emission.saturating_mul(u64::from(rate.burst.get())).min(LONGEST);
        // One more than any tolerance is refused like anything above.
        let increment = emission.saturating_mul(u64::from(cost)).min(LONGEST + 1);
        Self { increment, tolerance, emission }
    }

    /// What is refilled in a microsecond.
    pub(super) fn least() -> Self {
        Self { increment: 1, tolerance: 1000, emission: 1 }
    }

    /// Requests that may come at once while that much is owed.
    pub(super) fn remaining(&self, owed: u64) -> u32 {
        u32::try_from(self.tolerance.saturating_sub(owed) / self.emission).unwrap_or(u32::MAX)
    }

    /// A time of ours in those of the store.
    pub(super) fn micros(time: Duration) -> u64 {
        u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
    }

    /// How a count stands to which that much is owed.
    pub(super) fn look(&self, owed: u64) -> Look {
        let over = owed.saturating_add(self.emission).saturating_sub(self.tolerance);
        Look {
            left: self.remaining(owed),
            full_after: Self::time(owed),
            retry_after: (over > 0).then(|| Self::time(over)),
        }
    }

    /// Time until what is owed is refilled, or anything else of the store's times.
    pub(super) fn time(micros: u64) -> Duration {
        Duration::from_micros(micros)
    }
}

#[cfg(test)]
mod tests {
    use super::{Amount, LONGEST};
    use serde_json::json;
    use tollward_policy::limits::{LimitSet, Rate};

    fn rate(requests: u32, window: u32, burst: u32) -> Rate {
        let limit = json!({"name": "l", "match": {}, "tiers": {"basic": {"requests": requests, "windowSeconds": window, "burst": burst}}});
        let policy = json!({"policy": "p", "tiers": {"default": "basic"}, "limits": [limit]});
        LimitSet::compile(&[serde_json::from_value(policy).unwrap()]).unwrap().rates()[0].rate
    }

    #[test]
    fn amounts_are_whole_microseconds_and_never_cheaper_than_the_rate() {
        let amount = Amount::of(&rate(1000, 3600, 100), 1);
        assert_eq!((amount.increment, amount.tolerance), (4_000_000, 400_000_000));
        assert_eq!((amount.remaining(0), amount.remaining(4_000_000), amount.remaining(400_000_000)), (100, 99, 0));
        let stands = |owed| {
            let look = amount.look(owed);
            (look.left, look.full_after.as_secs(), look.retry_after.map(|wait| wait.as_secs()))
        };
        assert_eq!([stands(0), stands(396_000_000)], [(100, 0, None), (1, 396, None)]);
        assert_eq!([stands(397_000_000), stands(400_000_000)], [(0, 397, Some(1)), (0, 400, Some(4))]);
        let thirds = rate(4, 1, 1);
        assert_eq!(Amount::of(&thirds, 1).increment, 333_334);
        let fast = Amount::of(&rate(4_000_000_000, 1, 1), 1);
        assert_eq!((fast.increment, fast.tolerance), (1, 1), "a microsecond is the least");
    }

    #[test]
    fn sums_of_the_scripts_stay_exact_however_slow_a_rate_is_and_whatever_a_call_costs() {
        // The year 2112, when this has to be thought about again.
        let latest = 4_481_000_000 * 1_000_000_u64;
        for (rate, cost) in [(rate(2, u32::MAX, 1), 1), (rate(u32::MAX, u32::MAX, u32::MAX / 2), u32::MAX)] {
            let amount = Amount::of(&rate, cost);
            assert!(amount.tolerance <= LONGEST && amount.increment <= LONGEST + 1);
            assert!(latest + amount.tolerance + amount.increment < 1 << 53);
        }
    }
}
