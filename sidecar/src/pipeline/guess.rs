//! Bounds failed authentications by address, before any cryptography is spent.
//!
//! Only a token that takes work to judge takes one out of its address's budget, and gives it back once it is good: what was
//! verified before and what is refused at a glance are free, so that a flood of junk locks nobody out.

use super::discovery::Asked;
use crate::address::network_of;
use crate::denial::Denial;
use crate::limiter::Bucket;
use governor::clock::DefaultClock;
use std::num::NonZeroU32;
use std::sync::Arc;
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
pub struct GuessLimiter(Arc<Bucket<DefaultClock>>);

/// A request that may try its credentials.
pub(super) struct Guessing {
    pub(super) asked: Asked,
    pub(super) attempt: Attempt,
}

/// What a request took, if it took something; given back if it was right.
pub(super) struct Attempt(Option<(Arc<Bucket<DefaultClock>>, String)>);

impl GuessLimiter {
    /// Nobody has failed yet.
    pub fn new(clock: DefaultClock) -> Self {
        let rate = Rate { requests: 31_000, window: Duration::from_mins(1), burst: BURST, emission: EMISSION };
        Self(Arc::new(Bucket::new(rate, ADDRESSES, clock)))
    }

    /// Takes an attempt.
    pub(super) fn take(&self, asked: Asked) -> Result<Guessing, Denial> {
        if !asked.route.authenticator.has_to_verify(&asked.routed.parts.headers) {
            return Ok(Guessing { asked, attempt: Attempt(None) });
        }
        let key = network_of(asked.routed.peer);
        match self.0.charge(&key) {
            Ok(_) => Ok(Guessing { asked, attempt: Attempt(Some((self.0.clone(), key))) }),
            Err(exceeded) => Err(Denial::new(Reason::RateLimited)
                .detail("too many failed authentications from this address")
                .retry_after(exceeded.retry_after)),
        }
    }
}

impl Attempt {
    /// It was no guess.
    pub(super) fn succeeded(self) {
        if let Some((bucket, key)) = self.0 {
            bucket.refund(&key);
        }
    }
}
