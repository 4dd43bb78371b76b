//! State of the rate limits on this replica: times of arrival (GCRA) in bounded tables, and what is open at once.
//!
//! Guarantees: a call is charged to all of its limits or to none; no window exceeds its requests; a budget that is in use
//! is never forgotten; memory is bounded by [`KEYS`]. Limits keep their state over a change of configuration: what a caller
//! owes is a time, which a changed rate takes over. Assumptions: what it is given to enforce is this replica's part.

mod bucket;
mod concurrency;
mod gauge;
mod key;
mod local;
mod look;
mod refused;
mod route;
mod shared;
mod standing;
mod store;
mod table;
mod tidy;

pub use bucket::{Bucket, Timer};
pub(crate) use concurrency::Open;
pub use concurrency::Permit;
pub use gauge::gauge;
pub(crate) use key::{Hashed, KeyHasher, KeyId};
pub use local::Local;
pub use look::Look;
pub use refused::{Cause, Refused};
pub use route::{Held, RouteLimiter};
pub use shared::{DialStore, GuardedDial, RouteStores, StoreStatus, Stores};
pub use standing::{CountedBy, Standing};
pub use store::{Charged, Charging, LimitStore, Refusal, at_once};
pub use table::{Room, Table};
pub use tidy::tidy;

use governor::clock::{Clock, DefaultClock};
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use tollward_policy::limits::LimitSet;

/// Callers that the limits of the process count at once, all limits together: 25 to 50 MiB.
pub const KEYS: usize = 1_000_000;
/// Callers that one limit counts at once, so that one that is flooded leaves room for others.
pub const KEYS_PER_LIMIT: usize = KEYS / 2;
/// Of those, addresses that are counted before authentication: strangers must not use up the room of callers.
pub const ADDRESSES: usize = KEYS / 4;

/// Which limit of which route, and which tier.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Name {
    route: String,
    limit: String,
    tier: String,
}

/// All limits of the process.
#[derive(Debug)]
pub struct Limiter<C: Clock = DefaultClock> {
    timer: Timer<C>,
    callers: Arc<Room>,
    strangers: Arc<Room>,
    tables: Mutex<HashMap<Name, Arc<Table>>>,
    open: Mutex<HashMap<Name, Arc<Open>>>,
}

impl<C: Clock + Clone> Limiter<C> {
    /// No limit has any state yet.
    pub fn new(clock: C) -> Self {
        Self {
            timer: Timer::new(clock),
            callers: Arc::new(Room::new(KEYS - ADDRESSES)),
            strangers: Arc::new(Room::new(ADDRESSES)),
            tables: Mutex::default(),
            open: Mutex::default(),
        }
    }

    /// Finds or makes the state of a route's limits.
    pub fn route(&self, route: &str, limits: &LimitSet) -> RouteLimiter<C> {
        let name = |limit: &str, tier: &str| Name { route: route.into(), limit: limit.into(), tier: tier.into() };
        let buckets = limits.rates().iter().map(|named| {
            let room = if named.is_of_strangers() { &self.strangers } else { &self.callers };
            let table = || Arc::new(Table::new(KEYS_PER_LIMIT, room.clone()));
            let table = find(&self.tables, name(&named.id, &named.tier), table);
            Bucket::new(named.rate, table, self.timer.clone())
        });
        let local = Local::new(buckets.collect());
        let open = limits
            .holds_of_route()
            .iter()
            .map(|(limit, tier)| find(&self.open, name(limit, tier), || Arc::new(Open::new())));
        RouteLimiter::new(local, open.collect())
    }

    /// Forgets limits that no route uses any more.
    pub fn sweep(&self) {
        keep_used(&self.tables);
        keep_used(&self.open);
    }

    /// Keys that have a count, by limit; routes and tiers together.
    pub fn keys(&self) -> Vec<(String, usize)> {
        let tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        let mut keys: HashMap<&str, usize> = HashMap::new();
        for (name, table) in tables.iter() {
            *keys.entry(&name.limit).or_default() += table.keys();
        }
        keys.into_iter().map(|(limit, keys)| (limit.to_owned(), keys)).collect()
    }

    fn tidy(&self, turn: usize) {
        let tables: Vec<_> = self.tables.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        for table in tables {
            table.tidy(turn, self.timer.now());
        }
    }
}

fn find<T>(known: &Mutex<HashMap<Name, Arc<T>>>, name: Name, make: impl FnOnce() -> Arc<T>) -> Arc<T> {
    known.lock().unwrap_or_else(PoisonError::into_inner).entry(name).or_insert_with(make).clone()
}

fn keep_used<T>(known: &Mutex<HashMap<Name, Arc<T>>>) {
    known.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, state| Arc::strong_count(state) > 1);
}

#[cfg(test)]
mod tests;
