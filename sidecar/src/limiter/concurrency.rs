//! What is open at once, by key. A permit is given back when it is dropped, however the call ended.
//!
//! Memory is bounded by the requests in flight: a key has a count only while something of it is open.

use super::key::{Hashed, KeyHasher, KeyId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Locks of a limit.
const SHARDS: usize = 16;

/// Open calls of one limit and tier, by key.
#[derive(Debug)]
pub(crate) struct Open {
    shards: Box<[Mutex<HashMap<KeyId, u32, Hashed>>]>,
    hasher: KeyHasher,
}

/// One open call.
#[derive(Debug)]
pub struct Permit {
    open: Arc<Open>,
    id: KeyId,
}

impl Open {
    /// Nothing is open.
    pub(crate) fn new() -> Self {
        let shards = std::iter::repeat_with(Mutex::default).take(SHARDS).collect();
        Self { shards, hasher: KeyHasher::default() }
    }

    /// Opens one more, unless there are `most` already. Also says how many more there may be.
    pub(crate) fn enter(self: &Arc<Self>, key: &str, most: u32) -> Option<(Permit, u32)> {
        let id = self.hasher.id(key);
        let mut shard = self.shard(id)?;
        let open = shard.get(&id).copied().unwrap_or_default();
        if open >= most {
            return None;
        }
        shard.insert(id, open + 1);
        Some((Permit { open: self.clone(), id }, most - open - 1))
    }

    /// How many are open.
    pub(crate) fn count(&self, key: &str) -> u32 {
        let id = self.hasher.id(key);
        self.shard(id).and_then(|shard| shard.get(&id).copied()).unwrap_or_default()
    }

    /// Keys of which something is open.
    #[cfg(test)]
    pub(crate) fn keys(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner).len()).sum()
    }

    fn shard(&self, id: KeyId) -> Option<MutexGuard<'_, HashMap<KeyId, u32, Hashed>>> {
        self.shards.get(id.shard(SHARDS)).map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let Some(mut shard) = self.open.shard(self.id) else { return };
        let left = shard.get(&self.id).copied().unwrap_or_default().saturating_sub(1);
        if left == 0 {
            shard.remove(&self.id);
            // Memory follows what is open.
            if shard.is_empty() && shard.capacity() > 64 {
                shard.shrink_to_fit();
            }
        } else {
            shard.insert(self.id, left);
        }
    }
}
