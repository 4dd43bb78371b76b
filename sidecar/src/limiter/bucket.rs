//! One limit of one tier: a count per key.

use governor::clock::Clock;
use governor::middleware::{NoOpMiddleware, StateInformationMiddleware};
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed, StateStore};
use governor::{Quota, RateLimiter};
use quick_cache::sync::Cache;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tollward_policy::limits::Rate;

/// Refused, and when one more request would pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exceeded {
    /// From now on.
    pub retry_after: Duration,
}

/// Counts by key, bounded.
#[derive(Debug)]
pub struct Bucket<C: Clock> {
    rate: Rate,
    store: Store,
    clock: C,
    limiter: RateLimiter<String, Store, C, StateInformationMiddleware>,
}

/// governor's state, in a cache that never holds more than its capacity.
#[derive(Debug, Clone)]
struct Store(Arc<Cache<String, Arc<InMemoryState>>>);

impl StateStore for Store {
    type Key = String;

    fn measure_and_replace<T, F, E>(&self, key: &Self::Key, f: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let fresh = || Ok::<_, Infallible>(Arc::new(InMemoryState::default()));
        let state = match self.0.get_or_insert_with(key, fresh) {
            Ok(state) => state,
            Err(never) => match never {},
        };
        state.measure_and_replace(&NotKeyed::NonKey, f)
    }
}

impl<C: Clock + Clone> Bucket<C> {
    /// No key was charged yet.
    pub fn new(rate: Rate, capacity: usize, clock: C) -> Self {
        let store = Store(Arc::new(Cache::new(capacity)));
        let period = rate.emission.max(Duration::from_nanos(1));
        // `with_period` is None only for a zero period.
        let quota = Quota::with_period(period).unwrap_or_else(|| Quota::per_hour(rate.burst)).allow_burst(rate.burst);
        let limiter = RateLimiter::<_, _, _, NoOpMiddleware<C::Instant>>::new(quota, store.clone(), clock.clone())
            .with_middleware();
        Self { rate, store, clock, limiter }
    }

    /// Takes one request out of the key's budget; tells what may still come at once.
    pub fn charge(&self, key: &str) -> Result<u32, Exceeded> {
        match self.limiter.check_key(&key.to_owned()) {
            Ok(state) => Ok(state.remaining_burst_capacity()),
            Err(refused) => Err(Exceeded { retry_after: refused.wait_time_from(self.clock.now()) }),
        }
    }

    /// Gives back what [`Self::charge`] took. Atomic; in between, another call may have been refused, never admitted.
    pub fn refund(&self, key: &str) {
        let one = Nanos::from(self.rate.emission);
        let back = |arrival: Option<Nanos>| Ok::<_, Infallible>(((), arrival.unwrap_or_default().saturating_sub(one)));
        match self.store.measure_and_replace(&key.to_owned(), back) {
            Ok(()) => {}
            Err(never) => match never {},
        }
    }

    /// Time until the whole burst is there again.
    pub fn reset(&self, remaining: u32) -> Duration {
        self.rate.emission.saturating_mul(self.rate.burst.get().saturating_sub(remaining))
    }
}
