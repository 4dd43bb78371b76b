//! When a store that failed is tried again. Pure: time and chance are given.
//!
//! One trial at a time for each process, at moments that differ between processes, so that many replicas do not come back to
//! a store in the same moment. While it rests nobody asks it.

use std::time::Duration;

/// Answers that may be late one after the other before the store is left alone.
pub(super) const TOLERATED: u32 = 5;
/// Rest before the first trial, at most: what failed may only have been restarted, or moved.
pub(super) const FIRST: Duration = Duration::from_millis(20);
/// Rests after that grow from the first to the last.
const REST: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// A store that has counted for so long is taken for sound.
const SOUND: Duration = Duration::from_secs(10);

/// Failures of one store.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    failures: u32,
}

impl Breaker {
    /// It failed after it had counted for that long; zero if it did not count at all. Returns the time until the next trial.
    /// `chance` is any number.
    pub(super) fn failed(&mut self, counted_for: Duration, chance: u32) -> Duration {
        if counted_for >= SOUND {
            self.failures = 0;
        }
        self.failures = self.failures.saturating_add(1);
        match self.failures - 1 {
            0 => part(FIRST, Duration::ZERO, chance),
            earlier => {
                let (first, last) = REST;
                let most = first.saturating_mul(2_u32.saturating_pow(earlier - 1)).min(last);
                part(most, most / 2, chance)
            }
        }
    }
}

/// Between `least` and `most`, by chance.
fn part(most: Duration, least: Duration, chance: u32) -> Duration {
    least + most.saturating_sub(least).mul_f64(f64::from(chance) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::{Breaker, Duration, SOUND};

    #[test]
    fn rests_grow_to_five_seconds_and_differ_by_up_to_a_half() {
        let (mut longest, mut shortest) = (Breaker::default(), Breaker::default());
        for millis in [20, 100, 200, 400, 800, 1600, 3200, 5000, 5000] {
            assert_eq!(longest.failed(Duration::ZERO, u32::MAX), Duration::from_millis(millis));
            let half = if millis == 20 { 0 } else { millis / 2 };
            assert_eq!(shortest.failed(Duration::ZERO, 0), Duration::from_millis(half));
        }
        for _ in 0..100 {
            assert!(longest.failed(Duration::ZERO, u32::MAX) <= Duration::from_secs(5));
        }
    }

    #[test]
    fn a_store_that_fails_again_soon_is_not_taken_for_sound() {
        let mut breaker = Breaker::default();
        for _ in 0..4 {
            breaker.failed(Duration::ZERO, u32::MAX);
        }
        assert_eq!(breaker.failed(SOUND / 2, u32::MAX), Duration::from_millis(800));
        assert_eq!(breaker.failed(SOUND, u32::MAX), Duration::from_millis(20));
    }
}
