//! The keys of one provider: which count now, and how fresh they are. Requests read them and may ask for a fetch, the refresh
//! task brings what it fetched. Nothing is fetched here.

use super::discovery::{Metadata, RefreshError};
use super::fetch::Fetch;
use super::key::VerifyKey;
use super::keyset::{KeySet, Selection};
use super::refusal::Refusal;
use crate::clock::Clock;
use arc_swap::ArcSwapOption;
use bytes::Bytes;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout};
use tollward_policy::config::{Algorithm, ProviderConfig};
use tollward_policy::reason::Reason;

/// Longest time for which a request waits for a fetch of an unknown key. Issuers that need longer are answered with 503, and
/// the fetch goes on without the request.
const WAIT: Duration = Duration::from_secs(5);

/// The keys of one provider.
pub(super) struct KeyRing {
    pub(super) config: ProviderConfig,
    pub(super) fetch: Arc<dyn Fetch>,
    pub(super) clock: Arc<dyn Clock>,
    /// Wakes the refresh task when a fetch is demanded.
    pub(super) wake: Notify,
    generations: Arc<AtomicU64>,
    current: ArcSwapOption<Current>,
    metadata: ArcSwapOption<Metadata>,
    demand: Mutex<Demand>,
    outcome: watch::Sender<Outcome>,
}

/// The keys that count.
struct Current {
    set: Arc<KeySet>,
    /// Unique in the process, so that what was verified under one set and configuration never counts under another.
    generation: u64,
    fetched: Instant,
    /// What the set was read from.
    document: Bytes,
}

/// A key set as it was fetched.
pub(super) struct Refreshed {
    pub(super) set: KeySet,
    pub(super) document: Bytes,
}

/// Fetches on behalf of unknown keys.
struct Demand {
    last: Option<Instant>,
    pending: bool,
}

/// How the latest fetch ended.
#[derive(Debug, Clone)]
struct Outcome {
    /// Fetches on demand that have ended.
    served: u64,
    last_fetch: Option<i64>,
    last_error: Option<String>,
}

/// A key for one token, and the generation of the set that it is from.
#[derive(Debug)]
pub(super) struct Selected {
    pub(super) key: Arc<VerifyKey>,
    pub(super) generation: u64,
}

/// Whether a fetch on demand is under way.
enum Demanded {
    /// The receiver, and the number of fetches that had ended before.
    Waiting(watch::Receiver<Outcome>, u64),
    Cooling(Duration),
}

impl KeyRing {
    /// No keys yet, or those of `predecessor`, the ring under the provider's former configuration. `generations` counts the
    /// key sets of the process.
    pub(super) fn new(
        config: ProviderConfig,
        fetch: Arc<dyn Fetch>,
        clock: Arc<dyn Clock>,
        generations: Arc<AtomicU64>,
        predecessor: Option<&Self>,
    ) -> Self {
        let outcome = Outcome { served: 0, last_fetch: None, last_error: None };
        let demand = Demand { last: None, pending: false };
        let ring = Self {
            config,
            fetch,
            clock,
            wake: Notify::new(),
            generations,
            current: ArcSwapOption::empty(),
            metadata: ArcSwapOption::empty(),
            demand: Mutex::new(demand),
            outcome: watch::Sender::new(outcome),
        };
        if let Some(predecessor) = predecessor {
            ring.inherit(predecessor);
        }
        ring
    }

    /// The key of a token. An unknown key id is looked for once more after a fetch, if the last such fetch is long enough ago.
    pub(super) async fn key(&self, id: Option<&str>, algorithm: Algorithm) -> Result<Selected, Refusal> {
        if let Some(selected) = self.select(id, algorithm)? {
            return Ok(selected);
        }
        let left = match self.demand() {
            Demanded::Waiting(mut outcome, served) => {
                let ended = outcome.wait_for(|outcome| outcome.served > served);
                // Whether it ended, timed out or failed is seen from what it left behind.
                let in_time = timeout(WAIT, ended).await.is_ok_and(|ended| ended.is_ok());
                if let Some(selected) = self.select(id, algorithm)? {
                    return Ok(selected);
                }
                if !in_time {
                    return Err(Refusal::keys_unavailable("the key of the access token is not known yet", WAIT));
                }
                self.cooldown()
            }
            Demanded::Cooling(left) => left,
        };
        if self.outcome.borrow().last_error.is_some() {
            return Err(Refusal::keys_unavailable(
                "the key of the access token is not known, and the keys of its issuer can not be fetched",
                left,
            ));
        }
        Err(Refusal::new(Reason::TokenKeyUnknown, "no key of the issuer matches the access token"))
    }

    /// Whether tokens can be verified now.
    pub(super) fn is_usable(&self) -> bool {
        self.usable().is_some()
    }

    /// The generation of the keys that count now, if any do.
    pub(super) fn generation(&self) -> Option<u64> {
        self.usable().map(|current| current.generation)
    }

    /// The newest keys, which may be too old to be used.
    pub(super) fn newest(&self) -> Option<Arc<KeySet>> {
        self.current.load().as_ref().map(|current| Arc::clone(&current.set))
    }

    /// The issuer's metadata, if discovery has found it.
    pub(super) fn metadata(&self) -> Option<Arc<Metadata>> {
        self.metadata.load_full()
    }

    /// When keys were last fetched, in seconds since the epoch, and why the latest fetch failed, if it did.
    pub(super) fn last_fetch(&self) -> (Option<i64>, Option<String>) {
        let Outcome { served: _, last_fetch, last_error } = self.outcome.borrow().clone();
        (last_fetch, last_error)
    }

    /// Whether a fetch has ended, well or not.
    pub(super) fn was_fetched(&self) -> bool {
        let outcome = self.outcome.borrow();
        outcome.last_fetch.is_some() || outcome.last_error.is_some()
    }

    /// The keys, unless they are too old.
    fn usable(&self) -> Option<Arc<Current>> {
        let limit = Duration::from_secs(self.config.refresh.max_stale_seconds.into());
        self.current.load_full().filter(|current| current.fetched.elapsed() <= limit)
    }

    /// `None` if the key is unknown.
    fn select(&self, id: Option<&str>, algorithm: Algorithm) -> Result<Option<Selected>, Refusal> {
        let current = self.usable().ok_or_else(|| {
            Refusal::keys_unavailable(
                "the keys of the issuer of the access token are not available",
                self.cooldown().min(WAIT),
            )
        })?;
        match current.set.select(id, algorithm) {
            Selection::Key(key) => Ok(Some(Selected { key, generation: current.generation })),
            Selection::Unknown => Ok(None),
            Selection::OtherAlgorithm => Err(Refusal::new(
                Reason::TokenAlgorithmRefused,
                "the key of the access token is bound to another algorithm",
            )),
            Selection::Ambiguous => {
                Err(Refusal::new(Reason::TokenKeyUnknown, "the access token names no key, and several would fit"))
            }
        }
    }

    fn cooldown(&self) -> Duration {
        Duration::from_secs(self.config.refresh.cooldown_seconds.into())
    }

    /// Asks for a fetch, or joins the one that is under way, unless the last one is too recent.
    fn demand(&self) -> Demanded {
        let mut demand = self.lock();
        if !demand.pending {
            let left =
                demand.last.map(|last| self.cooldown().saturating_sub(last.elapsed())).filter(|left| !left.is_zero());
            if let Some(left) = left {
                return Demanded::Cooling(left);
            }
            demand.last = Some(Instant::now());
            demand.pending = true;
            self.wake.notify_one();
        }
        // Counted under the lock under which the end is announced, so that it can't be missed.
        let outcome = self.outcome.subscribe();
        let served = outcome.borrow().served;
        Demanded::Waiting(outcome, served)
    }

    /// Whether a request waits for a fetch.
    pub(super) fn is_demanded(&self) -> bool {
        self.lock().pending
    }

    /// Whether the issuer's metadata tell where to introspect.
    pub(super) fn discovers_introspection(&self) -> bool {
        self.config.introspection.as_ref().is_some_and(|introspection| introspection.endpoint_url.is_none())
    }

    /// Keeps an issuer's metadata.
    pub(super) fn keep_metadata(&self, metadata: Metadata) {
        self.metadata.store(Some(Arc::new(metadata)));
    }

    /// Takes over what a fetch brought. A failure changes no key. `demanded` tells whether requests waited for it.
    pub(super) fn finish(&self, demanded: bool, result: Result<Refreshed, &RefreshError>) {
        let mut demand = self.lock();
        let (fetched, error) = match result {
            Ok(Refreshed { set, document }) => {
                self.replace(set, document, Instant::now());
                (Some(self.clock.unix_seconds()), None)
            }
            Err(error) => (None, Some(error.public_text())),
        };
        if demanded {
            demand.pending = false;
        }
        self.outcome.send_modify(|outcome| {
            outcome.served += u64::from(demanded);
            outcome.last_fetch = fetched.or(outcome.last_fetch);
            outcome.last_error = error;
        });
    }

    /// Takes over keys from the same place, judged by the new configuration: a reload must not refuse everybody until the next
    /// fetch. They are as old as they were.
    fn inherit(&self, predecessor: &Self) {
        let (own, former) = (&self.config, &predecessor.config);
        let same_place =
            own.issuer == former.issuer && own.jwks_url == former.jwks_url && own.ca_file == former.ca_file;
        if !same_place {
            return;
        }
        self.metadata.store(predecessor.metadata.load_full());
        let Some(current) = predecessor.usable() else {
            return;
        };
        if let Ok(set) = KeySet::parse(&current.document, own) {
            self.replace(set, current.document.clone(), current.fetched);
            let last_fetch = predecessor.outcome.borrow().last_fetch;
            self.outcome.send_modify(|outcome| outcome.last_fetch = last_fetch);
        }
    }

    fn replace(&self, set: KeySet, document: Bytes, fetched: Instant) {
        let generation = match self.current.load().as_ref() {
            Some(current) if current.set.is_equivalent(&set) => current.generation,
            Some(_) | None => self.generations.fetch_add(1, Ordering::Relaxed),
        };
        self.current.store(Some(Arc::new(Current { set: Arc::new(set), generation, fetched, document })));
    }

    fn lock(&self) -> MutexGuard<'_, Demand> {
        // Nothing panics while it is held; if it did, the data would still be whole.
        self.demand.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
