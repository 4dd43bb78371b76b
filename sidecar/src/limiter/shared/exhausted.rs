//! Counts that the store said are exhausted: until then further calls are answered here, without asking it.
//!
//! Bounded, and it opens nothing: what is forgotten is asked for again. It is believed for [`LONGEST`] at most, so that a count
//! that was given back, deleted or lost at the store is noticed soon.

use quick_cache::sync::Cache;
use std::time::Duration;
use tokio::time::Instant;

/// Counts that are remembered: about 2 MB.
const COUNTS: usize = 10_000;
/// As long an answer of the store is believed.
const LONGEST: Duration = Duration::from_secs(5);

/// Exhausted counts.
#[derive(Debug)]
pub(super) struct Exhausted(Cache<Box<str>, Entry>);

#[derive(Debug, Clone, Copy)]
struct Entry {
    /// What was refused, in microseconds: less may pass earlier. It grows with the cost and with what a request costs.
    increment: u64,
    tolerance: u64,
    /// When it would pass.
    passes: Instant,
    /// Until when that is believed.
    believed: Instant,
}

impl Exhausted {
    pub(super) fn new() -> Self {
        Self(Cache::new(COUNTS))
    }

    /// Remembers that a charge was refused for that long.
    pub(super) fn note(&self, name: &str, increment: u64, tolerance: u64, wait: Duration, now: Instant) {
        let entry = Entry { increment, tolerance, passes: now + wait, believed: now + wait.min(LONGEST) };
        self.0.insert(name.into(), entry);
    }

    /// How long a charge is refused for certain, if it is. An edited rate has another tolerance or increment and is asked for.
    pub(super) fn wait(&self, name: &str, increment: u64, tolerance: u64, now: Instant) -> Option<Duration> {
        let entry = self.0.get(name)?;
        let about = entry.increment <= increment && entry.tolerance == tolerance && now < entry.believed;
        about.then(|| entry.passes.saturating_duration_since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::{COUNTS, Duration, Exhausted, Instant, LONGEST};

    #[test]
    fn a_refusal_is_repeated_until_it_would_pass_and_for_five_seconds_at_most() {
        let (exhausted, now) = (Exhausted::new(), Instant::now());
        let second = Duration::from_secs(1);
        exhausted.note("short", 10, 100, second, now);
        exhausted.note("long", 10, 100, second * 3600, now);
        assert_eq!(exhausted.wait("short", 10, 100, now + second / 4), Some(second * 3 / 4));
        assert_eq!(exhausted.wait("short", 10, 100, now + second), None);
        assert_eq!(exhausted.wait("long", 10, 100, now + LONGEST / 2), (second * 3600).checked_sub(LONGEST / 2));
        assert_eq!(exhausted.wait("long", 10, 100, now + LONGEST), None);
        assert_eq!(exhausted.wait("other", 10, 100, now), None);
    }

    #[test]
    fn cheaper_calls_and_edited_rates_are_asked_for() {
        let (exhausted, now) = (Exhausted::new(), Instant::now());
        exhausted.note("a", 10, 100, LONGEST, now);
        assert!(exhausted.wait("a", 11, 100, now).is_some());
        assert!(exhausted.wait("a", 9, 100, now).is_none());
        assert!(exhausted.wait("a", 10, 101, now).is_none());
    }

    #[test]
    fn memory_is_bounded() {
        let (exhausted, now) = (Exhausted::new(), Instant::now());
        for number in 0..COUNTS * 3 {
            exhausted.note(&number.to_string(), 1, 1, LONGEST, now);
        }
        assert!(exhausted.0.len() <= COUNTS);
    }
}
