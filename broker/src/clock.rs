//! Time as the broker sees it. It is injected, so that tests move it by hand and nothing in the crate reads the system.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Where the broker reads the time.
pub trait Clock: Send + Sync + 'static {
    /// The current wall-clock time.
    fn now(&self) -> SystemTime;
}

/// The clock of the machine.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one `Clock` that reads the machine's time")]
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}

/// Seconds since 1970, the unit of JWT claims (RFC 7519 section 2, `NumericDate`). A clock set before 1970 gives 0,
/// which makes whatever carries it expired.
pub(crate) fn unix_seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
}
