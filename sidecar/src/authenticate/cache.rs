//! Tokens whose signature was verified, so that it is verified once. What is remembered is a proof, never a permission: time,
//! audience and client are judged again on every use (`claims::judge`).

use super::claims::Facts;
use quick_cache::sync::Cache;
use std::sync::Arc;

/// Most tokens. Beyond them the least used are forgotten, which costs their next use a verification.
const CAPACITY: usize = 10_000;
/// Longest time for which a proof counts, in seconds.
const MAX_AGE: i64 = 3600;

/// The name of a proof. All 32 bytes of the hash take part: a shortened one could be made to collide.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    /// SHA-256 of the token.
    pub(super) token: [u8; 32],
    /// The provider's name.
    pub(super) provider: Arc<str>,
    /// The generation of the key set that verified it: a removed key takes its proofs with it.
    pub(super) generation: u64,
}

#[derive(Clone)]
struct Entry {
    facts: Arc<Facts>,
    since: i64,
    until: i64,
}

/// Verified tokens of all routes. It holds no token's text.
pub struct TokenCache {
    entries: Cache<Key, Entry>,
}

impl TokenCache {
    /// An empty cache.
    pub fn new() -> Self {
        Self { entries: Cache::new(CAPACITY) }
    }

    /// A proof that counts at `now`, in seconds since the epoch.
    pub(super) fn get(&self, key: &Key, now: i64) -> Option<Arc<Facts>> {
        let Entry { facts, since, until } = self.entries.get(key)?;
        // A clock that was set back must not make old proofs young again.
        if (since..until).contains(&now) {
            Some(facts)
        } else {
            self.entries.remove(key);
            None
        }
    }

    /// Remembers a proof until the token's expiry, an hour at most.
    pub(super) fn insert(&self, key: Key, facts: Arc<Facts>, now: i64) {
        let until = facts.expires_at().min(now.saturating_add(MAX_AGE));
        if until > now {
            self.entries.insert(key, Entry { facts, since: now, until });
        }
    }

    /// How many tokens are remembered.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl Default for TokenCache {
    fn default() -> Self {
        Self::new()
    }
}
