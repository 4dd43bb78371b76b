//! Counts by key, bounded: a time of arrival for each key that owes something.
//!
//! Guarantees: a count is forgotten only once everything in it is refilled, when it means the same as no count. So nobody
//! gets a fresh budget by crowding counts out, neither its own nor another's. When every count is live, a key that has none
//! is refused until one is refilled. Charges of one key are atomic.
//!
//! Costs: 24 bytes and one of control for each slot of a hash table that is at most 7/8 full, in shards that are locked for
//! the time of one update. Refilled counts are looked for where a shard would have to grow, and by [`Table::tidy`].

use super::key::{Hashed, KeyHasher, KeyId};
use super::refused::Refused;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tollward_policy::limits::{Admitted, Rate};

/// Locks of a table.
const SHARDS: usize = 64;
/// A shard with room for fewer keys is not worth shrinking.
const SMALL: usize = 64;
/// When to come back if there is no telling when a count will be refilled.
const RETRY: Duration = Duration::from_secs(1);

/// Keys for which several tables together have room.
#[derive(Debug)]
pub struct Room(AtomicUsize);

/// Counts by key.
#[derive(Debug)]
pub struct Table {
    shards: Box<[Mutex<Shard>]>,
    per_shard: usize,
    hasher: KeyHasher,
    room: Arc<Room>,
}

#[derive(Debug, Default)]
struct Shard {
    arrivals: HashMap<KeyId, u64, Hashed>,
    /// No count is refilled before, so that looking for one would be in vain.
    none_before: u64,
}

impl Room {
    /// Room for that many keys.
    pub fn new(keys: usize) -> Self {
        Self(AtomicUsize::new(keys))
    }

    fn take(&self) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
    }

    fn give(&self, keys: usize) {
        self.0.fetch_add(keys, Ordering::Relaxed);
    }
}

impl Table {
    /// At most that many keys, out of a common room.
    pub fn new(keys: usize, room: Arc<Room>) -> Self {
        let shards = std::iter::repeat_with(Mutex::default).take(SHARDS).collect();
        Self { shards, per_shard: keys.div_ceil(SHARDS), hasher: KeyHasher::default(), room }
    }

    /// Takes the cost out of a key's budget.
    pub fn charge(&self, key: &str, rate: &Rate, cost: u32, now: u64) -> Result<Admitted, Refused> {
        let id = self.hasher.id(key);
        let Some(mut shard) = self.shard(id) else { return Err(Refused::full(RETRY)) };
        if let Some(arrival) = shard.arrivals.get_mut(&id) {
            *arrival = rate.settle(*arrival, now);
            let admitted = rate.admit(*arrival, now, cost).map_err(Refused::exceeded)?;
            *arrival = admitted.arrival;
            return Ok(admitted);
        }
        let admitted = rate.admit(0, now, cost).map_err(Refused::exceeded)?;
        shard.make_room(self.per_shard, &self.room, now)?;
        shard.insert(id, admitted.arrival);
        Ok(admitted)
    }

    /// How a key stands, without a charge.
    pub fn look(&self, key: &str, rate: &Rate, now: u64) -> Result<Admitted, Duration> {
        let id = self.hasher.id(key);
        let arrival = self.shard(id).and_then(|shard| shard.arrivals.get(&id).copied()).unwrap_or_default();
        rate.admit(arrival, now, 1)
    }

    /// Gives back what [`Self::charge`] took, as far as it is still owed, `left`. In between, another charge may have been
    /// refused, never admitted.
    pub fn refund(&self, key: &str, rate: &Rate, cost: u32, left: Duration, now: u64) {
        let id = self.hasher.id(key);
        let Some(mut shard) = self.shard(id) else { return };
        let Entry::Occupied(mut count) = shard.arrivals.entry(id) else { return };
        let arrival = rate.give_back(*count.get(), cost, left);
        if arrival > now {
            count.insert(arrival);
            shard.none_before = shard.none_before.min(arrival);
        } else {
            count.remove();
            self.room.give(1);
        }
    }

    /// Forgets what is refilled, in one of the shards, and gives back memory that a shard no longer needs.
    pub fn tidy(&self, turn: usize, now: u64) {
        let Some(shard) = self.shards.get(turn % SHARDS) else { return };
        let mut shard = lock(shard);
        shard.forget(&self.room, now);
        if shard.arrivals.capacity() > SMALL && shard.arrivals.len() < shard.arrivals.capacity() / 4 {
            let twice = shard.arrivals.len() * 2;
            shard.arrivals.shrink_to(twice);
        }
    }

    /// Keys that have a count.
    pub fn keys(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).arrivals.len()).sum()
    }

    fn shard(&self, id: KeyId) -> Option<MutexGuard<'_, Shard>> {
        self.shards.get(id.shard(SHARDS)).map(lock)
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        self.room.give(self.keys());
    }
}

impl Shard {
    /// Before a key is added. A table that is about to grow is rid of refilled counts first, so that it grows with live
    /// counts only.
    fn make_room(&mut self, most: usize, room: &Room, now: u64) -> Result<(), Refused> {
        if self.arrivals.len() < most && self.arrivals.len() < self.arrivals.capacity() && room.take() {
            return Ok(());
        }
        if now >= self.none_before {
            self.forget(room, now);
        }
        if self.arrivals.len() < most && room.take() {
            return Ok(());
        }
        let wait = Duration::from_nanos(self.none_before.saturating_sub(now));
        Err(Refused::full(if self.arrivals.len() < most { RETRY } else { wait }))
    }

    fn forget(&mut self, room: &Room, now: u64) {
        let before = self.arrivals.len();
        let mut first = u64::MAX;
        self.arrivals.retain(|_, arrival| {
            let live = *arrival > now;
            if live {
                first = first.min(*arrival);
            }
            live
        });
        self.none_before = first;
        room.give(before - self.arrivals.len());
    }

    fn insert(&mut self, id: KeyId, arrival: u64) {
        self.none_before = self.none_before.min(arrival);
        self.arrivals.insert(id, arrival);
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
