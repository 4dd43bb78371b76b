//! The running broker: checked settings plus the parts that do IO, shared by all endpoints.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use thiserror::Error;

use crate::client::ClientId;
use crate::clock::{Clock, SystemClock};
use crate::config::{BrokerConfig, ConfigError, Settings};
use crate::events::{BrokerEvent, Events, LoggedEvents};
use crate::grant::Subject;
use crate::keys::{KeyError, KeyRing, SigningKey};
use crate::random::{Random, RandomnessUnavailable, SystemRandomness};
use crate::seal::Seals;
use crate::store::{MemoryStore, Store, StoreError, StoreLimits};

/// What the broker is given to work with.
#[derive(Clone)]
pub struct Parts {
    /// Its memory.
    pub store: Arc<dyn Store>,
    /// Its time.
    pub clock: Arc<dyn Clock>,
    /// Its randomness; a cryptographic source.
    pub random: Arc<dyn Random>,
    /// Its audit trail.
    pub events: Arc<dyn Events>,
}

impl Parts {
    /// A store in memory, the machine's clock and randomness, and events as log lines.
    pub fn in_memory() -> Self {
        Self {
            store: Arc::new(MemoryStore::new(StoreLimits::standard())),
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandomness::new()),
            events: Arc::new(LoggedEvents),
        }
    }
}

/// Why there is no broker.
#[derive(Debug, Error)]
pub enum BuildError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// No signing key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// No random bytes for its own keys.
    #[error(transparent)]
    Randomness(#[from] RandomnessUnavailable),
}

impl BrokerConfig {
    /// Checks everything that was written and makes the broker, with a fresh signing key.
    pub fn validate(self, parts: Parts) -> Result<Broker, BuildError> {
        Broker::new(self.check()?, parts)
    }
}

/// The broker. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Broker {
    inner: Arc<Inner>,
}

struct Inner {
    settings: Settings,
    parts: Parts,
    seals: Seals,
    keys: ArcSwap<KeyRing>,
    registrations: RateLimiter<NotKeyed, InMemoryState, LimiterClock, NoOpMiddleware<SystemTime>>,
}

impl Broker {
    fn new(settings: Settings, parts: Parts) -> Result<Self, BuildError> {
        let seals = Seals::generate(parts.random.as_ref())?;
        let keys = ArcSwap::from_pointee(KeyRing::new(SigningKey::generate()?));
        let clock = LimiterClock(Arc::clone(&parts.clock));
        let quota = Quota::per_minute(settings.registrations_per_minute);
        let registrations = RateLimiter::direct_with_clock(quota, clock);
        Ok(Self { inner: Arc::new(Inner { settings, parts, seals, keys, registrations }) })
    }

    /// The issuer identifier, byte for byte as in tokens and metadata: what protected resource metadata must name in
    /// `authorization_servers`.
    pub fn issuer(&self) -> &str {
        self.inner.settings.issuer.as_str()
    }

    /// Publishes a new key that does not sign yet. Call [`Broker::promote_next_key`] once verifiers had time to fetch
    /// it.
    pub fn prepare_next_key(&self) -> Result<(), KeyError> {
        let key = SigningKey::generate()?;
        self.inner.keys.store(Arc::new(self.inner.keys.load().with_next(key)));
        Ok(())
    }

    /// Lets the prepared key sign; the former one stays published while its tokens live. `false` if none is prepared.
    pub fn promote_next_key(&self) -> bool {
        let promoted = self.inner.keys.load().promoted(self.now(), self.settings().token_lifetime);
        promoted.map(|keys| self.inner.keys.store(Arc::new(keys))).is_some()
    }

    /// Takes back all that a user granted to a client: its refresh tokens stop working at once, its access tokens
    /// within the token lifetime. `false` if there was no consent.
    pub async fn withdraw_consent(&self, subject: &Subject, client_id: &ClientId) -> Result<bool, StoreError> {
        let removed = self.store().remove_consents(subject, client_id).await?;
        if removed {
            let (subject, client_id) = (subject.clone(), client_id.clone());
            self.record(BrokerEvent::ConsentWithdrawn { subject, client_id });
        }
        Ok(removed)
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    pub(crate) fn store(&self) -> &dyn Store {
        self.inner.parts.store.as_ref()
    }

    pub(crate) fn random(&self) -> &dyn Random {
        self.inner.parts.random.as_ref()
    }

    pub(crate) fn seals(&self) -> &Seals {
        &self.inner.seals
    }

    pub(crate) fn keys(&self) -> Arc<KeyRing> {
        self.inner.keys.load_full()
    }

    pub(crate) fn now(&self) -> SystemTime {
        self.inner.parts.clock.now()
    }

    pub(crate) fn record(&self, event: BrokerEvent) {
        self.inner.parts.events.record(event);
    }

    /// Takes one registration from the rate, or says how long to wait.
    pub(crate) fn admit_registration(&self) -> Result<(), Duration> {
        let now = self.now();
        self.inner.registrations.check().map_err(|denied| denied.wait_time_from(now))
    }
}

/// The injected clock, for the limiter.
#[derive(Clone)]
struct LimiterClock(Arc<dyn Clock>);

impl governor::clock::Clock for LimiterClock {
    type Instant = SystemTime;

    fn now(&self) -> SystemTime {
        self.0.now()
    }
}
