//! The machine's clock with an offset that tests move.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use tollward_sidecar::clock::{Clock, SystemClock};

/// Wall-clock time that can be put forward. Clones share the offset.
#[derive(Debug, Clone, Default)]
pub struct TestClock {
    offset_seconds: Arc<AtomicI64>,
}

impl TestClock {
    /// Puts the clock forward.
    pub fn advance(&self, seconds: i64) {
        self.offset_seconds.fetch_add(seconds, Ordering::Relaxed);
    }
}

impl Clock for TestClock {
    fn unix_nanos(&self) -> i128 {
        let offset = i128::from(self.offset_seconds.load(Ordering::Relaxed));
        SystemClock.unix_nanos() + offset * 1_000_000_000
    }
}
