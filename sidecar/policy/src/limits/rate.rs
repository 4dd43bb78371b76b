//! A rate: GCRA over a time of arrival, as [`super::decide`] decides it. Pure: whoever keeps the times brings the clock.
//!
//! A count is one number: the time at which everything that was admitted is paid back ("arrival"). An admission moves it by
//! `emission` for each request, and is refused if that would be more than `burst` emissions from now. So in any window of
//! any position at most `burst + window / emission = requests` are admitted, ends included.
//!
//! What is owed is a time and not a number of requests, so that it outlives a change of the rate: a caller that used up a
//! tenth of the old budget owes a tenth of the new one.

use super::config::RateConfig;
use super::decide::{Refused, decide};
use std::num::NonZeroU32;
use std::time::Duration;

/// The longest time that a burst may take to refill, in nanoseconds: 292 years.
const LONGEST: u64 = u64::MAX / 2;

/// GCRA parameters of one tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Most requests in any window.
    pub requests: u32,
    /// The window.
    pub window: Duration,
    /// Most requests at once.
    pub burst: NonZeroU32,
    /// Time in which one request is refilled.
    pub emission: Duration,
}

/// Why a rate does not compile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RateError {
    /// The burst leaves nothing to refill.
    Burst(u32),
    /// The burst takes too long to refill.
    Slow(u32),
}

/// What a count comes to after a request was admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admitted {
    /// The new time of arrival, in nanoseconds.
    pub arrival: u64,
    /// Requests that may still come at once.
    pub remaining: u32,
    /// Time until the whole burst is there again.
    pub reset: Duration,
}

impl Rate {
    pub(super) fn compile(config: &RateConfig) -> Result<Self, RateError> {
        let requests = config.requests.get();
        let burst = config.burst.unwrap_or(NonZeroU32::new(requests / 10).unwrap_or(NonZeroU32::MIN));
        let window = Duration::from_secs(u64::from(config.window_seconds.get()));
        if burst.get() >= requests && requests > 1 {
            return Err(RateError::Burst(burst.get()));
        }
        let refilled = requests.saturating_sub(burst.get()).max(1);
        let rate = Self { requests, window, burst, emission: div_up(window, refilled) };
        if rate.emission_nanos().checked_mul(u64::from(burst.get())).is_none_or(|whole| whole > LONGEST) {
            return Err(RateError::Slow(burst.get()));
        }
        Ok(rate)
    }

    /// One of several equal parts. They are rounded so that all of them together are no more than the whole, unless a part
    /// would be less than the `least` that must be able to come at once.
    #[must_use]
    pub fn share(self, parts: NonZeroU32, least: NonZeroU32) -> Self {
        if parts == NonZeroU32::MIN {
            return self;
        }
        let whole = self.requests / parts;
        let burst = (self.burst.get() / parts).min(whole.saturating_sub(1));
        let burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN).max(least);
        let requests = whole.max(if burst == NonZeroU32::MIN { 1 } else { burst.get().saturating_add(1) });
        let refilled = requests.saturating_sub(burst.get()).max(1);
        Self { requests, window: self.window, burst, emission: div_up(self.window, refilled) }
    }

    /// Admits a request that counts for `cost`, at least one, or says how long to wait. Times are nanoseconds since any fixed
    /// moment. A cost above the burst is never admitted, whatever the wait.
    pub fn admit(&self, arrival: u64, now: u64, cost: u32) -> Result<Admitted, Duration> {
        let due = self.settle(arrival, now) - now;
        let cost = NonZeroU32::new(cost).unwrap_or(NonZeroU32::MIN);
        let emission = Duration::from_nanos(self.emission_nanos());
        let owed = decide(emission, self.bounded_burst(), due, cost).map_err(|refused| match refused {
            Refused::For(wait) => wait,
            Refused::ForEver => {
                let owed = self.emission_nanos().saturating_mul(u64::from(cost.get())).saturating_add(due);
                Duration::from_nanos(owed.saturating_sub(self.tolerance()))
            }
        })?;
        let arrival = now.saturating_add(owed);
        Ok(Admitted { arrival, remaining: self.remaining(arrival, now), reset: self.reset(arrival, now) })
    }

    /// Gives back what [`Self::admit`] took, as far as it is still owed: `left` is what was owed after it, less the time since.
    /// What is paid back by now is no debt of that request any more, but perhaps another's.
    pub fn give_back(&self, arrival: u64, cost: u32, left: Duration) -> u64 {
        let taken = self.emission_nanos().saturating_mul(u64::from(cost));
        arrival.saturating_sub(taken.min(u64::try_from(left.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// The same debt within the bounds of this rate: nothing is owed for the past, and no more than the whole burst, which
    /// a time of arrival under an earlier rate may exceed.
    pub fn settle(&self, arrival: u64, now: u64) -> u64 {
        arrival.clamp(now, now.saturating_add(self.tolerance()))
    }

    /// Requests that may come at once.
    pub fn remaining(&self, arrival: u64, now: u64) -> u32 {
        let left = self.tolerance().saturating_sub(self.settle(arrival, now) - now);
        u32::try_from(left / self.emission_nanos().max(1)).unwrap_or(u32::MAX)
    }

    /// Time until the whole burst is there again.
    pub fn reset(&self, arrival: u64, now: u64) -> Duration {
        Duration::from_nanos(self.settle(arrival, now) - now)
    }

    fn emission_nanos(&self) -> u64 {
        u64::try_from(self.emission.as_nanos()).unwrap_or(u64::MAX).max(1)
    }

    fn tolerance(&self) -> u64 {
        self.emission_nanos().saturating_mul(u64::from(self.bounded_burst().get()))
    }

    /// The burst, or as much of it as is refilled in [`LONGEST`]: a part that is raised to what its dearest call costs may
    /// take longer.
    fn bounded_burst(&self) -> NonZeroU32 {
        let emission = self.emission_nanos();
        match emission.checked_mul(u64::from(self.burst.get())) {
            Some(whole) if whole <= LONGEST => self.burst,
            Some(_) | None => {
                let burst = u32::try_from(LONGEST / emission).unwrap_or(u32::MAX);
                NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN)
            }
        }
    }
}

/// Rounded up, so that rounding never adds a request to a window.
fn div_up(window: Duration, parts: u32) -> Duration {
    let nanos = window.as_nanos().div_ceil(u128::from(parts));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}
