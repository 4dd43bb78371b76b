//! Token exchange (RFC 8693): the caller's token is shown to the provider that issued it, which gives one for the MCP server.
//!
//! # Flow
//! `cache` (exchanged before?) -> `endpoint` (one bounded POST through the guard, one at a time for a caller) -> `answer` (is it
//! a bearer token, short-lived, and not good at Tollward itself?) -> `cache`.
//!
//! # Guarantees
//! - The token endpoint is that of the provider whose key verified the caller's token, found where its metadata says or where
//!   the provider's own configuration does. Nothing that an MCP server's owner writes leads a token anywhere else.
//! - A token is remembered for one caller's token and one target, and for no longer than it lives.
//!
//! # Caveats
//! - A caller whose rights end keeps an exchanged token for as long as it lives, unless its own token is refused before.

mod answer;
mod cache;
mod endpoint;

pub use cache::ExchangeCache;
pub use endpoint::{GuardedTokenEndpoint, TokenEndpoint, TokenRequest};

use super::Ask;
use super::failure::IdentityFailure;
use super::mounted::{Mounted, Texts};
use super::presented::{Kind, Presented};
use super::remembered::Key;
use crate::authenticate::{Document, Provider, SubjectToken, subject_token};
use answer::{Exchanged, Expected};
use cache::Entry;
use http::HeaderValue;
use http::header::AUTHORIZATION;
use std::path::PathBuf;
use std::sync::Arc;
use tollward_policy::config::{ClientAuthentication, UpstreamIdentity as Config};
use tollward_policy::digest;
use zeroize::Zeroizing;

/// Seconds before its expiry from which a token is not used any more. For short ones, half of their life.
const SKEW: i64 = 10;
/// Seconds for which a refusal is remembered, so that a caller who may not can't keep the provider busy.
const REFUSED: i64 = 10;
/// Seconds for which a failure is remembered.
const FAILED: i64 = 2;

const SCHEME: &str = "Bearer ";

/// Exchanges callers' tokens for one route.
pub(super) struct Exchange {
    provider: Arc<Provider>,
    endpoint: Arc<dyn TokenEndpoint>,
    cache: Arc<ExchangeCache>,
    client: String,
    authentication: ClientAuthentication,
    secret: Mounted<Zeroizing<String>>,
    audience: Option<String>,
    resource: Option<String>,
    scope: Option<String>,
    expected: Expected,
    /// What is asked for, in short: answers to another question don't count.
    target: Arc<str>,
}

impl Exchange {
    /// `None` if the configuration is of another type.
    pub(super) fn new(
        config: &Config,
        provider: Arc<Provider>,
        own_audiences: Vec<String>,
        endpoint: Arc<dyn TokenEndpoint>,
        cache: Arc<ExchangeCache>,
    ) -> Option<Self> {
        let text = serde_json::to_string(config).ok()?;
        let target = digest::of(asked_of(&provider, &text, &own_audiences)?.as_bytes());
        let Config::TokenExchange { client, audience, resource, scopes, max_lifetime_seconds } = config else {
            return None;
        };
        Some(Self {
            provider,
            endpoint,
            cache,
            client: client.id.clone(),
            authentication: client.authentication,
            secret: Mounted::new(vec![PathBuf::clone(&client.secret)], secret),
            audience: audience.clone(),
            resource: resource.clone(),
            scope: (!scopes.is_empty()).then(|| scopes.join(" ")),
            expected: Expected { max_lifetime: i64::from(*max_lifetime_seconds), own_audiences },
            target: target.into(),
        })
    }

    /// A token for the MCP server.
    pub(super) async fn token(&self, ask: &Ask<'_>) -> Result<Presented, IdentityFailure> {
        // Whoever has no token was not verified; such a route does not pass its checks.
        let caller = ask.principal.token().ok_or(IdentityFailure::Unavailable)?;
        let subject = subject_token(ask.headers).ok_or(IdentityFailure::Unavailable)?;
        if caller.provider != self.provider.config().name {
            tracing::error!("a token of another provider was not shown to this one");
            return Err(IdentityFailure::Refused);
        }
        let key = Key { subject: subject.digest(), target: self.target.clone() };
        let made = self.cache.get_or_make(&key, ask.now, || self.exchange(subject, ask.now));
        let exchanged = made.await?;
        let value = HeaderValue::from_bytes(exchanged.header.as_bytes()).map_err(|_| IdentityFailure::Refused)?;
        let id = exchanged.token_id.clone();
        let mut presented = Presented::new(Kind::ExchangedToken, AUTHORIZATION, value, SCHEME.len(), id);
        presented.key = Some(key);
        Ok(presented)
    }

    /// The MCP server refused the token.
    pub(super) fn forget(&self, presented: &Presented) {
        if let Some(key) = &presented.key {
            self.cache.remove(key);
        }
    }

    pub(super) fn unready(&self, now: i64) -> Option<String> {
        self.secret.get(now).err().map(|error| format!("the client secret for exchanging tokens: {error}"))
    }

    /// Asks the provider, and says for how long its answer counts.
    async fn exchange(&self, subject: SubjectToken<'_>, now: i64) -> Entry {
        match self.ask(subject, now).await {
            Ok(exchanged) => {
                let life = exchanged.lifetime;
                Entry::new(Ok(Arc::new(exchanged)), now, now.saturating_add(life - SKEW.min(life / 2)))
            }
            Err(IdentityFailure::Refused) => {
                Entry::new(Err(IdentityFailure::Refused), now, now.saturating_add(REFUSED))
            }
            Err(IdentityFailure::Unavailable) => {
                Entry::new(Err(IdentityFailure::Unavailable), now, now.saturating_add(FAILED))
            }
        }
    }

    async fn ask(&self, subject: SubjectToken<'_>, now: i64) -> Result<Exchanged, IdentityFailure> {
        let provider = &self.provider.config().name;
        let _place = self.cache.place().await.ok_or_else(|| {
            tracing::warn!(provider, "too many tokens are being exchanged at once");
            IdentityFailure::Unavailable
        })?;
        let url = self.provider.token_endpoint().ok_or_else(|| {
            tracing::warn!(
                provider,
                "the provider's token endpoint is not known: its metadata names none, or was not fetched yet"
            );
            IdentityFailure::Unavailable
        })?;
        let secret = self.secret.get(now).map_err(|_| IdentityFailure::Unavailable)?;
        let request = TokenRequest {
            url: &url,
            ca_file: self.provider.config().ca_file.as_deref(),
            client: &self.client,
            secret: &secret,
            authentication: self.authentication,
            subject: subject.text(),
            audience: self.audience.as_deref(),
            resource: self.resource.as_deref(),
            scope: self.scope.as_deref(),
        };
        let answered = self.endpoint.exchange(&request).await.map_err(|failure| {
            tracing::warn!(provider, %failure, "the token endpoint does not answer");
            IdentityFailure::Unavailable
        })?;
        self.judge(&answered, subject)
    }

    fn judge(&self, answered: &Document, subject: SubjectToken<'_>) -> Result<Exchanged, IdentityFailure> {
        answer::read(answered, subject.text(), &self.expected).map_err(|error| {
            let provider = &self.provider.config().name;
            tracing::warn!(provider, %error, "the token endpoint's answer can't be used");
            error.failure()
        })
    }
}

/// All that decides what is asked, whom, and which answers count: a provider that was configured anew is another one, and what
/// is good for one route may be good at another itself.
fn asked_of(provider: &Provider, exchange: &str, own_audiences: &[String]) -> Option<String> {
    let config = provider.config();
    let asked = (&config.name, &config.issuer, &config.token_url, &config.jwks_url, exchange, own_audiences);
    serde_json::to_string(&asked).ok()
}

fn secret(texts: &Texts) -> Result<Zeroizing<String>, &'static str> {
    match texts {
        [secret] if !secret.chars().any(char::is_control) => Ok(secret.clone()),
        _ => Err("must hold one client secret without control characters"),
    }
}
