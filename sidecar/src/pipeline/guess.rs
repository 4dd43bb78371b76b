//! What an address may cost before it is known who calls: requests and failures as the route's policies say, and the work on
//! tokens, bounded for the whole process.
//!
//! An address is the other end of the connection: no header is trusted to name another.
//!
//! The process's own bound: only a token that takes work to judge takes one out of its address's budget, and gives it back
//! once it is good: what was verified before and what is refused at a glance are free, so that a flood of junk locks nobody
//! out. Questions to an authorization server cost somebody else's machine, so that they have a budget of their own, and a
//! smaller one.
//!
//! A policy's bound on failures is looked at before the token is, and charged when credentials were refused, whatever the
//! work. What is being judged when it runs out is judged to the end.

use crate::address::network_of;
use crate::authenticate::{Effort, Refusal};
use crate::denial::Denial;
use crate::limiter::{Bucket, Refused, Room, RouteLimiter, Standing, Table, Timer};
use governor::clock::DefaultClock;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;
use tollward_policy::limits::{Admitted, Before, LimitSet, Named, Rate};
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
/// What a refusal says.
const TOO_MANY: &str = "too many requests or failed authentications from this address";
const TOO_MANY_GUESSES: &str = "too many failed authentications from this address";

/// Failures by address.
pub struct GuessLimiter {
    signatures: Bucket<DefaultClock>,
    questions: Bucket<DefaultClock>,
}

/// What one request takes; given back if it was no guess.
pub(super) struct Attempt<'l> {
    guesses: &'l GuessLimiter,
    limits: &'l LimitSet,
    limiter: &'l RouteLimiter,
    address: String,
    taken: Option<(&'l Bucket<DefaultClock>, Admitted)>,
}

impl GuessLimiter {
    /// Nobody has failed yet.
    pub fn new(clock: &DefaultClock) -> Self {
        let window = Duration::from_mins(1);
        let signatures = Rate { requests: 31_000, window, burst: BURST, emission: EMISSION };
        let questions = Rate { requests: 1_400, window, burst: QUESTION_BURST, emission: QUESTION_EMISSION };
        let bucket = |rate| {
            let table = Table::new(ADDRESSES, Arc::new(Room::new(ADDRESSES)));
            Bucket::new(rate, Arc::new(table), Timer::new(clock.clone()))
        };
        Self { signatures: bucket(signatures), questions: bucket(questions) }
    }

    /// A request of that address for a route with these limits, which has taken nothing yet.
    pub(super) fn attempt<'l>(
        &'l self,
        client: IpAddr,
        limits: &'l LimitSet,
        limiter: &'l RouteLimiter,
    ) -> Attempt<'l> {
        Attempt { guesses: self, limits, limiter, address: network_of(client), taken: None }
    }
}

impl Attempt<'_> {
    /// Counts the request, and refuses it if its address has failed too often. Every policy that says something must let it
    /// pass, and those that did get theirs back if one does not.
    pub(super) fn enter(&self) -> Result<Vec<Standing>, Denial> {
        let mut standings = Vec::new();
        for before in self.limits.before() {
            if let Err(denial) = self.pass(before, &mut standings) {
                self.leave(&standings);
                return Err(denial);
            }
        }
        Ok(standings)
    }

    fn pass(&self, before: Before, standings: &mut Vec<Standing>) -> Result<(), Denial> {
        let Before { requests, failures } = before;
        let refused = |standings: &[Standing], named: &Named, refused: Refused| {
            let standings = standings.iter().cloned().chain([standing(named).refused(refused.wait)]).collect();
            Err(Denial::new(refused.cause.reason()).standings(standings).detail(TOO_MANY))
        };
        if let Some((bucket, named)) = self.counted(failures)
            && let Err(wait) = bucket.look(&self.address)
        {
            return refused(standings, named, Refused::exceeded(wait));
        }
        if let Some((bucket, named)) = self.counted(requests) {
            match bucket.charge(&self.address, 1) {
                Ok(admitted) => standings.push(standing(named).left(admitted.remaining, admitted.reset)),
                Err(refusal) => return refused(standings, named, refusal),
            }
        }
        Ok(())
    }

    /// Gives back the first charges of [`Self::enter`].
    fn leave(&self, charged: &[Standing]) {
        let requests = self.limits.before().filter_map(|before| before.requests);
        for (slot, standing) in requests.zip(charged) {
            if let Some(bucket) = self.limiter.bucket(slot) {
                bucket.refund(&self.address, 1, standing.reset);
            }
        }
    }

    fn counted(&self, slot: Option<usize>) -> Option<(&Bucket<DefaultClock>, &Named)> {
        let slot = slot?;
        Some((self.limiter.bucket(slot)?, self.limits.rates().get(slot)?))
    }

    /// Takes one, for work that is about to be done: one for all of it, a token and its proof.
    pub(super) fn take(&mut self, effort: Effort) -> Result<(), Refusal> {
        if self.taken.is_some() {
            return Ok(());
        }
        let bucket = match effort {
            Effort::Signature => &self.guesses.signatures,
            Effort::Question => &self.guesses.questions,
        };
        let admitted = bucket.charge(&self.address, 1).map_err(|refused| Refusal {
            retry_after: Some(refused.wait),
            ..Refusal::new(Reason::RateLimited, TOO_MANY_GUESSES)
        })?;
        self.taken = Some((bucket, admitted));
        Ok(())
    }

    /// The credentials were refused.
    pub(super) fn fail(&self) {
        for failures in self.limits.before().filter_map(|before| before.failures) {
            if let Some(bucket) = self.limiter.bucket(failures) {
                // What can't be counted was refused all the same.
                let _ = bucket.charge(&self.address, 1);
            }
        }
    }

    /// It was no guess. Says by which address it was counted, for the limits of those who are known.
    pub(super) fn give_back(self) -> String {
        if let Some((bucket, admitted)) = self.taken {
            bucket.refund(&self.address, 1, bucket.left(&admitted));
        }
        self.address
    }
}

fn standing(named: &Named) -> Standing {
    Standing::of(&named.id, &named.tier, &named.rate, 1)
}

#[cfg(test)]
mod tests;
