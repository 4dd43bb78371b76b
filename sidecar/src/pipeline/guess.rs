//! Bounds failed authentications by address, before any cryptography is spent.
//!
//! Only a token that takes work to judge takes one out of its address's budget, and gives it back once it is good: what was
//! verified before and what is refused at a glance are free, so that a flood of junk locks nobody out.

use crate::address::network_of;
use crate::authenticate::Refusal;
use crate::limiter::Bucket;
use governor::clock::DefaultClock;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::time::Duration;
use tollward_policy::limits::Rate;
use tollward_policy::reason::Reason;

/// Failures at once. Many callers may share one address (an ingress, a company's gateway), and a flood of failures must
/// not lock them out before it costs real work: a verification takes 25 to 90 microseconds.
const BURST: NonZeroU32 = NonZeroU32::new(1_000).expect("not zero");
/// Time until one more is allowed: 500 a second.
const EMISSION: Duration = Duration::from_millis(2);
/// Addresses that are remembered.
const ADDRESSES: usize = 50_000;

/// Failures by address.
pub struct GuessLimiter(Bucket<DefaultClock>);

/// What one request takes; given back if it was no guess.
pub(super) struct Attempt<'l> {
    bucket: &'l Bucket<DefaultClock>,
    peer: SocketAddr,
    taken: Option<String>,
}

impl GuessLimiter {
    /// Nobody has failed yet.
    pub fn new(clock: DefaultClock) -> Self {
        let rate = Rate { requests: 31_000, window: Duration::from_mins(1), burst: BURST, emission: EMISSION };
        Self(Bucket::new(rate, ADDRESSES, clock))
    }

    /// A request of that address, which has taken nothing yet.
    pub(super) fn attempt(&self, peer: SocketAddr) -> Attempt<'_> {
        Attempt { bucket: &self.0, peer, taken: None }
    }
}

impl Attempt<'_> {
    /// Takes one, for a signature that is about to be verified.
    pub(super) fn take(&mut self) -> Result<(), Refusal> {
        let key = network_of(self.peer);
        self.bucket.charge(&key).map_err(|exceeded| Refusal {
            reason: Reason::RateLimited,
            detail: "too many failed authentications from this address",
            retry_after: Some(exceeded.retry_after),
            denied: None,
        })?;
        self.taken = Some(key);
        Ok(())
    }

    /// It was no guess.
    pub(super) fn give_back(self) {
        if let Some(key) = self.taken {
            self.bucket.refund(&key);
        }
    }
}
