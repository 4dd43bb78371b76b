//! What an installer (or `tollward dev`) says about the broker. [`BrokerConfig::validate`] turns it into a
//! [`Broker`](crate::Broker); nothing after that checks configuration again.

mod check;
mod issuer;

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use serde_json::Value;
use thiserror::Error;
use url::Url;

use crate::grant::Subject;
use crate::resource::ProtectedResource;
use crate::scope::ScopeError;

pub(crate) use self::issuer::Issuer;

/// Extra claims of a user's tokens, by claim name.
pub type Claims = BTreeMap<String, Value>;

/// The broker's configuration as written.
#[derive(Debug, Clone)]
pub struct BrokerConfig {
    /// Where clients reach the broker: `https`, or `http` on a loopback address. No query, fragment or trailing slash
    /// after a path. Tokens carry it as `iss`.
    pub issuer: Url,
    /// The MCP servers that tokens are issued for; 1 to 64.
    pub resources: Vec<Resource>,
    /// How users sign in.
    pub sign_in: SignIn,
    /// Lifetime of access tokens: 1 to 300 seconds. It bounds how long a revoked grant still works.
    pub token_lifetime: Duration,
    /// How long a sign-in can be refreshed in all, 5 minutes to 30 days.
    pub refresh_lifetime: Duration,
    /// How long an unused client registration is kept, 1 hour to 365 days.
    pub client_idle_lifetime: Duration,
    /// How many clients may register in a minute, all together.
    pub registrations_per_minute: NonZeroU32,
    /// Application URL schemes that redirects may use besides `https` and loopback `http`, e.g. `cursor`; at most 16.
    /// Any application on the user's device can claim such a scheme, so each one is named here.
    pub private_use_schemes: Vec<String>,
}

/// An MCP server.
#[derive(Debug, Clone)]
pub struct Resource {
    /// Its public address, the RFC 8707 identifier and the tokens' `aud`. No query, no fragment, no trailing slash.
    pub url: Url,
    /// Its name on the consent page; 1 to 100 characters.
    pub name: String,
    /// The scopes it has; at most 64.
    pub scopes: Vec<ScopeText>,
    /// What a request without `scope` gets; all of them must stand in `scopes`.
    pub default_scopes: Vec<String>,
}

/// A scope and what it lets an application do, in words for the user.
#[derive(Debug, Clone)]
pub struct ScopeText {
    /// As in tokens, e.g. `catalog:read`.
    pub name: String,
    /// Completes "It asks for permission to: …"; 1 to 200 characters.
    pub description: String,
}

/// How users sign in.
#[derive(Debug, Clone)]
pub enum SignIn {
    /// A page that takes any name and asks for no proof. **For development on one machine only**: whoever reaches it
    /// is whoever they like to be, so that it must never be reachable in a cluster. It is refused unless the issuer
    /// is a loopback address.
    AnyName {
        /// Claims by user name; they win over `default_claims`.
        claims: BTreeMap<String, Claims>,
        /// Claims of every user.
        default_claims: Claims,
    },
}

/// Why a configuration is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ConfigError {
    /// Not `https`, and not `http` on a loopback address.
    #[error("issuer {0}: use https, or http on 127.0.0.1, [::1] or localhost")]
    IssuerScheme(Url),
    /// Query, fragment, user name, trailing slash or unusual characters.
    #[error("issuer {0}: no query, fragment, user name, trailing slash or encoded characters are allowed")]
    IssuerForm(Url),
    /// `AnyName` outside of a development machine.
    #[error(
        "issuer {0}: sign-in with any name is for development and needs a loopback issuer such as http://127.0.0.1:8089"
    )]
    AnyNameNeedsLoopback(Url),
    /// None or too many resources.
    #[error("resources: name 1 to 64 MCP servers, not {0}")]
    ResourceCount(usize),
    /// The resource's address can't be an identifier.
    #[error(
        "resource {0}: use https, or http on a loopback address, with no query, fragment, user name or trailing slash"
    )]
    ResourceForm(Url),
    /// The same resource twice.
    #[error("resource {0}: named twice")]
    ResourceRepeated(Url),
    /// An empty or over-long text for the consent page.
    #[error("resource {resource}: {what} must have 1 to {most} characters, without control characters")]
    Text {
        /// The resource it belongs to.
        resource: Url,
        /// Which text.
        what: &'static str,
        /// The bound.
        most: usize,
    },
    /// A scope's name.
    #[error("resource {resource}, scope {scope:?}: {source}")]
    Scope {
        /// The resource it belongs to.
        resource: Url,
        /// The name.
        scope: String,
        /// What is wrong with it.
        source: ScopeError,
    },
    /// The same scope twice.
    #[error("resource {resource}: scope {scope:?} is named twice")]
    ScopeRepeated {
        /// The resource it belongs to.
        resource: Url,
        /// The name.
        scope: String,
    },
    /// A default scope that doesn't exist.
    #[error("resource {resource}: the default scope {scope:?} is not one of its scopes")]
    DefaultScope {
        /// The resource it belongs to.
        resource: Url,
        /// The name.
        scope: String,
    },
    /// A lifetime outside of its bounds.
    #[error("{what}: {value:?} is not between {least:?} and {most:?}")]
    Lifetime {
        /// Which one.
        what: &'static str,
        /// What was asked for.
        value: Duration,
        /// Lower bound.
        least: Duration,
        /// Upper bound.
        most: Duration,
    },
    /// A scheme that no application may have.
    #[error("private_use_schemes: {0:?} is not a scheme of an application, or more than 16 are named")]
    PrivateUseScheme(String),
    /// A user name that can't sign in.
    #[error("sign_in: the user name {0:?} must be 1 to 64 of A-Z a-z 0-9 . _ @ + -")]
    UserName(String),
    /// A claim that the broker itself sets, or that changes what a token means.
    #[error("sign_in: the claim {0:?} is set by the broker or has a meaning of its own; choose another name")]
    ReservedClaim(String),
    /// Too many users or too large claims.
    #[error("sign_in: at most 1000 users, and claims of at most 4096 bytes for each")]
    ClaimsTooLarge,
}

/// The configuration after it was checked.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) issuer: Issuer,
    pub(crate) resources: Vec<ProtectedResource>,
    pub(crate) sign_in: SignIn,
    pub(crate) token_lifetime: Duration,
    pub(crate) refresh_lifetime: Duration,
    pub(crate) client_idle_lifetime: Duration,
    pub(crate) registrations_per_minute: NonZeroU32,
    pub(crate) private_use_schemes: Vec<String>,
}

impl Settings {
    /// The resource that a request names, if it is one of ours.
    pub(crate) fn resource(&self, presented: &str) -> Option<&ProtectedResource> {
        self.resources.iter().find(|resource| resource.id.is_named_by(presented))
    }

    /// The extra claims of a user's tokens.
    pub(crate) fn claims(&self, subject: &Subject) -> Claims {
        let SignIn::AnyName { claims, default_claims } = &self.sign_in;
        let mut all = default_claims.clone();
        all.extend(claims.get(subject.as_str()).cloned().unwrap_or_default());
        all
    }
}

impl BrokerConfig {
    pub(crate) fn check(self) -> Result<Settings, ConfigError> {
        check::check(self)
    }
}

#[cfg(test)]
mod tests;
