//! The configuration in force, and what became of the last attempt to change it.
//!
//! A configuration that can't be read never replaces one that could. But it may have been a tightening: when a newer one
//! stays unread for [`MAX_STALE`], requests are answered 503 instead of by rules that are out of date.

use crate::clock::Clock;
use crate::denial::Denial;
use crate::snapshot::Snapshot;
use arc_swap::ArcSwap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tollward_policy::reason::Reason;

/// How long the last good configuration outlives a newer one that can't be read.
pub const MAX_STALE: Duration = Duration::from_mins(10);

/// The configuration in force.
pub struct State {
    current: ArcSwap<Snapshot>,
    rejected: Mutex<Option<Rejected>>,
    stale_at: std::sync::atomic::AtomicI64,
    versions: watch::Sender<u64>,
    clock: Arc<dyn Clock>,
}

/// A newer configuration that can't be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Digest of the file.
    pub digest: String,
    /// Why, for the operator.
    pub message: String,
    /// Since when, in seconds since the epoch.
    pub since: i64,
}

/// The version of the configuration at the start.
const FIRST: u64 = 1;
/// `stale_at` while nothing is rejected.
const NEVER: i64 = i64::MAX;

impl State {
    /// Starts with a good configuration.
    pub fn new(mut first: Snapshot, clock: Arc<dyn Clock>) -> Self {
        first.version = FIRST;
        Self {
            current: ArcSwap::from_pointee(first),
            rejected: Mutex::new(None),
            stale_at: std::sync::atomic::AtomicI64::new(NEVER),
            versions: watch::Sender::new(FIRST),
            clock,
        }
    }

    /// The configuration for a new request.
    pub fn current(&self) -> Result<Arc<Snapshot>, Denial> {
        let stale_at = self.stale_at.load(std::sync::atomic::Ordering::Relaxed);
        if stale_at != NEVER && self.clock.unix_seconds() >= stale_at {
            return Err(Denial::new(Reason::ConfigurationStale).retry_after(Duration::from_secs(30)));
        }
        Ok(self.current.load_full())
    }

    /// The last good configuration, however old.
    pub fn last_good(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// Puts a new configuration in force, then tells whoever follows [`Self::versions`].
    pub fn accept(&self, mut snapshot: Snapshot) {
        self.versions.send_modify(|version| {
            *version += 1;
            snapshot.version = *version;
            self.current.store(Arc::new(snapshot));
        });
        *self.rejected.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.stale_at.store(NEVER, std::sync::atomic::Ordering::Relaxed);
    }

    /// The version of the configuration in force, and each later one: [`Snapshot::version`].
    pub fn versions(&self) -> watch::Receiver<u64> {
        self.versions.subscribe()
    }

    /// Keeps the last good configuration and remembers since when it should have been another.
    pub fn reject(&self, digest: String, message: String) {
        let mut rejected = self.rejected.lock().unwrap_or_else(PoisonError::into_inner);
        let since = rejected.as_ref().map_or_else(|| self.clock.unix_seconds(), |earlier| earlier.since);
        let stale_at = since.saturating_add(i64::try_from(MAX_STALE.as_secs()).unwrap_or(i64::MAX));
        self.stale_at.store(stale_at, std::sync::atomic::Ordering::Relaxed);
        *rejected = Some(Rejected { digest, message, since });
    }

    /// The newer configuration that can't be used, if there is one.
    pub fn rejected(&self) -> Option<Rejected> {
        self.rejected.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The clock by which requests are judged.
    pub fn clock(&self) -> &dyn Clock {
        self.clock.as_ref()
    }
}
