//! How long the next start of a process has to wait. Pure: the time and the chance are given.

use std::time::{Duration, Instant};

/// After the first failure.
const FIRST: Duration = Duration::from_millis(500);
/// The longest wait, before its jitter.
const LONGEST: Duration = Duration::from_secs(30);

/// Failures in a row, and until when nothing is started.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
    until: Option<Instant>,
}

impl Backoff {
    /// The time that is left to wait; `None` if a process may start.
    pub(crate) fn wait(&self, now: Instant) -> Option<Duration> {
        self.until.map(|until| until.saturating_duration_since(now)).filter(|left| !left.is_zero())
    }

    /// A process ended that should not have. Up to half as much again is added by `chance`, so that pods do not start alike.
    pub(crate) fn failed(&mut self, now: Instant, chance: u8) {
        let doubled = FIRST.saturating_mul(1 << self.failures.min(10)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        self.until = Some(now + doubled + doubled.mul_f64(f64::from(chance) / 512.0));
    }

    /// A process does its work.
    pub(crate) fn succeeded(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::{Backoff, LONGEST};
    use std::time::{Duration, Instant};

    #[test]
    fn waits_double_up_to_a_bound_and_end_with_success() {
        let (mut backoff, now) = (Backoff::default(), Instant::now());
        assert_eq!(backoff.wait(now), None);
        let mut waits = Vec::new();
        for _ in 0..40 {
            backoff.failed(now, 0);
            waits.push(backoff.wait(now).unwrap());
        }
        assert_eq!(waits[..3], [500, 1000, 2000].map(Duration::from_millis));
        assert_eq!(waits.last(), Some(&LONGEST));
        assert_eq!(backoff.wait(now + LONGEST), None);
        backoff.failed(now, u8::MAX);
        assert!(backoff.wait(now).unwrap() <= LONGEST.mul_f64(1.5));
        backoff.succeeded();
        assert_eq!(backoff.wait(now), None);
    }
}
