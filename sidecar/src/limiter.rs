//! State of the rate limits on this replica: GCRA by governor over a bounded store.
//!
//! Guarantees: a charge that fails gives back what the same call was charged before; no window exceeds its requests;
//! memory is bounded by [`KEYS_PER_LIMIT`] keys a limit. Limits that a new configuration does not change keep their
//! state. Assumptions: one replica. With more, each counts for itself.

mod bucket;

pub use bucket::{Bucket, Exceeded};

use governor::clock::{Clock, DefaultClock};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tollward_policy::limits::{Charge, Rate};

/// Keys that one limit remembers; the least recently used beyond it start anew.
pub const KEYS_PER_LIMIT: usize = 100_000;

/// How a limit stands after a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// `policy/limit`.
    pub limit: String,
    /// The caller's tier.
    pub tier: String,
    /// Requests per window.
    pub requests: u32,
    /// The window.
    pub window: Duration,
    /// Requests that may come at once right now.
    pub remaining: u32,
    /// Time until the full burst is there again.
    pub reset: Duration,
    /// Set on the limit that refused: when one more request will pass.
    pub retry_after: Option<Duration>,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct BucketName {
    route: String,
    limit: String,
    tier: String,
    requests: u32,
    window: Duration,
    emission: Duration,
}

/// All limits of the process.
#[derive(Debug)]
pub struct Limiter<C: Clock = DefaultClock> {
    clock: C,
    buckets: Mutex<HashMap<BucketName, Arc<Bucket<C>>>>,
}

/// The limits of one route under one configuration: found once, then charged without a global lock.
#[derive(Debug)]
pub struct RouteLimiter<C: Clock = DefaultClock> {
    buckets: HashMap<(String, String), Arc<Bucket<C>>>,
}

impl<C: Clock + Clone> Limiter<C> {
    /// No limit has any state yet.
    pub fn new(clock: C) -> Self {
        Self { clock, buckets: Mutex::new(HashMap::new()) }
    }

    /// Finds or makes the state of a route's limits.
    pub fn route<'a>(&self, route: &str, rates: impl IntoIterator<Item = (&'a str, &'a str, Rate)>) -> RouteLimiter<C> {
        let mut known = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let mut buckets = HashMap::new();
        for (limit, tier, rate) in rates {
            let name = BucketName {
                route: route.to_owned(),
                limit: limit.to_owned(),
                tier: tier.to_owned(),
                requests: rate.requests,
                window: rate.window,
                emission: rate.emission,
            };
            let bucket =
                known.entry(name).or_insert_with(|| Arc::new(Bucket::new(rate, KEYS_PER_LIMIT, self.clock.clone())));
            buckets.insert((limit.to_owned(), tier.to_owned()), bucket.clone());
        }
        RouteLimiter { buckets }
    }

    /// Forgets limits that no route uses any more.
    pub fn sweep(&self) {
        let mut known = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, bucket| Arc::strong_count(bucket) > 1);
    }
}

impl<C: Clock + Clone> RouteLimiter<C> {
    /// Charges a call to each of its limits, or to none: the limit that refuses comes last in the result.
    pub fn charge(&self, charges: &[Charge<'_>]) -> Result<Vec<Standing>, Vec<Standing>> {
        let mut standings = Vec::with_capacity(charges.len());
        let mut taken: Vec<(&Bucket<C>, &str)> = Vec::with_capacity(charges.len());
        for charge in charges {
            let Some(bucket) = self.buckets.get(&(charge.id.to_owned(), charge.tier.to_owned())) else {
                // A limit without state can't be counted, so it refuses.
                standings.push(standing(charge, 0, charge.rate.window, Some(charge.rate.window)));
                refund(&taken);
                return Err(standings);
            };
            match bucket.charge(&charge.key) {
                Ok(remaining) => {
                    taken.push((bucket, &charge.key));
                    standings.push(standing(charge, remaining, bucket.reset(remaining), None));
                }
                Err(Exceeded { retry_after }) => {
                    refund(&taken);
                    standings.push(standing(charge, 0, bucket.reset(0), Some(retry_after)));
                    return Err(standings);
                }
            }
        }
        Ok(standings)
    }
}

fn refund<C: Clock + Clone>(taken: &[(&Bucket<C>, &str)]) {
    for (bucket, key) in taken {
        bucket.refund(key);
    }
}

fn standing(charge: &Charge<'_>, remaining: u32, reset: Duration, retry_after: Option<Duration>) -> Standing {
    Standing {
        limit: charge.id.to_owned(),
        tier: charge.tier.to_owned(),
        requests: charge.rate.requests,
        window: charge.rate.window,
        remaining,
        reset,
        retry_after,
    }
}

#[cfg(test)]
mod tests;
