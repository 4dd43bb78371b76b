//! Bounds failed authentications by address, before any cryptography is spent.
//!
//! Only a token that takes work to judge takes one out of its address's budget, and gives it back once it is good: what was
//! verified before and what is refused at a glance are free, so that a flood of junk locks nobody out. Questions to an
//! authorization server cost somebody else's machine, so that they have a budget of their own, and a smaller one.

use crate::address::network_of;
use crate::authenticate::{Effort, Refusal};
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
/// The same for questions to authorization servers: 20 a second.
const QUESTION_BURST: NonZeroU32 = NonZeroU32::new(200).expect("not zero");
const QUESTION_EMISSION: Duration = Duration::from_millis(50);
/// Addresses that are remembered.
const ADDRESSES: usize = 50_000;

/// Failures by address.
pub struct GuessLimiter {
    signatures: Bucket<DefaultClock>,
    questions: Bucket<DefaultClock>,
}

/// What one request takes; given back if it was no guess.
pub(super) struct Attempt<'l> {
    limiter: &'l GuessLimiter,
    peer: SocketAddr,
    taken: Option<(&'l Bucket<DefaultClock>, String)>,
}

impl GuessLimiter {
    /// Nobody has failed yet.
    pub fn new(clock: DefaultClock) -> Self {
        let window = Duration::from_mins(1);
        let signatures = Rate { requests: 31_000, window, burst: BURST, emission: EMISSION };
        let questions = Rate { requests: 1_400, window, burst: QUESTION_BURST, emission: QUESTION_EMISSION };
        Self {
            signatures: Bucket::new(signatures, ADDRESSES, clock.clone()),
            questions: Bucket::new(questions, ADDRESSES, clock),
        }
    }

    /// A request of that address, which has taken nothing yet.
    pub(super) fn attempt(&self, peer: SocketAddr) -> Attempt<'_> {
        Attempt { limiter: self, peer, taken: None }
    }
}

impl Attempt<'_> {
    /// Takes one, for work that is about to be done: one for all of it, a token and its proof.
    pub(super) fn take(&mut self, effort: Effort) -> Result<(), Refusal> {
        if self.taken.is_some() {
            return Ok(());
        }
        let bucket = match effort {
            Effort::Signature => &self.limiter.signatures,
            Effort::Question => &self.limiter.questions,
        };
        let key = network_of(self.peer);
        bucket.charge(&key).map_err(|exceeded| Refusal {
            retry_after: Some(exceeded.retry_after),
            ..Refusal::new(Reason::RateLimited, "too many failed authentications from this address")
        })?;
        self.taken = Some((bucket, key));
        Ok(())
    }

    /// It was no guess.
    pub(super) fn give_back(self) {
        if let Some((bucket, key)) = self.taken {
            bucket.refund(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BURST, GuessLimiter, QUESTION_BURST};
    use crate::authenticate::Effort;
    use governor::clock::DefaultClock;
    use tollward_policy::reason::Reason;

    #[test]
    fn a_token_and_its_proof_are_one_guess_and_guesses_are_bounded() {
        let guesses = GuessLimiter::new(DefaultClock::default());
        let peer = "192.0.2.1:5".parse().unwrap();
        let refused = (0..10 * BURST.get()).find_map(|number| {
            let mut attempt = guesses.attempt(peer);
            let both = attempt.take(Effort::Signature).and_then(|()| attempt.take(Effort::Signature));
            both.err().map(|refusal| (number, refusal.reason))
        });
        let (number, reason) = refused.expect("somebody who guesses on and on is refused");
        assert!(number >= BURST.get() && reason == Reason::RateLimited, "{number} {reason}");
        assert!(guesses.attempt("192.0.2.2:5".parse().unwrap()).take(Effort::Signature).is_ok(), "others are not");
    }

    #[test]
    fn questions_to_an_authorization_server_have_a_smaller_budget_of_their_own() {
        let guesses = GuessLimiter::new(DefaultClock::default());
        let peer = "192.0.2.1:5".parse().unwrap();
        let refused = (0..BURST.get()).find(|_| guesses.attempt(peer).take(Effort::Question).is_err());
        assert!(refused.is_some_and(|number| number >= QUESTION_BURST.get()), "{refused:?}");
        assert!(guesses.attempt(peer).take(Effort::Signature).is_ok(), "signatures are counted apart");
    }

    #[test]
    fn what_is_given_back_is_no_guess() {
        let guesses = GuessLimiter::new(DefaultClock::default());
        let peer = "192.0.2.1:5".parse().unwrap();
        for _ in 0..3 * BURST.get() {
            let mut attempt = guesses.attempt(peer);
            assert!(attempt.take(Effort::Signature).is_ok());
            attempt.give_back();
        }
    }
}
