//! The authenticate stage: from a request's headers to a verified caller, or to the refusal.
//!
//! # Flow
//! `bearer` (one token) -> `cache` (verified before?) -> `compact` (form) -> provider by exact `iss` -> `keyring` (key by
//! `kid` and `alg`; `refresh` fetches them, `discovery` finds them) -> `compact` (signature) -> `kind` and `claims::read` (an
//! access token of this issuer?) -> `cache` -> `claims::judge` (valid now, for this route, by this client?) -> `sender` (sent by
//! whom it is bound to? `confirmation`, `proof`, `own_url`, `nonce`, `replay`) -> `withdrawn` (not denied by its provider?).
//!
//! A token that is not signed goes to `introspect` instead of `compact`, if one of the route's providers has an introspection
//! endpoint: another proof of the same facts, judged by the same `claims` and all that follows.
//!
//! # Guarantees
//! - No claim but `iss` is looked at before the signature is verified, and `iss` only chooses among the route's providers.
//! - The claims are those of the bytes that were verified.
//! - A token brings neither its key nor an address to fetch one from, and no algorithm beyond its key's and its provider's.
//! - No text of a token or proof is in a refusal, a log line or a `Debug`.
//! - No caller is known before the token's sender is proven, for this very request.
//!
//! # Caveats
//! - Without a provider with introspection an opaque token is refused, and none is ever tried at two places.
//! - That an issuer revoked a token is not seen by its signature: it counts until its expiry, unless its provider's `deny` says
//!   otherwise. An introspected one counts as long as the answer about it does.

mod advice;
mod algorithm;
mod bearer;
mod cache;
mod claims;
mod compact;
mod confirmation;
mod discovery;
mod fetch;
mod introspect;
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
pub use fetch::{Document, Fetch, FetchFailure, Form, GuardedFetch};
pub use introspect::IntrospectionStatus;
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
use claims::{Demands, Facts, Own};
use compact::Unverified;
use introspect::Introspection;
use sender::{SenderPolicy, Shown};
use std::sync::Arc;
use tollward_policy::clients::AllowedClients;
use tollward_policy::config::{AuthConfig, ProviderConfig, Vendor};
use tollward_policy::deny::DenyList;
use tollward_policy::principal::{Principal, join_lengths};
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
    /// Two providers for tokens that name none.
    #[error(
        "the identity providers `{0}` and `{1}` of the route both have introspection: an opaque token does not say whose it is, \
         so that only one may"
    )]
    IntrospectionRepeated(String, String),
    /// Two providers for one `iss`.
    #[error(
        "two identity providers of the route have the issuer `{0}`, so that it would not be clear whose rules count"
    )]
    IssuerRepeated(String),
}

/// What judging a token that is not known yet takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// Verifying a signature.
    Signature,
    /// A question to the authorization server.
    Question,
}

/// Authenticates the callers of one route.
pub struct Authenticator {
    mode: Mode,
}

enum Mode {
    /// `auth.mode: None`.
    Open,
    OAuth(Box<OAuth>),
}

struct OAuth {
    providers: Vec<Trusted>,
    demands: Demands,
    sender: SenderPolicy,
    /// The one provider that is asked about tokens.
    asked: Option<Asked>,
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

/// A provider that is asked about tokens.
struct Asked {
    introspection: Arc<Introspection>,
    /// Its issuer.
    issuer: String,
    /// The route's demands as part of the name of an answer.
    demands: Arc<str>,
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
        let (names, audiences, clients, constraint) = match auth {
            AuthConfig::None {} => return Ok(Self { mode: Mode::Open }),
            AuthConfig::OAuth {
                providers,
                audiences,
                allowed_clients,
                allowed_client_hosts,
                scope_prefixes: _,
                auth_server_metadata: _,
                sender_constraint,
            } => {
                let clients =
                    AllowedClients::new(allowed_clients.iter().cloned(), allowed_client_hosts.iter().cloned());
                (providers, audiences, clients, sender_constraint.as_ref())
            }
        };
        if audiences.is_empty() {
            return Err(AuthenticatorError::NoAudience);
        }
        let trusted = trusted(names, configs, providers)?;
        let demands = Demands { audiences: audiences.clone(), clients };
        Ok(Self {
            mode: Mode::OAuth(Box::new(OAuth {
                asked: asked(&trusted, &demands)?,
                providers: trusted,
                demands,
                sender: SenderPolicy::new(constraint, addressed),
                cache,
                clock,
            })),
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

    /// Who calls. `admit` is asked before a signature is verified, the token's or the proof's, and before an authorization server
    /// is asked: never for an unbound token that was judged before or is being asked about, or for what is refused at a glance.
    pub async fn authenticate(
        &self,
        presented: Presented<'_>,
        admit: impl FnMut(Effort) -> Result<(), Refusal>,
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
        admit: impl FnMut(Effort) -> Result<(), Refusal>,
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
        mut admit: impl FnMut(Effort) -> Result<(), Refusal>,
    ) -> Result<Authenticated, Refusal> {
        let digest = token.digest();
        let facts = match &self.asked {
            Some(asked) if !compact::looks_signed(token) => {
                let Asked { introspection, issuer: _, demands } = asked;
                introspection.facts(token, digest, demands, Own::UNKNOWN, || admit(Effort::Question)).await?
            }
            Some(_) | None => match self.remembered(digest) {
                Some(facts) => facts,
                None => self.verify(token, digest, || admit(Effort::Signature)).await?,
            },
        };
        let now = self.clock.unix_seconds();
        claims::judge(&facts, &self.demands, now)?;
        let token = Thumbprint::from_hash(digest);
        let shown = Shown { scheme, holder: facts.holder(), token, presented, now };
        let sender = self.sender.judge(facts.bound.as_ref(), &facts.key, &shown, || admit(Effort::Signature))?;
        let caller = facts.caller(&sender);
        self.refuse_denied(caller, sender, now)?;
        Ok(Authenticated { principal: Principal::Token(Arc::clone(caller)), sender })
    }

    /// A proof under the keys that count now, or an answer that still counts. With keys too old to be used there is none.
    fn remembered(&self, digest: [u8; 32]) -> Option<Arc<Facts>> {
        let now = self.clock.unix_seconds();
        let proof = self.providers.iter().find_map(|trusted| {
            let generation = trusted.provider.generation()?;
            self.cache.get(&trusted.cache_key(digest, generation), now)
        });
        let covering = || self.asked.as_ref().filter(|asked| asked.introspection.covers_signed());
        proof.or_else(|| covering().and_then(|asked| asked.introspection.remembered(digest, &asked.demands)))
    }

    async fn verify(
        &self,
        token: BearerToken<'_>,
        digest: [u8; 32],
        admit: impl FnOnce() -> Result<(), Refusal>,
    ) -> Result<Arc<Facts>, Refusal> {
        let unverified = Unverified::parse(token).map_err(|refusal| {
            let advice = advice::for_form(self.vendors(), refusal.reason);
            refusal.advised(advice)
        })?;
        let trusted = self.trusted(&unverified)?;
        admit()?;
        let config = trusted.provider.config();
        let unsigned = advice::before_the_signature(config.profile.vendor, unverified.claims());
        let algorithm = unverified.algorithm();
        if !config.algorithms.contains(&algorithm) {
            return Err(Refusal::new(
                Reason::TokenAlgorithmRefused,
                "the algorithm of the access token is not one that its provider may use",
            ));
        }
        let selected = trusted.provider.key(unverified.key_id(), algorithm).await?;
        let verified = unverified.verify(&selected.key).map_err(|refusal| refusal.advised(unsigned))?;
        if let Some(asked) = self.covering(&config.issuer) {
            // The signature shows that the token is no guess; what it grants, the issuer says.
            let own = claims::own(&verified, config, self.clock.unix_seconds())?;
            return asked.introspection.facts(token, digest, &asked.demands, own, || Ok(())).await;
        }
        let facts = Arc::new(claims::read(verified, config)?);
        let key = trusted.cache_key(digest, selected.generation);
        self.cache.insert(key, Arc::clone(&facts), self.clock.unix_seconds());
        Ok(facts)
    }

    /// Who is asked about signed tokens of that issuer too.
    fn covering(&self, issuer: &str) -> Option<&Asked> {
        self.asked.as_ref().filter(|asked| asked.issuer == issuer && asked.introspection.covers_signed())
    }

    /// The provider of an issuer, compared character for character.
    fn trusted(&self, unverified: &Unverified<'_>) -> Result<&Trusted, Refusal> {
        let issuer = unverified.issuer()?;
        self.providers.iter().find(|trusted| trusted.provider.config().issuer == issuer).ok_or_else(|| {
            let configs = self.providers.iter().map(|trusted| trusted.provider.config());
            Refusal::new(Reason::IssuerUnknown, "the issuer of the access token is not trusted by this server")
                .advised(advice::for_issuer(configs, issuer, unverified.claims()))
        })
    }

    fn vendors(&self) -> impl Iterator<Item = Vendor> {
        self.providers.iter().map(|trusted| trusted.provider.config().profile.vendor)
    }
}

impl Trusted {
    fn cache_key(&self, token: [u8; 32], generation: u64) -> cache::Key {
        cache::Key { token, provider: Arc::clone(&self.name), generation }
    }
}

/// The provider that is asked about tokens, if there is one. Asking several would hand each the tokens of the others.
fn asked(providers: &[Trusted], demands: &Demands) -> Result<Option<Asked>, AuthenticatorError> {
    let mut asked = providers.iter().filter_map(|trusted| Some((trusted, trusted.provider.introspection()?)));
    let Some((first, introspection)) = asked.next() else {
        return Ok(None);
    };
    if let Some((second, _)) = asked.next() {
        return Err(AuthenticatorError::IntrospectionRepeated(first.name.to_string(), second.name.to_string()));
    }
    let joined = [join_lengths(demands.audiences.iter().map(String::as_str)), demands.clients.fingerprint()];
    Ok(Some(Asked {
        introspection: Arc::clone(introspection),
        issuer: first.provider.config().issuer.clone(),
        demands: join_lengths(joined.iter().map(String::as_str)).into(),
    }))
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
