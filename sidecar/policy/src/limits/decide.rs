//! The decision about one count at one moment, by governor: its limiter over a state of one slot, on a clock that stands still.
//!
//! governor would keep the counts and read the clock itself; here both stay with the caller: what is owed goes in, relative
//! to now, and comes out again. So a count may live in a bounded table, and a rate may change under it.
//!
//! Its arithmetic does not look for overflow, and a wrapped one would admit what never fits: what it is given is bounded
//! here and as [`decide`] says.

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{NotKeyed, StateStore};
use governor::{Quota, RateLimiter};
use std::cell::Cell;
use std::num::NonZeroU32;
use std::time::Duration;

/// Now is zero, so that every time is one from now.
struct Now;

impl Clock for Now {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::new(0)
    }
}

/// What one caller owes: the time until everything that it was admitted is paid back.
struct Owed(Cell<u64>);

impl StateStore for Owed {
    type Key = NotKeyed;

    fn measure_and_replace<T, F, E>(&self, _: &NotKeyed, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let (answer, owed) = decide(Some(Nanos::new(self.0.get())))?;
        self.0.set(owed.as_u64());
        Ok(answer)
    }
}

/// Why a request does not pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// It would after this time.
    For(Duration),
    /// It counts for more than ever may come at once.
    ForEver,
}

/// What is owed, in nanoseconds from now, once `cost` requests are admitted besides. The whole burst (`emission` times
/// `burst`) and what is owed before must each be less than half of what 64 bits hold.
pub(super) fn decide(emission: Duration, burst: NonZeroU32, owed: u64, cost: NonZeroU32) -> Result<u64, Refused> {
    if cost > burst {
        return Err(Refused::ForEver);
    }
    // None is a request that takes no time to refill, which no rate says.
    let quota = Quota::with_period(emission).ok_or(Refused::ForEver)?.allow_burst(burst);
    let limiter = RateLimiter::<_, _, _, NoOpMiddleware<Nanos>>::new(quota, Owed(Cell::new(owed)), Now);
    match limiter.check_n(cost) {
        Ok(Ok(())) => Ok(limiter.into_state_store().0.get()),
        Ok(Err(until)) => Err(Refused::For(until.wait_time_from(Nanos::new(0)))),
        Err(governor::InsufficientCapacity(_)) => Err(Refused::ForEver),
    }
}
