//! What an issuer says about itself (RFC 8414, OpenID Connect Discovery 1.0): the question, its answer, and who may be asked.
//!
//! Knows nothing of reconciles: whoever asks is pushed into its queue once there is an answer.

mod book;
mod describe;
mod fetch;
mod introspection;

pub use book::{Discoveries, Looked};
pub use fetch::GuardedDiscovery;
pub use introspection::IntrospectionQuestion;

use futures_util::future::BoxFuture;
use tollward_api::identityprovider::{CaConfigMap, IssuerStatus};

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Namespace of the provider.
    pub namespace: String,
    /// Its issuers.
    pub issuers: Vec<String>,
    /// Where its keys are, if not where its metadata says.
    pub jwks_url: Option<String>,
    /// Its certificate authority.
    pub authority: Option<CaConfigMap>,
    /// How it is to be asked about tokens, if it is.
    pub introspection: Option<IntrospectionQuestion>,
}

/// Asks issuers. The error is for whoever wrote the resource.
pub trait DiscoverySource: Send + Sync {
    /// Asks all issuers of one provider. Bounded in time and size by the implementation.
    fn discover(&self, question: Question) -> BoxFuture<'_, Result<Vec<IssuerStatus>, String>>;
}
