//! What an issuer says about itself (RFC 8414, OpenID Connect Discovery 1.0): the question, its answer, and who may be asked.
//!
//! Knows nothing of reconciles: whoever asks is pushed into its queue once there is an answer.

mod book;
mod fetch;
mod introspection;

pub use book::Discoveries;
pub use fetch::GuardedDiscovery;
pub use introspection::IntrospectionQuestion;

use futures_util::future::BoxFuture;
use tollward_api::identityprovider::CaConfigMap;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Namespace of the provider.
    pub namespace: String,
    /// Its issuer.
    pub issuer: String,
    /// Where its keys are, if not where its metadata says.
    pub jwks_url: Option<String>,
    /// Its certificate authority.
    pub authority: Option<CaConfigMap>,
    /// How it is to be asked about tokens, if it is.
    pub introspection: Option<IntrospectionQuestion>,
}

/// What an issuer's metadata say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discovered {
    /// How many keys it has.
    pub keys: usize,
    /// PKCE with S256, which MCP clients insist on.
    pub pkce: bool,
    /// Dynamic client registration (RFC 7591).
    pub registration: bool,
    /// Client ID metadata documents.
    pub client_documents: bool,
    /// Where it is asked about tokens, if it is to be.
    pub introspection: Option<String>,
}

/// Asks issuers. The error is for whoever wrote the resource.
pub trait DiscoverySource: Send + Sync {
    /// Asks one. Bounded in time and size by the implementation.
    fn discover(&self, question: Question) -> BoxFuture<'_, Result<Discovered, String>>;
}
