//! When to look at an object again: after a failure with growing, jittered pauses, else slowly.
//!
//! The jitter is made of the object's unique id and the number of the attempt: it spreads objects apart and needs no source
//! of randomness.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The first pause.
const FIRST: Duration = Duration::from_secs(1);
/// The longest pause after failures.
const LONGEST: Duration = Duration::from_mins(5);
/// How often replicas that have something new to enforce are asked without growing pauses: they need a second or two.
const PATIENCE: u32 = 8;
/// How often an object is looked at although nothing changed.
const RESYNC: Duration = Duration::from_mins(10);

/// How often replicas are asked about what no watch tells: whether the store of their limits counts, and
/// whether somebody else listens in their pods.
const WATCH: Duration = Duration::from_secs(10);

/// The pause before attempt number `attempt` (from 1), between half and the whole of a doubling time.
pub fn pause(uid: &str, attempt: u32) -> Duration {
    let doubled = FIRST.saturating_mul(1_u32.checked_shl(attempt.saturating_sub(1).min(16)).unwrap_or(u32::MAX));
    jittered(uid, attempt, doubled.min(LONGEST))
}

/// The pause before the next look although nothing changed.
pub fn resync(uid: &str, round: u32) -> Duration {
    jittered(uid, round, RESYNC)
}

/// The pause before replicas are asked again about what no watch tells.
pub fn watch(uid: &str) -> Duration {
    jittered(uid, 0, WATCH)
}

fn jittered(uid: &str, salt: u32, whole: Duration) -> Duration {
    let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one((uid, salt));
    let share = u32::try_from(hash % 1000).unwrap_or_default();
    whole / 2 + (whole / 2) * share / 1000
}

/// Failures in a row, by object.
#[derive(Debug, Default)]
pub struct Attempts(Mutex<HashMap<String, u32>>);

impl Attempts {
    /// Counts a failure and returns the pause before the next attempt.
    pub fn failed(&self, uid: &str) -> Duration {
        let mut attempts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let attempt = attempts.entry(uid.to_owned()).or_default();
        *attempt = attempt.saturating_add(1);
        pause(uid, *attempt)
    }

    /// Counts a look that found replicas behind, and returns the pause before the next one.
    pub fn waits(&self, uid: &str) -> Duration {
        let mut attempts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let attempt = attempts.entry(uid.to_owned()).or_default();
        *attempt = attempt.saturating_add(1);
        pause(uid, attempt.saturating_sub(PATIENCE).max(1))
    }

    /// Failures in a row.
    pub fn count(&self, uid: &str) -> u32 {
        let attempts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        attempts.get(uid).copied().unwrap_or_default()
    }

    /// Forgets an object's failures.
    pub fn forget(&self, uid: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(uid);
    }

    /// Forgets all but these unique ids.
    pub fn retain(&self, live: &HashSet<String>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|uid, _| live.contains(uid));
    }
}

#[cfg(test)]
mod tests {
    use super::{Attempts, pause, resync, watch};
    use std::time::Duration;

    #[test]
    fn pauses_grow_to_a_bound_and_never_vanish() {
        let mut before = Duration::ZERO;
        for attempt in 1..=40 {
            let now = pause("a", attempt);
            assert!(now >= Duration::from_millis(500) && now <= Duration::from_mins(5), "{attempt}: {now:?}");
            // The jitter is less than a doubling, so two steps always grow.
            if attempt % 2 == 0 && attempt <= 8 {
                assert!(now > before, "{attempt}: {before:?} -> {now:?}");
                before = now;
            }
        }
    }

    #[test]
    fn objects_that_fail_together_do_not_come_back_together() {
        let pauses: std::collections::BTreeSet<_> = (0..50).map(|uid| pause(&uid.to_string(), 6)).collect();
        assert!(pauses.len() > 40, "{}", pauses.len());
        assert!(resync("a", 1) >= Duration::from_mins(5));
        assert!((Duration::from_secs(5)..=Duration::from_secs(10)).contains(&watch("a")));
    }

    #[test]
    fn replicas_that_are_behind_are_asked_every_second_at_first() {
        let attempts = Attempts::default();
        for _ in 0..8 {
            assert!(attempts.waits("a") <= Duration::from_secs(1));
        }
        let later: Vec<_> = (0..12).map(|_| attempts.waits("a")).collect();
        assert!(later[11] >= Duration::from_mins(2), "{later:?}");
    }

    #[test]
    fn a_success_starts_from_the_beginning() {
        let attempts = Attempts::default();
        let first = attempts.failed("a");
        attempts.failed("a");
        assert_eq!(attempts.count("a"), 2);
        attempts.forget("a");
        assert_eq!((attempts.failed("a"), attempts.count("a")), (first, 1));
    }

    #[test]
    fn failures_of_an_object_that_is_gone_are_forgotten() {
        let attempts = Attempts::default();
        attempts.failed("gone");
        attempts.failed("here");
        attempts.retain(&["here".to_owned()].into());
        assert_eq!((attempts.count("gone"), attempts.count("here")), (0, 1));
    }
}
