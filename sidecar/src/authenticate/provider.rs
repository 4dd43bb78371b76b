//! One identity provider while the process runs: which keys count now, and what is known about how fresh they are. Fetching is
//! the refresh task's business (`refresh`); here is what requests read and may ask for.

use super::discovery::{Metadata, RefreshError};
use super::fetch::Fetch;
use super::key::VerifyKey;
use super::keyset::{KeySet, Selection};
use super::refresh;
use super::refusal::Refusal;
use crate::clock::Clock;
use arc_swap::ArcSwapOption;
use bytes::Bytes;
use serde::Serialize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout};
use tokio_util::task::AbortOnDropHandle;
use tollward_policy::config::{Algorithm, ProviderConfig};
use tollward_policy::reason::Reason;

/// Longest time for which a request waits for a fetch of an unknown key. Issuers that need longer are answered with 503, and
/// the fetch goes on without the request.
const WAIT: Duration = Duration::from_secs(5);

/// An identity provider and its refresh task, which ends when this is dropped.
pub struct Provider {
    shared: Arc<Shared>,
    _task: AbortOnDropHandle<()>,
}

/// A key in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyStatus {
    /// `kid`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What it verifies.
    pub algorithms: Vec<Algorithm>,
    /// RFC 7638, SHA-256, base64url.
    pub thumbprint: String,
}

/// A key of the issuer that is not used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IgnoredKeyStatus {
    /// `kid`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Why, as a sentence.
    pub reason: String,
}

/// What is known about a provider, for people. It tells nothing about the network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProviderStatus {
    /// `namespace/name`.
    pub name: String,
    /// The issuer.
    pub issuer: String,
    /// Whether its tokens can be verified now.
    pub ready: bool,
    /// Whether keys exist that are too old to be used.
    pub stale: bool,
    /// Keys in use.
    pub keys: Vec<KeyStatus>,
    /// Keys that are not used.
    pub ignored_keys: Vec<IgnoredKeyStatus>,
    /// When keys were last fetched, in seconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_fetch: Option<i64>,
    /// Why the latest fetch failed, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}

/// What the refresh task and the requests have in common.
pub(super) struct Shared {
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
    set: KeySet,
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

impl Provider {
    /// Starts the refresh task, for which a tokio runtime must be entered. `generations` counts the key sets of the process.
    /// `predecessor` is the provider under its former configuration.
    pub(super) fn start(
        config: ProviderConfig,
        fetch: Arc<dyn Fetch>,
        clock: Arc<dyn Clock>,
        generations: Arc<AtomicU64>,
        predecessor: Option<&Self>,
    ) -> Self {
        let outcome = Outcome { served: 0, last_fetch: None, last_error: None };
        let demand = Demand { last: None, pending: false };
        let shared = Arc::new(Shared {
            config,
            fetch,
            clock,
            wake: Notify::new(),
            generations,
            current: ArcSwapOption::empty(),
            metadata: ArcSwapOption::empty(),
            demand: Mutex::new(demand),
            outcome: watch::Sender::new(outcome),
        });
        if let Some(predecessor) = predecessor {
            shared.inherit(&predecessor.shared);
        }
        let task = tokio::spawn(refresh::run(Arc::clone(&shared)));
        Self { shared, _task: AbortOnDropHandle::new(task) }
    }

    /// How it is configured.
    pub fn config(&self) -> &ProviderConfig {
        &self.shared.config
    }

    /// Whether its tokens can be verified now.
    pub fn ready(&self) -> bool {
        self.shared.usable().is_some()
    }

    /// The issuer's own metadata document, byte for byte, if discovery has found one. With a configured key set URL there is
    /// no discovery.
    pub fn auth_server_metadata(&self) -> Option<Bytes> {
        self.shared.metadata.load().as_ref().map(|metadata| metadata.document.clone())
    }

    /// What is known now.
    pub fn status(&self) -> ProviderStatus {
        let shared = &self.shared;
        let Outcome { served: _, last_fetch, last_error } = shared.outcome.borrow().clone();
        let current = shared.current.load();
        let ready = shared.usable().is_some();
        let key = |key: &VerifyKey| KeyStatus {
            id: key.id().map(str::to_owned),
            algorithms: key.algorithms().collect(),
            thumbprint: key.thumbprint().to_owned(),
        };
        ProviderStatus {
            name: shared.config.name.clone(),
            issuer: shared.config.issuer.clone(),
            ready,
            stale: current.is_some() && !ready,
            keys: current.as_ref().map_or_else(Vec::new, |current| current.set.keys().map(key).collect()),
            ignored_keys: current.as_ref().map_or_else(Vec::new, |current| {
                let ignored = current.set.ignored().iter();
                ignored
                    .map(|ignored| IgnoredKeyStatus { id: ignored.id.clone(), reason: ignored.reason.to_string() })
                    .collect()
            }),
            last_fetch,
            last_error,
        }
    }

    /// The generation of the keys that count now, if any do.
    pub(super) fn generation(&self) -> Option<u64> {
        self.shared.usable().map(|current| current.generation)
    }

    /// The key of a token. An unknown key id is looked for once more after a fetch, if the last such fetch is long enough ago.
    pub(super) async fn key(&self, id: Option<&str>, algorithm: Algorithm) -> Result<Selected, Refusal> {
        if let Some(selected) = self.shared.select(id, algorithm)? {
            return Ok(selected);
        }
        let left = match self.shared.demand() {
            Demanded::Waiting(mut outcome, served) => {
                let ended = outcome.wait_for(|outcome| outcome.served > served);
                // Whether it ended, timed out or failed is seen from what it left behind.
                let in_time = timeout(WAIT, ended).await.is_ok_and(|ended| ended.is_ok());
                if let Some(selected) = self.shared.select(id, algorithm)? {
                    return Ok(selected);
                }
                if !in_time {
                    return Err(Refusal::keys_unavailable("the key of the access token is not known yet", WAIT));
                }
                self.shared.cooldown()
            }
            Demanded::Cooling(left) => left,
        };
        if self.shared.outcome.borrow().last_error.is_some() {
            return Err(Refusal::keys_unavailable(
                "the key of the access token is not known, and the keys of its issuer can not be fetched",
                left,
            ));
        }
        Err(Refusal::new(Reason::TokenKeyUnknown, "no key of the issuer matches the access token"))
    }
}

impl Shared {
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
        if let Ok(set) = KeySet::parse(&current.document, &own.algorithms) {
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
        self.current.store(Some(Arc::new(Current { set, generation, fetched, document })));
    }

    fn lock(&self) -> MutexGuard<'_, Demand> {
        // Nothing panics while it is held; if it did, the data would still be whole.
        self.demand.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
