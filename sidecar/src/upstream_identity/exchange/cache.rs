//! Exchanged tokens by the caller's token and by what was asked for. Several requests of one caller wait for one exchange.

use super::answer::Exchanged;
use crate::upstream_identity::failure::IdentityFailure;
use crate::upstream_identity::remembered::Key;
use quick_cache::sync::Cache;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Most tokens. Beyond them the least used are forgotten, which costs their next use an exchange.
const CAPACITY: usize = 10_000;
/// Most exchanges at once, so that a provider that is slow does not hold every request.
const AT_ONCE: usize = 64;
/// How long an exchange waits for its turn.
const TURN: Duration = Duration::from_secs(2);

/// What an exchange came to, and from when until when that counts.
#[derive(Clone)]
pub(super) struct Entry {
    outcome: Result<Arc<Exchanged>, IdentityFailure>,
    since: i64,
    until: i64,
}

impl Entry {
    pub(super) fn new(outcome: Result<Arc<Exchanged>, IdentityFailure>, since: i64, until: i64) -> Self {
        Self { outcome, since, until }
    }

    /// A clock that was set back must not make old tokens young again.
    fn counts(&self, now: i64) -> bool {
        (self.since..self.until).contains(&now)
    }
}

/// Exchanged tokens of all routes. It outlives configurations.
pub struct ExchangeCache {
    entries: Cache<Key, Entry>,
    places: Semaphore,
}

impl ExchangeCache {
    /// An empty cache.
    pub fn new() -> Self {
        Self { entries: Cache::new(CAPACITY), places: Semaphore::new(AT_ONCE) }
    }

    /// What is remembered and counts at `now`, or what `make` gives. Whoever asks for the same meanwhile waits for it; if the
    /// one that makes it goes away, the next one does.
    pub(super) async fn get_or_make<F: Future<Output = Entry>>(
        &self,
        key: &Key,
        now: i64,
        make: impl FnOnce() -> F,
    ) -> Result<Arc<Exchanged>, IdentityFailure> {
        if let Some(entry) = self.entries.get(key) {
            if entry.counts(now) {
                return entry.outcome;
            }
            self.entries.remove_if(key, |entry| !entry.counts(now));
        }
        match self.entries.get_value_or_guard_async(key).await {
            Ok(entry) => entry.outcome,
            Err(guard) => {
                let entry = make().await;
                // A full shard keeps nothing; the token is used all the same.
                let _ = guard.insert(entry.clone());
                entry.outcome
            }
        }
    }

    pub(super) fn remove(&self, key: &Key) {
        self.entries.remove(key);
    }

    /// A place among the exchanges that run at once.
    pub(super) async fn place(&self) -> Option<SemaphorePermit<'_>> {
        tokio::time::timeout(TURN, self.places.acquire()).await.ok()?.ok()
    }
}

impl Default for ExchangeCache {
    fn default() -> Self {
        Self::new()
    }
}
