//! Answers that count for a while: good ones as long as configured, bad ones just long enough to spare the authorization server
//! a caller who does not listen. Junk takes no place of good answers.

use super::{Key, Verdict};
use crate::authenticate::claims::Facts;
use crate::authenticate::refusal::Refusal;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use std::sync::Arc;
use tollward_policy::reason::Reason;

/// Most answers of each kind.
const CAPACITY: usize = 10_000;
/// Most bytes of good answers, as they were received.
const BYTES: u64 = 32 * 1024 * 1024;
/// Seconds for which a refusal counts. A token that is not active will not become so, but one that was just issued may not be
/// known everywhere yet.
const REFUSED: i64 = 5;

#[derive(Clone)]
struct Entry<T> {
    value: T,
    since: i64,
    until: i64,
}

/// Weighs good answers by what they hold.
#[derive(Clone)]
struct BySize;

/// The answers about one endpoint.
pub(super) struct Memory {
    good: Cache<Key, Entry<Arc<Facts>>, BySize>,
    refused: Cache<Key, Entry<Refusal>>,
    seconds: i64,
}

impl Weighter<Key, Entry<Arc<Facts>>> for BySize {
    fn weight(&self, _: &Key, entry: &Entry<Arc<Facts>>) -> u64 {
        entry.value.weight()
    }
}

impl Memory {
    /// Good answers count for that long; 0: not at all.
    pub(super) fn new(seconds: u32) -> Self {
        Self {
            good: Cache::with_weighter(CAPACITY, BYTES, BySize),
            refused: Cache::new(CAPACITY),
            seconds: seconds.into(),
        }
    }

    /// An answer that counts at `now`, in seconds since the epoch.
    pub(super) fn get(&self, key: &Key, now: i64) -> Option<Verdict> {
        if let Some(Entry { value, since, until }) = self.good.get(key) {
            // A clock that was set back must not make old answers young again.
            if (since..until).contains(&now) {
                return Some(Ok(value));
            }
            self.good.remove(key);
        }
        let Entry { value, since, until } = self.refused.get(key)?;
        if (since..until).contains(&now) {
            return Some(Err(value));
        }
        self.refused.remove(key);
        None
    }

    /// Keeps an answer. That there was none is not one.
    pub(super) fn keep(&self, key: Key, verdict: &Verdict, now: i64) {
        match verdict {
            Ok(facts) => {
                let until = facts.expires_at().min(now.saturating_add(self.seconds));
                if until > now {
                    self.good.insert(key, Entry { value: Arc::clone(facts), since: now, until });
                }
            }
            Err(refusal) if refusal.reason == Reason::IntrospectionUnavailable => {}
            Err(refusal) => {
                let until = now.saturating_add(REFUSED);
                self.refused.insert(key, Entry { value: refusal.clone(), since: now, until });
            }
        }
    }
}
