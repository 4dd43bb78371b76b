//! Who may connect where, and what became of the last attempt to change it.
//!
//! A file that can't be read never replaces one that could. But it may have been a tightening: when a newer one stays unread for
//! [`MAX_STALE`], tunnels are refused instead of judged by lists that are out of date.

use crate::clock::Clock;
use crate::denial::Denial;
use crate::state::MAX_STALE;
use arc_swap::ArcSwap;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tollward_policy::config::{EgressConfig, ServerRef};
use tollward_policy::egress::{AllowList, Destination, EgressIdentity};
use tollward_policy::reason::Reason;

/// `stale_at` while nothing is rejected.
const NEVER: i64 = i64::MAX;

/// The lists of one file.
pub(crate) struct Compiled {
    /// Digest of the file.
    pub(crate) digest: String,
    servers: HashMap<String, (ServerRef, AllowList)>,
}

impl Compiled {
    /// The lists of a checked file. An entry that can't be read permits nothing.
    pub(crate) fn new(config: &EgressConfig, digest: String) -> Self {
        let list = |entries: &[tollward_policy::config::EgressEntry]| {
            let mut list = AllowList::default();
            for entry in entries {
                if let Err(error) = list.add(&entry.host, entry.port) {
                    tracing::error!(%error, "an entry permits nothing");
                }
            }
            list
        };
        let servers = config.servers.iter();
        let servers = servers.map(|one| (one.server.uid.clone(), (one.server.clone(), list(&one.allow))));
        Self { digest, servers: servers.collect() }
    }

    /// The server of this identity.
    pub(crate) fn server(&self, identity: &EgressIdentity) -> Option<&ServerRef> {
        self.servers.get(identity.uid()).map(|(server, _)| server)
    }

    /// The entry by which this server may connect there.
    pub(crate) fn permits(&self, identity: &EgressIdentity, destination: &Destination) -> Result<String, Denial> {
        let refused = |detail: String| Denial::new(Reason::EgressNotAllowed).record(detail);
        let (_, list) = self
            .servers
            .get(identity.uid())
            .ok_or_else(|| refused(format!("no server with the uid {} has a list here", identity.uid())))?;
        list.permits(destination).ok_or_else(|| refused(format!("{destination} is not in the server's list")))
    }
}

/// The lists in force.
pub(crate) struct Lists {
    current: ArcSwap<Compiled>,
    stale_at: AtomicI64,
    versions: watch::Sender<u64>,
    clock: Arc<dyn Clock>,
}

impl Lists {
    pub(crate) fn new(first: Compiled, clock: Arc<dyn Clock>) -> Self {
        let (current, stale_at) = (ArcSwap::from_pointee(first), AtomicI64::new(NEVER));
        Self { current, stale_at, versions: watch::Sender::new(1), clock }
    }

    /// The lists for a new tunnel.
    pub(crate) fn current(&self) -> Result<Arc<Compiled>, Denial> {
        if self.is_stale() {
            return Err(Denial::new(Reason::ConfigurationStale).retry_after(Duration::from_secs(30)));
        }
        Ok(self.current.load_full())
    }

    /// The last good lists, however old.
    pub(crate) fn last_good(&self) -> Arc<Compiled> {
        self.current.load_full()
    }

    /// Whether a newer file was unreadable for too long.
    pub(crate) fn is_stale(&self) -> bool {
        let stale_at = self.stale_at.load(Ordering::Relaxed);
        stale_at != NEVER && self.clock.unix_seconds() >= stale_at
    }

    /// Changes with every file that is put in force.
    pub(crate) fn versions(&self) -> watch::Receiver<u64> {
        self.versions.subscribe()
    }

    /// Puts new lists in force, then tells the tunnels.
    pub(crate) fn accept(&self, compiled: Compiled) {
        self.current.store(Arc::new(compiled));
        self.stale_at.store(NEVER, Ordering::Relaxed);
        self.versions.send_modify(|version| *version += 1);
    }

    /// Keeps the last good lists and remembers since when they should have been others.
    pub(crate) fn reject(&self) {
        let now = self.clock.unix_seconds();
        let stale_at = now.saturating_add(i64::try_from(MAX_STALE.as_secs()).unwrap_or(i64::MAX));
        let _ = self.stale_at.compare_exchange(NEVER, stale_at, Ordering::Relaxed, Ordering::Relaxed);
    }
}
