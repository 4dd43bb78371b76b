//! Asking an authorization server about a token that only it can judge (RFC 7662): one provider's endpoint while the process
//! runs.
//!
//! # Flow
//! [`Key`] -> `memory` (answered just now?) -> `flights` (being asked now?) -> the caller's `admit` -> `circuit` (is the
//! endpoint up?) -> `ask` (one question, as this client) -> `answer` (is it an access token, and whose?) -> `memory`.
//!
//! # Guarantees
//! - An answer counts for the token, the endpoint and the route's demands that it was given for, all of them in full, no longer
//!   than configured and never beyond `exp`. It is judged again for every request, as a verified JWT is.
//! - Any number of requests with one token are one question. It goes on when its callers are gone, so that hanging up early
//!   gains nothing.
//! - Questions at once, questions that wait, answers and their sizes are bounded. An endpoint that fails is left alone.
//! - No answer is no permission and no verdict about the token either: 503, never 401.
//! - Neither a token nor the client's secret is in an error, a log line or a `Debug`.

mod answer;
mod ask;
mod circuit;
mod client;
mod flights;
mod memory;
mod trouble;

#[cfg(test)]
pub(super) use answer::read as read_answer;

use super::bearer::BearerToken;
use super::claims::{Facts, Own};
use super::keyring::KeyRing;
use super::refusal::Refusal;
use circuit::Circuit;
use flights::{Flight, Flights};
use futures_util::FutureExt as _;
use memory::Memory;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};
use tollward_policy::config::{IntrospectedTokens, IntrospectionConfig};
use trouble::Trouble;

/// Most questions to one endpoint at once.
const AT_ONCE: usize = 32;
/// Longest wait for a turn.
const TURN: Duration = Duration::from_secs(2);
/// Least time between two warnings about questions that fail by themselves.
const WARNING: Duration = Duration::from_mins(1);

/// What an answer is about. Every part takes part in full: a shortened one could be made to collide.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    /// SHA-256 of the token.
    token: [u8; 32],
    /// Where it was asked about.
    endpoint: Arc<str>,
    /// What the route asks of a token.
    demands: Arc<str>,
}

/// What came of a token.
type Verdict = Result<Arc<Facts>, Refusal>;

/// What is known about asking, for people. It tells nothing about the network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IntrospectionStatus {
    /// Where tokens are introspected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Why the latest question was not answered, if so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}

/// One provider's introspection endpoint.
pub(super) struct Introspection {
    ring: Arc<KeyRing>,
    config: IntrospectionConfig,
    configured: Option<Arc<str>>,
    memory: Memory,
    flights: Flights,
    turns: Semaphore,
    circuit: Mutex<Circuit>,
    news: Mutex<News>,
}

/// What was told about the endpoint last.
#[derive(Default)]
struct News {
    /// What is wrong with it.
    trouble: Option<Trouble>,
    /// When it was last logged that it fails for some tokens.
    warned: Option<Instant>,
}

impl Introspection {
    /// For the provider of that ring, if it is to be asked.
    pub(super) fn new(ring: &Arc<KeyRing>) -> Option<Arc<Self>> {
        let config = ring.config.introspection.clone()?;
        Some(Arc::new(Self {
            ring: Arc::clone(ring),
            configured: config.endpoint_url.as_deref().map(Into::into),
            memory: Memory::new(config.cache_seconds),
            config,
            flights: Flights::default(),
            turns: Semaphore::new(AT_ONCE),
            circuit: Mutex::default(),
            news: Mutex::default(),
        }))
    }

    /// Whether signed tokens are asked about as well.
    pub(super) fn covers_signed(&self) -> bool {
        match self.config.tokens {
            IntrospectedTokens::Opaque => false,
            IntrospectedTokens::All => true,
        }
    }

    /// Whether it is known where to ask.
    pub(super) fn is_usable(&self) -> bool {
        self.endpoint().is_some()
    }

    /// What is known now.
    pub(super) fn status(&self) -> IntrospectionStatus {
        let endpoint = self.endpoint();
        let last_error = match &endpoint {
            Some(_) => lock(&self.news).trouble.as_ref().map(Trouble::public_text),
            None => self.ring.metadata().map(|_| Trouble::NoEndpoint.public_text()),
        };
        IntrospectionStatus { endpoint: endpoint.as_deref().map(str::to_owned), last_error }
    }

    /// A good answer that still counts.
    pub(super) fn remembered(&self, token: [u8; 32], demands: &Arc<str>) -> Option<Arc<Facts>> {
        self.memory.get(&self.key(token, demands)?, self.now())?.ok()
    }

    /// Whose token it is. `admit` is asked once, before the endpoint is. `own` is what the token says itself.
    pub(super) async fn facts(
        self: &Arc<Self>,
        token: BearerToken<'_>,
        digest: [u8; 32],
        demands: &Arc<str>,
        own: Own,
        admit: impl FnOnce() -> Result<(), Refusal>,
    ) -> Verdict {
        let key = self.key(digest, demands).ok_or_else(|| Trouble::NoEndpoint.refusal())?;
        if let Some(verdict) = self.memory.get(&key, self.now()) {
            return verdict;
        }
        let flight = self.flights.join_or_start(&key, || {
            admit()?;
            Ok(self.start(key.clone(), token.text().to_owned().into(), own))
        })?;
        flight.await
    }

    /// A task of its own, so that its outcome is there for everybody who waits, whoever began it.
    fn start(self: &Arc<Self>, key: Key, token: SecretString, own: Own) -> Flight {
        let this = Arc::clone(self);
        let task = tokio::spawn(async move {
            let landing = this.flights.landing(&key);
            let verdict = this.judge(&key, &token, own).await;
            this.memory.keep(key.clone(), &verdict, this.now());
            drop(landing);
            verdict
        });
        task.map(|ended| ended.unwrap_or_else(|_| Err(Trouble::Interrupted.refusal()))).boxed().shared()
    }

    async fn judge(&self, key: &Key, token: &SecretString, own: Own) -> Verdict {
        let mut members = match self.ask(&key.endpoint, token).await {
            Ok(members) => members,
            Err(trouble) => return Err(trouble.refusal()),
        };
        answer::forget_token(&mut members, token.expose_secret());
        answer::read(members, &self.ring.config, own, self.now()).map(Arc::new)
    }

    /// One question, if the endpoint is up, and what it teaches about the endpoint.
    async fn ask(&self, url: &str, token: &SecretString) -> Result<answer::Members, Trouble> {
        let Ok(Ok(_turn)) = timeout(TURN, self.turns.acquire()).await else {
            return Err(Trouble::Busy);
        };
        let pass = lock(&self.circuit).pass(Instant::now()).map_err(Trouble::Resting)?;
        let ring = &self.ring;
        let asked = ask::ask(&*ring.fetch, url, token, &self.config.client, ring.config.ca_file.as_deref()).await;
        let severity = asked.as_ref().err().map(Trouble::severity);
        lock(&self.circuit).note(pass, severity, Instant::now());
        self.tell(asked.as_ref().err());
        asked
    }

    /// Logs when asking begins to fail, fails otherwise or works again, not once for each question.
    fn tell(&self, now: Option<&Trouble>) {
        let provider = &self.ring.config.name;
        let mut news = lock(&self.news);
        if let Some(trouble) = now.filter(|trouble| trouble.may_be_the_tokens()) {
            // Whoever sends such tokens must neither fill the log nor make the endpoint look broken.
            if news.warned.is_none_or(|warned| warned.elapsed() >= WARNING) {
                news.warned = Some(Instant::now());
                tracing::warn!(provider, error = %trouble, "a question about a token failed; callers with such tokens get 503");
            }
            return;
        }
        match (news.trouble.as_ref(), now) {
            (None, None) => return,
            (Some(before), Some(now)) if before.is_like(now) => return,
            (None | Some(_), Some(trouble)) => tracing::error!(
                provider,
                error = %trouble,
                "the authorization server can't be asked about tokens; callers with tokens that it must judge get 503",
            ),
            (Some(_), None) => tracing::info!(provider, "the authorization server answers about tokens again"),
        }
        news.trouble = now.cloned();
    }

    fn key(&self, token: [u8; 32], demands: &Arc<str>) -> Option<Key> {
        Some(Key { token, endpoint: self.endpoint()?, demands: Arc::clone(demands) })
    }

    fn endpoint(&self) -> Option<Arc<str>> {
        self.configured.clone().or_else(|| self.ring.metadata()?.introspection_url.clone())
    }

    fn now(&self) -> i64 {
        self.ring.clock.unix_seconds()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while it is held; if it did, the data would still be whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
