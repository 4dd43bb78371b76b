//! The authenticate stage: from a request's headers to a verified caller, or to the refusal.
//!
//! # Flow
//! `bearer` (one token) -> `cache` (verified before?) -> `compact` (form) -> provider by exact `iss` -> `keyring` (key by
//! `kid` and `alg`; `refresh` fetches them, `discovery` finds them) -> `compact` (signature) -> `kind` and `claims::read` (an
//! access token of this issuer?) -> `cache` -> `claims::judge` (valid now, for this route, by this client?) -> `withdrawn` (not
//! denied by its provider?).
//!
//! # Guarantees
//! - No claim but `iss` is looked at before the signature is verified, and `iss` only chooses among the route's providers.
//! - The claims are those of the bytes that were verified.
//! - A token brings neither its key nor an address to fetch one from, and no algorithm beyond its key's and its provider's.
//! - No text of a token is in a refusal, a log line or a `Debug`.
//!
//! # Caveats
//! - Access tokens are JWTs. An opaque one is refused, never tried elsewhere.
//! - That an issuer revoked a token is not seen: it counts until its expiry, unless its provider's `deny` says otherwise.

mod algorithm;
mod bearer;
mod cache;
mod claims;
mod compact;
mod discovery;
mod fetch;
mod json;
mod key;
mod keyring;
mod keyset;
mod kind;
mod membership;
mod provider;
mod refresh;
mod refusal;
mod registry;
mod roca;
#[cfg(test)]
mod tests;
mod withdrawn;

pub use bearer::{AUTHORIZATION_LIST, AUTHORIZATION_REPEATED, AUTHORIZATION_SCHEME};
pub use cache::TokenCache;
pub use fetch::{Document, Fetch, FetchFailure, GuardedFetch};
pub use provider::{IgnoredKeyStatus, KeyStatus, Provider, ProviderStatus};
pub use refusal::{Denied, Refusal};
pub use registry::Providers;
pub use withdrawn::Withdrawn;

use crate::clock::Clock;
use bearer::{BearerToken, Credentials};
use claims::{Demands, Facts};
use compact::Unverified;
use http::HeaderMap;
use std::sync::Arc;
use tollward_policy::config::{AuthConfig, ProviderConfig};
use tollward_policy::deny::DenyList;
use tollward_policy::principal::Principal;
use tollward_policy::reason::Reason;

/// Why a route has no authenticator. Such a route must not be served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthenticatorError {
    /// A name without a provider.
    #[error("the route names the identity provider `{0}`, which the configuration does not have")]
    ProviderUnknown(String),
    /// No provider.
    #[error("the route names no identity provider: name one, or write auth.mode None")]
    NoProvider,
    /// No audience.
    #[error(
        "the route has no audience, so that every token of the issuer would do: name the server's resource identifier"
    )]
    NoAudience,
    /// Two providers for one `iss`.
    #[error(
        "two identity providers of the route have the issuer `{0}`, so that it would not be clear whose rules count"
    )]
    IssuerRepeated(String),
}

/// Authenticates the callers of one route.
pub struct Authenticator {
    mode: Mode,
}

enum Mode {
    /// `auth.mode: None`.
    Open,
    OAuth(OAuth),
}

struct OAuth {
    providers: Vec<Trusted>,
    demands: Demands,
    cache: Arc<TokenCache>,
    clock: Arc<dyn Clock>,
}

/// A provider, its name as the cache wants it, and whom it keeps out.
struct Trusted {
    provider: Arc<Provider>,
    name: Arc<str>,
    deny: Option<DenyList>,
}

impl Authenticator {
    /// An authenticator for a route's `auth`, with `configs` as the configuration's providers. It starts those that don't run
    /// yet, so a tokio runtime must be entered. `cache` is shared by all routes.
    pub fn new(
        auth: &AuthConfig,
        configs: &[ProviderConfig],
        providers: &Providers,
        cache: Arc<TokenCache>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, AuthenticatorError> {
        let (names, audiences, allowed_clients) = match auth {
            AuthConfig::None {} => return Ok(Self { mode: Mode::Open }),
            AuthConfig::OAuth { providers, audiences, allowed_clients, auth_server_metadata: _ } => {
                (providers, audiences, allowed_clients)
            }
        };
        if audiences.is_empty() {
            return Err(AuthenticatorError::NoAudience);
        }
        let trusted = trusted(names, configs, providers)?;
        Ok(Self {
            mode: Mode::OAuth(OAuth {
                providers: trusted,
                demands: Demands { audiences: audiences.clone(), allowed_clients: allowed_clients.clone() },
                cache,
                clock,
            }),
        })
    }

    /// The route's providers, in its order.
    pub fn providers(&self) -> impl Iterator<Item = &Arc<Provider>> {
        let trusted: &[Trusted] = match &self.mode {
            Mode::Open => &[],
            Mode::OAuth(oauth) => &oauth.providers,
        };
        trusted.iter().map(|trusted| &trusted.provider)
    }

    /// Who calls. `admit` is asked once, before a signature is verified: never for a token that was verified before or that
    /// is refused at a glance.
    pub async fn authenticate(
        &self,
        headers: &HeaderMap,
        admit: impl FnOnce() -> Result<(), Refusal>,
    ) -> Result<Principal, Refusal> {
        match &self.mode {
            Mode::Open => Ok(Principal::Anonymous),
            Mode::OAuth(oauth) => oauth.authenticate(headers, admit).await,
        }
    }
}

impl OAuth {
    async fn authenticate(
        &self,
        headers: &HeaderMap,
        admit: impl FnOnce() -> Result<(), Refusal>,
    ) -> Result<Principal, Refusal> {
        let token = match bearer::credentials(headers)? {
            Credentials::Missing => {
                return Err(Refusal::new(Reason::CredentialsMissing, "the request carries no access token"));
            }
            Credentials::Token(token) => token,
        };
        let digest = token.digest();
        let facts = match self.remembered(digest) {
            Some(facts) => facts,
            None => self.verify(token, digest, admit).await?,
        };
        let now = self.clock.unix_seconds();
        claims::judge(&facts, &self.demands, now)?;
        self.refuse_denied(&facts.principal, now)?;
        Ok(Principal::Token(Arc::clone(&facts.principal)))
    }

    /// A proof under the keys that count now. With keys too old to be used there is none.
    fn remembered(&self, digest: [u8; 32]) -> Option<Arc<Facts>> {
        let now = self.clock.unix_seconds();
        self.providers.iter().find_map(|trusted| {
            let generation = trusted.provider.generation()?;
            self.cache.get(&trusted.cache_key(digest, generation), now)
        })
    }

    async fn verify(
        &self,
        token: BearerToken<'_>,
        digest: [u8; 32],
        admit: impl FnOnce() -> Result<(), Refusal>,
    ) -> Result<Arc<Facts>, Refusal> {
        let unverified = Unverified::parse(token)?;
        let trusted = self.trusted(unverified.issuer()?)?;
        admit()?;
        let config = trusted.provider.config();
        let algorithm = unverified.algorithm();
        if !config.algorithms.contains(&algorithm) {
            return Err(Refusal::new(
                Reason::TokenAlgorithmRefused,
                "the algorithm of the access token is not one that its provider may use",
            ));
        }
        let selected = trusted.provider.key(unverified.key_id(), algorithm).await?;
        let facts = Arc::new(claims::read(unverified.verify(&selected.key)?, config)?);
        let key = trusted.cache_key(digest, selected.generation);
        self.cache.insert(key, Arc::clone(&facts), self.clock.unix_seconds());
        Ok(facts)
    }

    /// The provider of an issuer, compared character for character.
    fn trusted(&self, issuer: &str) -> Result<&Trusted, Refusal> {
        self.providers
            .iter()
            .find(|trusted| trusted.provider.config().issuer == issuer)
            .ok_or(Refusal::new(Reason::IssuerUnknown, "the issuer of the access token is not trusted by this server"))
    }
}

impl Trusted {
    fn cache_key(&self, token: [u8; 32], generation: u64) -> cache::Key {
        cache::Key { token, provider: Arc::clone(&self.name), generation }
    }
}

fn trusted(
    names: &[String],
    configs: &[ProviderConfig],
    providers: &Providers,
) -> Result<Vec<Trusted>, AuthenticatorError> {
    let chosen = names
        .iter()
        .map(|name| {
            configs
                .iter()
                .find(|config| config.name == *name)
                .ok_or_else(|| AuthenticatorError::ProviderUnknown(name.clone()))
        })
        .collect::<Result<Vec<_>, _>>()?;
    if chosen.is_empty() {
        return Err(AuthenticatorError::NoProvider);
    }
    for (index, config) in chosen.iter().enumerate() {
        if chosen.iter().skip(index + 1).any(|other| other.issuer == config.issuer) {
            return Err(AuthenticatorError::IssuerRepeated(config.issuer.clone()));
        }
    }
    Ok(chosen
        .into_iter()
        .map(|config| Trusted {
            provider: providers.get_or_start(config),
            name: config.name.as_str().into(),
            deny: DenyList::compile(config),
        })
        .collect())
}
