//! Everything around the stage: a clock moved by hand, a network that is a table, and one route.

use super::issuer::{ISSUER, Key, NOW, RESOURCE, key_set};
use crate::authenticate::{
    Addressed, Authenticated, Authenticator, AuthenticatorError, Document, Fetch, FetchFailure, Form, Presented,
    ProofMemory, Provider, Providers, Refusal, TokenCache,
};
use crate::clock::Clock;
use crate::session::SessionKeys;
use futures_util::future::BoxFuture;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Semaphore;
use tollward_policy::config::{
    Algorithm, AuthConfig, AuthServerMetadata, ClaimNames, ProviderConfig, RefreshConfig, TokenProfile, TokenType,
};
use tollward_policy::endpoint::Endpoint;
use tollward_policy::principal::{Principal, TokenPrincipal};
use tollward_policy::reason::Reason;

pub(super) const JWKS_URL: &str = "https://idp.example/keys";
pub(super) const INTERVAL: u64 = 600;
pub(super) const COOLDOWN: u64 = 30;
pub(super) const MAX_STALE: u64 = 3600;

/// The wall clock in seconds.
pub(super) struct ManualClock(AtomicI64);

impl ManualClock {
    pub(super) fn set(&self, seconds: i64) {
        self.0.store(seconds, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn unix_nanos(&self) -> i128 {
        i128::from(self.0.load(Ordering::SeqCst)) * 1_000_000_000
    }
}

/// What a URL answers.
#[derive(Clone)]
pub(super) enum Answer {
    Document(Document),
    Unreachable,
    /// Takes the request and never answers.
    Silent,
    /// Answers as soon as the test lets it.
    Held(Arc<Semaphore>, Document),
}

impl Answer {
    pub(super) fn json(body: &str) -> Self {
        Self::of(StatusCode::OK, "application/json", body.as_bytes())
    }

    pub(super) fn of(status: StatusCode, content_type: &str, body: &[u8]) -> Self {
        Self::Document(Document {
            status,
            content_type: Some(content_type.to_owned()),
            cache_control: None,
            body: body.to_vec().into(),
        })
    }
}

/// A network: URLs that aren't in it answer 404.
#[derive(Default)]
pub(super) struct Network {
    answers: Mutex<BTreeMap<String, Answer>>,
    log: Mutex<Vec<String>>,
    forms: Mutex<Vec<Sent>>,
}

/// A form that was sent.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) fields: BTreeMap<String, String>,
    pub(super) basic: bool,
}

impl Network {
    pub(super) fn set(&self, url: &str, answer: Answer) {
        self.answers.lock().unwrap().insert(url.to_owned(), answer);
    }

    pub(super) fn serve_keys(&self, keys: &[&Key]) {
        let keys: Vec<_> = keys.iter().map(|key| key.jwk()).collect();
        self.set(JWKS_URL, Answer::json(&key_set(&keys)));
    }

    pub(super) fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    /// The forms that were sent.
    pub(super) fn forms(&self) -> Vec<Sent> {
        self.forms.lock().unwrap().clone()
    }

    pub(super) fn count(&self, url: &str) -> usize {
        self.log().iter().filter(|fetched| *fetched == url).count()
    }
}

impl Fetch for Network {
    fn post_form<'a>(
        &'a self,
        url: &'a str,
        form: Form<'a>,
        ca_file: Option<&'a Path>,
    ) -> BoxFuture<'a, Result<Document, FetchFailure>> {
        let fields = form.fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.forms.lock().unwrap().push(Sent { fields, basic: form.basic.is_some() });
        self.get(url, ca_file)
    }

    fn get<'a>(&'a self, url: &'a str, _: Option<&'a Path>) -> BoxFuture<'a, Result<Document, FetchFailure>> {
        self.log.lock().unwrap().push(url.to_owned());
        let answer = self.answers.lock().unwrap().get(url).cloned();
        let failure = FetchFailure { detail: "10.0.0.7:443 refused".to_owned(), public: "not fetched" };
        Box::pin(async move {
            match answer {
                None => Ok(Document {
                    status: StatusCode::NOT_FOUND,
                    content_type: None,
                    cache_control: None,
                    body: "".into(),
                }),
                Some(Answer::Document(document)) => Ok(document),
                Some(Answer::Unreachable) => Err(failure),
                Some(Answer::Silent) => std::future::pending().await,
                Some(Answer::Held(gate, document)) => {
                    gate.acquire().await.unwrap().forget();
                    Ok(document)
                }
            }
        })
    }
}

/// A provider with a key set URL, all algorithms that tests sign with, and strict types.
pub(super) fn config() -> ProviderConfig {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    ProviderConfig {
        name: "team/idp".to_owned(),
        issuer: ISSUER.to_owned(),
        jwks_url: Some(JWKS_URL.to_owned()),
        token_url: None,
        ca_file: None,
        algorithms: vec![Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::ES384, Algorithm::EdDSA],
        token_types: vec![TokenType::AccessToken],
        claims: ClaimNames {
            scopes: names(&["scope", "scp"]),
            client: names(&["client_id", "azp"]),
            subject: "sub".to_owned(),
            token_id: names(&["jti", "uti"]),
            groups: names(&["groups"]),
            roles: Vec::new(),
        },
        profile: TokenProfile::generic(),
        leeway_seconds: 30,
        max_lifetime_seconds: None,
        refresh: RefreshConfig {
            interval_seconds: u32::try_from(INTERVAL).unwrap(),
            cooldown_seconds: u32::try_from(COOLDOWN).unwrap(),
            max_stale_seconds: u32::try_from(MAX_STALE).unwrap(),
        },
        deny: Vec::new(),
        introspection: None,
    }
}

/// A route's `auth`.
pub(super) fn route(audiences: &[&str], clients: &[&str]) -> AuthConfig {
    let list = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    AuthConfig::OAuth {
        providers: vec!["team/idp".to_owned()],
        audiences: list(audiences),
        allowed_clients: list(clients),
        allowed_client_hosts: Vec::new(),
        scope_prefixes: BTreeMap::new(),
        auth_server_metadata: AuthServerMetadata::Off,
        sender_constraint: None,
    }
}

/// One route with one provider.
pub(super) struct World {
    pub(super) clock: Arc<ManualClock>,
    pub(super) network: Arc<Network>,
    pub(super) providers: Arc<Providers>,
    pub(super) cache: Arc<TokenCache>,
    pub(super) proofs: Arc<ProofMemory>,
    pub(super) config: ProviderConfig,
    pub(super) authenticator: Authenticator,
}

impl World {
    /// With an empty network.
    pub(super) fn offline(config: ProviderConfig) -> Self {
        let clock = Arc::new(ManualClock(AtomicI64::new(NOW)));
        let network = Arc::new(Network::default());
        let providers = Providers::new(Arc::clone(&network) as _, Arc::clone(&clock) as _);
        let cache = Arc::new(TokenCache::new());
        // Requests of tests come some time after the start.
        let proofs = Arc::new(ProofMemory::new(NOW - 1000));
        let auth = route(&[RESOURCE], &[]);
        let configs = std::slice::from_ref(&config);
        let authenticator = build(&auth, configs, &providers, &cache, &clock, &proofs).unwrap();
        Self { clock, network, providers: Arc::new(providers), cache, proofs, config, authenticator }
    }

    /// With these keys, and ready.
    pub(super) async fn with(config: ProviderConfig, keys: &[&Key]) -> Self {
        let world = Self::offline(config);
        world.network.serve_keys(keys);
        until(|| world.provider().ready()).await;
        world
    }

    pub(super) fn provider(&self) -> &Arc<Provider> {
        self.authenticator.providers().next().unwrap()
    }

    /// Another route of the same process.
    pub(super) fn route(&self, audiences: &[&str], clients: &[&str]) -> Authenticator {
        self.build(&route(audiences, clients), std::slice::from_ref(&self.config)).unwrap()
    }

    /// An authenticator of the same process for any `auth`.
    pub(super) fn build(
        &self,
        auth: &AuthConfig,
        configs: &[ProviderConfig],
    ) -> Result<Authenticator, AuthenticatorError> {
        build(auth, configs, &self.providers, &self.cache, &self.clock, &self.proofs)
    }

    pub(super) async fn call(&self, token: &str) -> Result<TokenPrincipal, Refusal> {
        call(&self.authenticator, token).await
    }

    pub(super) async fn reason(&self, token: &str) -> Reason {
        self.call(token).await.map_or_else(|refusal| refusal.reason, |_| Reason::Allowed)
    }

    /// Asks each question and compares all answers.
    pub(super) async fn check(&self, cases: &[(&str, String, Reason)]) {
        let mut wrong = Vec::new();
        for (name, token, expected) in cases {
            let reason = self.reason(token).await;
            if reason != *expected {
                wrong.push(format!("{name}: {reason} instead of {expected}"));
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}

pub(super) fn build(
    auth: &AuthConfig,
    configs: &[ProviderConfig],
    providers: &Providers,
    cache: &Arc<TokenCache>,
    clock: &Arc<ManualClock>,
    proofs: &Arc<ProofMemory>,
) -> Result<Authenticator, AuthenticatorError> {
    let endpoint = Endpoint::parse(RESOURCE).unwrap();
    let keys = SessionKeys::new([(1, [7; 32])]).unwrap();
    let addressed = Addressed { endpoint: &endpoint, hosts: &[], server: "uid-1", keys: &keys, proofs };
    Authenticator::new(auth, configs, providers, Arc::clone(cache), Arc::clone(clock) as _, &addressed)
}

/// Judges a POST with these headers on a connection without client certificate.
pub(super) async fn judge(authenticator: &Authenticator, headers: &HeaderMap) -> Result<Authenticated, Refusal> {
    let presented = Presented { headers, method: &Method::POST, certificate: None };
    authenticator.authenticate(presented, |_| Ok(())).await
}

/// Calls with a token.
pub(super) async fn call(authenticator: &Authenticator, token: &str) -> Result<TokenPrincipal, Refusal> {
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, HeaderValue::from_bytes(format!("Bearer {token}").as_bytes()).unwrap());
    match judge(authenticator, &headers).await?.principal {
        Principal::Token(token) => Ok((*token).clone()),
        Principal::Anonymous => panic!("a token gave an anonymous caller"),
    }
}

/// Lets the other tasks run until the condition holds.
pub(super) async fn until(condition: impl Fn() -> bool) {
    for _ in 0..10_000 {
        if condition() {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("the condition never held");
}

/// Moves tokio's paused time and lets what was due happen.
pub(super) async fn pass(seconds: u64) {
    tokio::time::advance(Duration::from_secs(seconds)).await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}
