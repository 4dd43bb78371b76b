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
    /// Takes one, for a signature that is about to be verified: one for both of a token and its proof.
    pub(super) fn take(&mut self) -> Result<(), Refusal> {
        if self.taken.is_some() {
            return Ok(());
        }
        let key = network_of(self.peer);
        self.bucket.charge(&key).map_err(|exceeded| Refusal {
            retry_after: Some(exceeded.retry_after),
            ..Refusal::new(Reason::RateLimited, "too many failed authentications from this address")
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

#[cfg(test)]
mod tests {
    use super::{BURST, GuessLimiter};
    use governor::clock::DefaultClock;
    use tollward_policy::reason::Reason;

    #[test]
    fn a_token_and_its_proof_are_one_guess_and_guesses_are_bounded() {
        let guesses = GuessLimiter::new(DefaultClock::default());
        let peer = "192.0.2.1:5".parse().unwrap();
        let refused = (0..10 * BURST.get()).find_map(|number| {
            let mut attempt = guesses.attempt(peer);
            let both = attempt.take().and_then(|()| attempt.take());
            both.err().map(|refusal| (number, refusal.reason))
        });
        let (number, reason) = refused.expect("somebody who guesses on and on is refused");
        assert!(number >= BURST.get() && reason == Reason::RateLimited, "{number} {reason}");
        assert!(guesses.attempt("192.0.2.2:5".parse().unwrap()).take().is_ok(), "others are not");
    }

    #[test]
    fn what_is_given_back_is_no_guess() {
        let guesses = GuessLimiter::new(DefaultClock::default());
        let peer = "192.0.2.1:5".parse().unwrap();
        for _ in 0..3 * BURST.get() {
            let mut attempt = guesses.attempt(peer);
            assert!(attempt.take().is_ok());
            attempt.give_back();
        }
    }
}
