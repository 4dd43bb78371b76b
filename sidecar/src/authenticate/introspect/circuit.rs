//! Leaves an endpoint alone that fails, and tries it again with one question at a time. Pure: the time is given.

use super::trouble::Severity;
use std::time::Duration;
use tokio::time::Instant;

/// Failures one after the other that are not yet taken for an outage.
const TOLERATED: u32 = 4;
/// First and longest rest. The first question after a rest is a trial.
const REST: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// Rest after a refusal of our credentials: short enough to notice a new secret soon, long enough not to be locked out.
const REFUSED_REST: Duration = Duration::from_secs(10);
/// Longest time for which others wait for a trial to end. Longer than a question may take.
const TRIAL: Duration = Duration::from_secs(15);

/// Whether an endpoint may be asked.
#[derive(Debug, Default)]
pub(super) struct Circuit {
    /// Failures one after the other.
    failures: u32,
    /// Until when nobody may ask.
    until: Option<Instant>,
}

/// The permission for one question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pass {
    /// Like any other.
    Usual,
    /// The one by which a failed endpoint is tried.
    Trial,
}

impl Circuit {
    /// Permission to ask, or the time until it makes sense.
    pub(super) fn pass(&mut self, now: Instant) -> Result<Pass, Duration> {
        match self.until {
            None => Ok(Pass::Usual),
            Some(until) if now < until => Err(until.duration_since(now)),
            Some(_) => {
                // A trial that never comes back must not close the way for ever, so it is bounded like a rest.
                self.until = Some(now + TRIAL);
                Ok(Pass::Trial)
            }
        }
    }

    /// What came of a question. `None`: an answer.
    pub(super) fn note(&mut self, pass: Pass, failure: Option<Severity>, now: Instant) {
        let is_refused = match failure {
            // Whatever was wrong with the token, the endpoint is there.
            None | Some(Severity::Single) => {
                *self = Self::default();
                return;
            }
            Some(Severity::Refused) => true,
            Some(Severity::Down) => false,
        };
        // Questions that were under way when it failed tell nothing new.
        if pass == Pass::Usual && self.until.is_some() {
            return;
        }
        self.failures = self.failures.saturating_add(1);
        let beyond = self.failures.saturating_sub(TOLERATED);
        self.until = if is_refused {
            Some(now + REFUSED_REST)
        } else {
            let (first, longest) = REST;
            let doublings = beyond.checked_sub(1);
            doublings.map(|times| now + first.saturating_mul(2_u32.saturating_pow(times)).min(longest))
        };
    }
}

#[cfg(test)]
mod tests {
    use super::{Circuit, Pass, REFUSED_REST, Severity, TOLERATED, TRIAL};
    use std::time::Duration;
    use tokio::time::Instant;

    const DOWN: Option<Severity> = Some(Severity::Down);

    fn failed(now: Instant) -> Circuit {
        let mut circuit = Circuit::default();
        for _ in 0..=TOLERATED {
            assert_eq!(circuit.pass(now), Ok(Pass::Usual));
            circuit.note(Pass::Usual, DOWN, now);
        }
        circuit
    }

    #[test]
    fn an_endpoint_that_fails_on_and_on_rests_longer_and_longer_and_is_tried_by_one_at_a_time() {
        let mut now = Instant::now();
        let mut circuit = failed(now);
        for rest in [1, 2, 4, 8, 16, 30, 30] {
            let rest = Duration::from_secs(rest);
            assert_eq!(circuit.pass(now), Err(rest));
            now += rest;
            assert_eq!(circuit.pass(now), Ok(Pass::Trial));
            assert_eq!(circuit.pass(now), Err(TRIAL), "one at a time");
            circuit.note(Pass::Trial, DOWN, now);
        }
    }

    #[test]
    fn one_answer_ends_it() {
        let now = Instant::now();
        let mut circuit = failed(now);
        let later = now + Duration::from_secs(1);
        assert_eq!(circuit.pass(later), Ok(Pass::Trial));
        circuit.note(Pass::Trial, None, later);
        for _ in 0..TOLERATED {
            assert_eq!(circuit.pass(later), Ok(Pass::Usual));
            circuit.note(Pass::Usual, DOWN, later);
        }
        assert_eq!(circuit.pass(later), Ok(Pass::Usual), "failures are counted anew");
    }

    #[test]
    fn failures_of_questions_that_were_under_way_do_not_prolong_the_rest() {
        let now = Instant::now();
        let mut circuit = failed(now);
        for _ in 0..50 {
            circuit.note(Pass::Usual, DOWN, now);
        }
        assert_eq!(circuit.pass(now), Err(Duration::from_secs(1)));
    }

    #[test]
    fn a_trial_that_never_comes_back_is_followed_by_another() {
        let now = Instant::now();
        let mut circuit = failed(now);
        let later = now + Duration::from_secs(1);
        assert_eq!(circuit.pass(later), Ok(Pass::Trial));
        assert_eq!(circuit.pass(later + TRIAL), Ok(Pass::Trial));
    }

    #[test]
    fn tokens_that_make_the_endpoint_fail_switch_it_off_for_nobody() {
        let now = Instant::now();
        let mut circuit = Circuit::default();
        for _ in 0..100 {
            assert_eq!(circuit.pass(now), Ok(Pass::Usual));
            circuit.note(Pass::Usual, Some(Severity::Single), now);
        }
    }

    #[test]
    fn refused_credentials_are_not_tried_again_at_once() {
        let now = Instant::now();
        let mut circuit = Circuit::default();
        circuit.note(Pass::Usual, Some(Severity::Refused), now);
        assert_eq!(circuit.pass(now), Err(REFUSED_REST));
    }
}
