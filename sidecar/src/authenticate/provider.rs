//! One identity provider while the process runs: its keys (`keyring`) with the task that keeps them fresh (`refresh`), and
//! what people are told about them.

use super::fetch::Fetch;
use super::introspect::{Introspection, IntrospectionStatus};
use super::key::VerifyKey;
use super::keyring::{KeyRing, Selected};
use super::keyset::IgnoredKey;
use super::refresh;
use super::refusal::Refusal;
use crate::clock::Clock;
use bytes::Bytes;
use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use tokio_util::task::AbortOnDropHandle;
use tollward_policy::config::{Algorithm, ProviderConfig};

/// An identity provider and its refresh task, which ends when this is dropped.
pub struct Provider {
    ring: Arc<KeyRing>,
    introspection: Option<Arc<Introspection>>,
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
    /// How asking about tokens goes, if they are introspected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub introspection: Option<IntrospectionStatus>,
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
        let ring = Arc::new(KeyRing::new(config, fetch, clock, generations, predecessor.map(|former| &*former.ring)));
        let task = tokio::spawn(refresh::run(Arc::clone(&ring)));
        Self { introspection: Introspection::new(&ring), ring, _task: AbortOnDropHandle::new(task) }
    }

    /// How it is configured.
    pub fn config(&self) -> &ProviderConfig {
        &self.ring.config
    }

    /// Whether its tokens can be verified now: signed ones, or opaque ones if its keys are not to be had.
    pub fn ready(&self) -> bool {
        let asked = || self.introspection.as_ref().is_some_and(|introspection| introspection.is_usable());
        self.ring.is_usable() || (self.ring.was_fetched() && asked())
    }

    /// How it is asked about tokens, if it is.
    pub(super) fn introspection(&self) -> Option<&Arc<Introspection>> {
        self.introspection.as_ref()
    }

    /// The issuer's own metadata document, byte for byte, if discovery has found one. With a configured key set URL there is
    /// no discovery.
    pub fn auth_server_metadata(&self) -> Option<Bytes> {
        self.ring.metadata().map(|metadata| metadata.document.clone())
    }

    /// Where it exchanges tokens: as configured, or as its metadata says.
    pub fn token_endpoint(&self) -> Option<String> {
        if let Some(url) = &self.config().token_url {
            return Some(url.clone());
        }
        let document = super::json::object(&self.auth_server_metadata()?).ok()?;
        document.get("token_endpoint").and_then(serde_json::Value::as_str).map(str::to_owned)
    }

    /// What is known now.
    pub fn status(&self) -> ProviderStatus {
        let ring = &self.ring;
        let (last_fetch, last_error) = ring.last_fetch();
        let newest = ring.newest();
        let usable = ring.is_usable();
        let key = |key: &VerifyKey| KeyStatus {
            id: key.id().map(str::to_owned),
            algorithms: key.algorithms().collect(),
            thumbprint: key.thumbprint().to_owned(),
        };
        let ignored =
            |ignored: &IgnoredKey| IgnoredKeyStatus { id: ignored.id.clone(), reason: ignored.reason.to_string() };
        ProviderStatus {
            name: ring.config.name.clone(),
            issuer: ring.config.issuer.clone(),
            ready: self.ready(),
            stale: newest.is_some() && !usable,
            keys: newest.as_ref().map_or_else(Vec::new, |newest| newest.keys().map(key).collect()),
            ignored_keys: newest
                .as_ref()
                .map_or_else(Vec::new, |newest| newest.ignored().iter().map(ignored).collect()),
            last_fetch,
            last_error,
            introspection: self.introspection.as_ref().map(|introspection| introspection.status()),
        }
    }

    /// The generation of the keys that count now, if any do.
    pub(super) fn generation(&self) -> Option<u64> {
        self.ring.generation()
    }

    /// The key of a token. An unknown key id is looked for once more after a fetch, if the last such fetch is long enough ago.
    pub(super) async fn key(&self, id: Option<&str>, algorithm: Algorithm) -> Result<Selected, Refusal> {
        self.ring.key(id, algorithm).await
    }
}
