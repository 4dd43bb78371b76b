//! How many sessions and streams are open at one server, by client and in all.
//!
//! A session is live here from its beginning, or from its first use at this replica, until its owner or the MCP server ends it, or
//! until nobody has used it for [`IDLE`]. One that comes back later is live again, if there is room: the sealed id is what
//! opens a session, this table only says how many may be in use. Nobody is pushed out by others: who comes too much is refused.
//!
//! Costs: two locks of a shard for each message of the legacy era. Memory is bounded by the bounds themselves.

use super::Binding;
use crate::limiter::{Hashed, KeyHasher, KeyId, Open, Permit};
use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tollward_policy::config::SessionBounds;
use tollward_policy::principal::{Principal, join_lengths};

/// Seconds for which an unused session counts.
pub(super) const IDLE: i64 = 900;
/// Locks of the table.
const SHARDS: usize = 16;
/// The one key of what is counted for all clients together.
const ALL: &str = "";

/// Which bound is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// The client's own.
    Client,
    /// The server's.
    Server,
}

impl Full {
    /// When to come back. An own session can be ended at once, so that its place may come free any time; for others one waits.
    pub const RETRY: Duration = Duration::from_secs(30);
}

/// Sessions and streams of one server at this replica.
#[derive(Debug)]
pub struct Sessions {
    by_client: Arc<Open>,
    all: Arc<Open>,
    streams_by_client: Arc<Open>,
    streams: Arc<Open>,
    live: Box<[Mutex<HashMap<KeyId, Live, Hashed>>]>,
    hasher: KeyHasher,
    swept_at: AtomicI64,
}

#[derive(Debug)]
struct Live {
    last_used: i64,
    /// Held by every message under way.
    in_use: Arc<()>,
    _place: Opening,
}

/// The place of a session that may begin. It is given back when dropped.
#[derive(Debug)]
pub struct Opening {
    _client: Permit,
    _all: Permit,
}

/// A message of a live session.
#[derive(Debug)]
pub struct SessionInUse {
    id: KeyId,
    _mark: Arc<()>,
}

/// The place of an open stream. It is given back when dropped.
#[derive(Debug)]
pub struct StreamPlace {
    _client: Permit,
    _all: Permit,
}

impl Sessions {
    /// Nothing is open.
    pub fn new() -> Self {
        let open = || Arc::new(Open::new());
        Self {
            by_client: open(),
            all: open(),
            streams_by_client: open(),
            streams: open(),
            live: std::iter::repeat_with(Mutex::default).take(SHARDS).collect(),
            hasher: KeyHasher::default(),
            swept_at: AtomicI64::new(i64::MIN),
        }
    }

    /// A place for a session that is about to begin; `now` in seconds since the epoch.
    pub fn open(&self, client: &str, bounds: &SessionBounds, now: i64) -> Result<Opening, Full> {
        self.try_open(client, bounds).or_else(|full| {
            // Looking through all sessions is for who stands before a full house, and at most once a second.
            if self.swept_at.swap(now, Ordering::Relaxed) == now {
                return Err(full);
            }
            self.sweep(now);
            self.try_open(client, bounds)
        })
    }

    fn try_open(&self, client: &str, bounds: &SessionBounds) -> Result<Opening, Full> {
        let own = self.by_client.enter(client, bounds.max_sessions_per_client).ok_or(Full::Client)?;
        let all = self.all.enter(ALL, bounds.max_sessions).ok_or(Full::Server)?;
        Ok(Opening { _client: own.0, _all: all.0 })
    }

    /// The session began under this sealed id.
    pub fn began(&self, sealed: &str, place: Opening, now: i64) {
        let id = self.hasher.id(sealed);
        if let Some(mut shard) = self.shard(id) {
            shard.insert(id, Live { last_used: now, in_use: Arc::default(), _place: place });
        }
    }

    /// A message under a sealed id that opened. A session that is not known here, since it began elsewhere or was unused
    /// for long, takes a place.
    pub fn resume(&self, sealed: &str, client: &str, bounds: &SessionBounds, now: i64) -> Result<SessionInUse, Full> {
        let id = self.hasher.id(sealed);
        if let Some(in_use) = self.touch(id, now) {
            return Ok(in_use);
        }
        let place = self.open(client, bounds, now)?;
        let Some(mut shard) = self.shard(id) else { return Err(Full::Server) };
        let live = shard.entry(id).or_insert_with(|| Live { last_used: now, in_use: Arc::default(), _place: place });
        Ok(SessionInUse { id, _mark: live.in_use.clone() })
    }

    fn touch(&self, id: KeyId, now: i64) -> Option<SessionInUse> {
        let mut shard = self.shard(id)?;
        let live = shard.get_mut(&id)?;
        live.last_used = now;
        Some(SessionInUse { id, _mark: live.in_use.clone() })
    }

    /// Its owner or the MCP server ended the session.
    pub fn ended(&self, session: &SessionInUse) {
        if let Some(mut shard) = self.shard(session.id) {
            shard.remove(&session.id);
        }
    }

    /// A place for a stream.
    pub fn stream(&self, client: &str, bounds: &SessionBounds) -> Result<StreamPlace, Full> {
        let own = self.streams_by_client.enter(client, bounds.max_streams_per_client).ok_or(Full::Client)?;
        let all = self.streams.enter(ALL, bounds.max_streams).ok_or(Full::Server)?;
        Ok(StreamPlace { _client: own.0, _all: all.0 })
    }

    /// Lets go of what nobody uses.
    fn sweep(&self, now: i64) {
        for shard in &self.live {
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard.retain(|_, live| {
                if Arc::strong_count(&live.in_use) > 1 {
                    live.last_used = now;
                }
                now.saturating_sub(live.last_used) <= IDLE
            });
            if shard.is_empty() && shard.capacity() > 64 {
                shard.shrink_to_fit();
            }
        }
    }

    fn shard(&self, id: KeyId) -> Option<MutexGuard<'_, HashMap<KeyId, Live, Hashed>>> {
        self.live.get(id.shard(SHARDS)).map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Sessions that are known.
    #[cfg(test)]
    pub(super) fn known(&self) -> usize {
        self.live.iter().map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner).len()).sum()
    }
}

impl Default for Sessions {
    fn default() -> Self {
        Self::new()
    }
}

/// Whose sessions and streams are counted as one: those of one caller as sessions are bound to it. Callers without a token have one
/// binding, so that they are told apart by address.
pub fn counted_as<'b>(binding: &'b Binding, principal: &Principal, address: &str) -> std::borrow::Cow<'b, str> {
    match principal {
        Principal::Token(_) => binding.as_str().into(),
        Principal::Anonymous => join_lengths([binding.as_str(), address]).into(),
    }
}

#[cfg(test)]
mod tests;
