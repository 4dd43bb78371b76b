//! A map with a capacity and an expiry per row: the one shape that the memory store is made of.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::SystemTime;

/// Rows of one kind.
#[derive(Debug)]
pub(super) struct Table<K, V> {
    rows: HashMap<K, Row<V>>,
    capacity: usize,
}

#[derive(Debug)]
struct Row<V> {
    value: V,
    expires_at: Option<SystemTime>,
}

impl<V> Row<V> {
    fn lives(&self, now: SystemTime) -> bool {
        self.expires_at.is_none_or(|expires_at| now < expires_at)
    }
}

impl<K: Clone + Eq + Hash, V> Table<K, V> {
    pub(super) fn new(capacity: usize) -> Self {
        Self { rows: HashMap::new(), capacity: capacity.max(1) }
    }

    pub(super) fn get(&self, key: &K, now: SystemTime) -> Option<&V> {
        self.rows.get(key).filter(|row| row.lives(now)).map(|row| &row.value)
    }

    pub(super) fn get_mut(&mut self, key: &K, now: SystemTime) -> Option<&mut V> {
        self.rows.get_mut(key).filter(|row| row.lives(now)).map(|row| &mut row.value)
    }

    pub(super) fn set_expiry(&mut self, key: &K, expires_at: SystemTime) {
        if let Some(row) = self.rows.get_mut(key) {
            row.expires_at = Some(expires_at);
        }
    }

    /// Adds a row unless the table is full of living ones.
    pub(super) fn insert(&mut self, key: K, value: V, expires_at: SystemTime, now: SystemTime) -> bool {
        if self.rows.len() >= self.capacity && !self.rows.contains_key(&key) {
            self.rows.retain(|_, row| row.lives(now));
            if self.rows.len() >= self.capacity {
                return false;
            }
        }
        self.rows.insert(key, Row { value, expires_at: Some(expires_at) });
        true
    }

    /// Adds a row; when full, the one with the smallest `rank` makes room.
    pub(super) fn insert_evicting<R: Ord>(
        &mut self,
        key: K,
        value: V,
        expires_at: Option<SystemTime>,
        now: SystemTime,
        rank: impl Fn(&V) -> R,
    ) {
        if self.rows.len() >= self.capacity && !self.rows.contains_key(&key) {
            self.rows.retain(|_, row| row.lives(now));
            if self.rows.len() >= self.capacity {
                let oldest = self.rows.iter().min_by_key(|(_, row)| rank(&row.value)).map(|(key, _)| key.clone());
                oldest.and_then(|key| self.rows.remove(&key));
            }
        }
        self.rows.insert(key, Row { value, expires_at });
    }

    pub(super) fn remove_where(&mut self, goes: impl Fn(&K, &V) -> bool) -> bool {
        let before = self.rows.len();
        self.rows.retain(|key, row| !goes(key, &row.value));
        before != self.rows.len()
    }

    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.rows.values_mut().map(|row| &mut row.value)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }
}
