//! As whom a call goes to the MCP server: as nobody, with a signed statement about the caller, with a token of the caller's
//! for that server, or with one account for all.
//!
//! # Flow
//! [`Identities::compile`] makes an [`UpstreamIdentity`] of a route's configuration; the `assume` stage asks it for what one
//! call may show ([`Presented`]); `forward` puts that into its one header.
//!
//! # Guarantees
//! - The caller's token is shown to the token endpoint of the provider that issued it, and to nobody else.
//! - What can't be had is a refusal. There is no way from a failure to a call without identity.
//! - `Debug` of everything here prints no key, token or credential.
//!
//! # Caveats
//! - An MCP server can put what it was shown into the body of an answer. Headers are checked, bodies are the server's.

mod assertion;
mod credential;
mod exchange;
mod failure;
mod mounted;
mod presented;
mod remembered;

pub use assertion::AssertionKeyError;
pub use exchange::{ExchangeCache, GuardedTokenEndpoint, TokenEndpoint, TokenRequest};
pub use failure::IdentityFailure;
pub use presented::{Kind, Presented};

use crate::authenticate::Provider;
use assertion::{AssertionKeys, Assertions};
use bytes::Bytes;
use credential::SharedCredential;
use exchange::Exchange;
use http::HeaderMap;
use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use tollward_policy::config::{AuthConfig, RouteConfig, UpstreamIdentity as Config};
use tollward_policy::principal::Principal;
use tollward_policy::scope::{Catalogue, ScopeSet};

/// Why a route's identity can't be compiled.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// A key.
    #[error(transparent)]
    Key(#[from] AssertionKeyError),
    /// The pod was made for another configuration.
    #[error("there is no folder {0}: this process runs in a pod without that Secret, and the next pod will have it")]
    NotMounted(String),
    /// There is nobody to exchange tokens with.
    #[error("upstream.identity TokenExchange needs exactly one identity provider")]
    NoProvider,
}

/// One call that needs an identity.
pub struct Ask<'a> {
    /// Who calls.
    pub principal: &'a Principal,
    /// The scopes that count.
    pub held: &'a ScopeSet,
    /// Their names.
    pub catalogue: &'a Catalogue,
    /// The JSON-RPC method or transport operation.
    pub method: &'a str,
    /// Id of the request, which its record has too.
    pub id: &'a str,
    /// Headers of the request, with the caller's token.
    pub headers: &'a HeaderMap,
    /// Seconds since the epoch.
    pub now: i64,
}

/// As whom a route's calls go to its MCP server.
pub struct UpstreamIdentity(Compiled);

enum Compiled {
    None,
    Assertion(Assertions),
    Exchange(Box<Exchange>),
    Credential(SharedCredential),
}

impl UpstreamIdentity {
    /// What this call may show; `None` if nothing is to be shown.
    pub async fn present(&self, ask: &Ask<'_>) -> Result<Option<Presented>, IdentityFailure> {
        match &self.0 {
            Compiled::None => Ok(None),
            Compiled::Assertion(assertions) => assertions.sign(ask).map(Some),
            Compiled::Exchange(exchange) => exchange.token(ask).await.map(Some),
            Compiled::Credential(credential) => credential.show(ask.now).map(Some),
        }
    }

    /// The MCP server took what it was shown for no good: it is not shown again.
    pub fn rejected(&self, presented: &Presented) {
        match &self.0 {
            Compiled::None | Compiled::Assertion(_) | Compiled::Credential(_) => {}
            Compiled::Exchange(exchange) => exchange.forget(presented),
        }
    }

    /// The public keys by which the MCP server verifies what it is shown, as a JWK Set.
    pub fn key_set(&self) -> Option<Bytes> {
        match &self.0 {
            Compiled::Assertion(assertions) => Some(assertions.key_set()),
            Compiled::None | Compiled::Exchange(_) | Compiled::Credential(_) => None,
        }
    }

    /// Why no call can be made now, if something of this pod's own is missing.
    pub fn unready(&self, now: i64) -> Option<String> {
        match &self.0 {
            Compiled::None | Compiled::Assertion(_) => None,
            Compiled::Exchange(exchange) => exchange.unready(now),
            Compiled::Credential(credential) => credential.unready(now),
        }
    }
}

impl fmt::Debug for UpstreamIdentity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match &self.0 {
            Compiled::None => "None",
            Compiled::Assertion(_) => "SignedAssertion",
            Compiled::Exchange(_) => "TokenExchange",
            Compiled::Credential(_) => "Credential",
        })
    }
}

/// What outlives a configuration: exchanged tokens, and keys for servers that were given none.
pub struct Identities {
    endpoint: Arc<dyn TokenEndpoint>,
    exchanged: Arc<ExchangeCache>,
    own_keys: Mutex<HashMap<String, Arc<AssertionKeys>>>,
}

impl Identities {
    /// Exchanges tokens at `endpoint`.
    pub fn new(endpoint: Arc<dyn TokenEndpoint>) -> Self {
        Self { endpoint, exchanged: Arc::new(ExchangeCache::new()), own_keys: Mutex::default() }
    }

    /// Compiles a route's identity; `providers` are the route's.
    pub fn compile(&self, route: &RouteConfig, providers: &[Arc<Provider>]) -> Result<UpstreamIdentity, IdentityError> {
        let compiled = match &route.upstream.identity {
            Config::None {} => Compiled::None,
            Config::SignedAssertion { audience, keys } => {
                let keys = match keys {
                    Some(files) => Arc::new(AssertionKeys::load(files)?),
                    None => self.own_keys(&route.server.uid)?,
                };
                Compiled::Assertion(Assertions::new(keys, &route.endpoint.url, audience, providers.len() == 1))
            }
            identity @ Config::TokenExchange { client, .. } => {
                let [provider] = providers else { return Err(IdentityError::NoProvider) };
                is_mounted(&client.secret)?;
                let own = own_audiences(route);
                let (endpoint, cache) = (self.endpoint.clone(), self.exchanged.clone());
                let made = Exchange::new(identity, provider.clone(), own, endpoint, cache);
                Compiled::Exchange(Box::new(made.ok_or(IdentityError::NoProvider)?))
            }
            Config::Credential { form } => {
                let credential = SharedCredential::new(form);
                credential.files().try_for_each(is_mounted)?;
                Compiled::Credential(credential)
            }
        };
        Ok(UpstreamIdentity(compiled))
    }

    /// A random key is kept as long as the process lives, or a reload would make every assertion on its way worthless.
    fn own_keys(&self, uid: &str) -> Result<Arc<AssertionKeys>, AssertionKeyError> {
        let mut own = self.own_keys.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(keys) = own.get(uid) {
            return Ok(keys.clone());
        }
        let keys = Arc::new(AssertionKeys::random()?);
        own.insert(uid.to_owned(), keys.clone());
        Ok(keys)
    }
}

/// What tokens of this route's callers are issued for.
fn own_audiences(route: &RouteConfig) -> Vec<String> {
    let mut own = match &route.auth {
        AuthConfig::OAuth { audiences, .. } => audiences.clone(),
        AuthConfig::None {} => Vec::new(),
    };
    own.push(route.endpoint.url.clone());
    own
}

/// A file that can't be read makes calls wait; a folder that is not there means that this pod was made for an earlier
/// configuration, which stays in force here until the pod is replaced.
fn is_mounted(file: &Path) -> Result<(), IdentityError> {
    match file.parent() {
        Some(folder) if folder.is_dir() => Ok(()),
        Some(folder) => Err(IdentityError::NotMounted(folder.display().to_string())),
        None => Err(IdentityError::NotMounted(file.display().to_string())),
    }
}

#[cfg(test)]
mod tests;
