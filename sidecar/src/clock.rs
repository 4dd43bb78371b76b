//! Wall-clock time, injected, so that tests move it by hand.

use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since the epoch.
pub trait Clock: Send + Sync + 'static {
    /// Now, in nanoseconds since the epoch.
    fn unix_nanos(&self) -> i128;

    /// Now, in whole seconds since the epoch.
    fn unix_seconds(&self) -> i64 {
        i64::try_from(self.unix_nanos() / 1_000_000_000).unwrap_or(i64::MAX)
    }
}

/// The machine's clock.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place where the data plane reads the wall clock")]
    fn unix_nanos(&self) -> i128 {
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => i128::try_from(since.as_nanos()).unwrap_or(i128::MAX),
            Err(before) => -i128::try_from(before.duration().as_nanos()).unwrap_or(i128::MAX),
        }
    }
}
