//! The authenticate stage: from a request's headers to a verified caller, or to the refusal.
//!
//! # Flow
//! `bearer` (one token) -> `cache` (verified before?) -> `compact` (form) -> provider by exact `iss` -> `keyring` (key by
//! `kid` and `alg`; `refresh` fetches them, `discovery` finds them) -> `compact` (signature) -> `kind` and `claims::read` (an
//! access token of this issuer?) -> `cache` -> `claims::judge` (valid now, for this route, by this client?) -> `sender` (sent by
//! whom it is bound to? `confirmation`, `proof`, `own_url`, `nonce`, `replay`) -> `withdrawn` (not denied by its provider?).
//!
//! # Guarantees
//! - No claim but `iss` is looked at before the signature is verified, and `iss` only chooses among the route's providers.
//! - The claims are those of the bytes that were verified.
//! - A token brings neither its key nor an address to fetch one from, and no algorithm beyond its key's and its provider's.
//! - No text of a token or proof is in a refusal, a log line or a `Debug`.
//! - No caller is known before the token's sender is proven, for this very request.
//!
//! # Caveats
//! - Access tokens are JWTs. An opaque one is refused, never tried elsewhere.
//! - That an issuer revoked a token is not seen: it counts until its expiry, unless its provider's `deny` says otherwise.

mod algorithm;
mod bearer;
mod cache;
mod claims;
mod compact;
mod confirmation;
mod discovery;
mod fetch;
mod json;
mod key;
mod keyring;
mod keyset;
mod kind;
mod membership;
mod nonce;
mod own_url;
mod proof;
mod provider;
mod refresh;
mod refusal;
mod registry;
mod replay;
mod roca;
mod scheme;
mod sender;
mod sender_proof;
#[cfg(test)]
mod tests;
mod withdrawn;

pub use algorithm::PROOF_ALGORITHMS;
pub use bearer::{AUTHORIZATION_LIST, AUTHORIZATION_REPEATED, AUTHORIZATION_SCHEME};
pub(crate) use bearer::{SubjectToken, subject_token};
pub use cache::TokenCache;
pub use fetch::{Document, Fetch, FetchFailure, GuardedFetch};
pub use nonce::Nonce;
pub use provider::{IgnoredKeyStatus, KeyStatus, Provider, ProviderStatus};
pub use refusal::{Denied, Refusal};
pub use registry::Providers;
pub use replay::ProofMemory;
pub use scheme::{Scheme, Schemes};
pub use sender::{Addressed, Presented};
pub use sender_proof::SenderProof;
pub use withdrawn::Withdrawn;

use crate::clock::Clock;
use crate::thumbprint::Thumbprint;
use bearer::{BearerToken, Credentials};
use claims::{Demands, Facts};
use compact::Unverified;
use sender::{SenderPolicy, Shown};
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
    sender: SenderPolicy,
    cache: Arc<TokenCache>,
    clock: Arc<dyn Clock>,
}

/// A verified caller.
#[derive(Debug, Clone, PartialEq)]
pub struct Authenticated {
    /// Who it is.
    pub principal: Principal,
    /// What it proved besides having the token.
    pub sender: SenderProof,
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
        addressed: &Addressed<'_>,
    ) -> Result<Self, AuthenticatorError> {
        let (names, audiences, allowed_clients, constraint) = match auth {
            AuthConfig::None {} => return Ok(Self { mode: Mode::Open }),
            AuthConfig::OAuth { providers, audiences, allowed_clients, auth_server_metadata: _, sender_constraint } => {
                (providers, audiences, allowed_clients, sender_constraint.as_ref())
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
                sender: SenderPolicy::new(constraint, addressed),
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

    /// By which schemes a token can pass.
    pub fn schemes(&self) -> Schemes {
        match &self.mode {
            Mode::Open => Schemes::Bearer,
            Mode::OAuth(oauth) => oauth.sender.schemes(),
        }
    }

    /// Whether tokens may be bound to client certificates, so that clients should be asked for theirs.
    pub fn accepts_certificates(&self) -> bool {
        match &self.mode {
            Mode::Open => false,
            Mode::OAuth(oauth) => oauth.sender.accepts_certificates(),
        }
    }

    /// Who calls. `admit` is asked before a signature is verified, the token's or the proof's: never for an unbound token that
    /// was verified before, or for what is refused at a glance.
    pub async fn authenticate(
        &self,
        presented: Presented<'_>,
        admit: impl FnMut() -> Result<(), Refusal>,
    ) -> Result<Authenticated, Refusal> {
        match &self.mode {
            Mode::Open => Ok(Authenticated { principal: Principal::Anonymous, sender: SenderProof::NONE }),
            Mode::OAuth(oauth) => oauth.authenticate(presented, admit).await,
        }
    }
}

impl OAuth {
    async fn authenticate(
        &self,
        presented: Presented<'_>,
        admit: impl FnMut() -> Result<(), Refusal>,
    ) -> Result<Authenticated, Refusal> {
        match bearer::credentials(presented.headers, self.sender.accepts_proofs())? {
            Credentials::Missing => {
                Err(Refusal::new(Reason::CredentialsMissing, "the request carries no access token"))
            }
            Credentials::Token(scheme, token) => {
                let judged = self.judge(scheme, token, presented, admit).await;
                judged.map_err(|refusal| Refusal { scheme, ..refusal })
            }
        }
    }

    async fn judge(
        &self,
        scheme: Scheme,
        token: BearerToken<'_>,
        presented: Presented<'_>,
        mut admit: impl FnMut() -> Result<(), Refusal>,
    ) -> Result<Authenticated, Refusal> {
        let digest = token.digest();
        let facts = match self.remembered(digest) {
            Some(facts) => facts,
            None => self.verify(token, digest, &mut admit).await?,
        };
        let now = self.clock.unix_seconds();
        claims::judge(&facts, &self.demands, now)?;
        let shown = Shown { scheme, token: Thumbprint::from_hash(digest), presented, now };
        let sender = self.sender.judge(facts.bound.as_ref(), &facts.key, &shown, admit)?;
        let caller = facts.caller(&sender);
        self.refuse_denied(caller, sender, now)?;
        Ok(Authenticated { principal: Principal::Token(Arc::clone(caller)), sender })
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
        admit: &mut impl FnMut() -> Result<(), Refusal>,
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
