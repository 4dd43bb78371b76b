//! What one call shows to the MCP server: one header, and what its record may say of it.

use super::remembered::Key;
use http::{HeaderMap, HeaderName, HeaderValue};
use memchr::memmem;
use std::fmt;

/// A shorter text is no secret, and stands in headers by chance.
const SHORTEST: usize = 8;

/// What kind of identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A statement of Tollward's own.
    SignedAssertion,
    /// A token of the caller's provider.
    ExchangedToken,
    /// One account for all.
    SharedCredential,
}

impl Kind {
    /// The word that records use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SignedAssertion => "signed_assertion",
            Self::ExchangedToken => "exchanged_token",
            Self::SharedCredential => "shared_credential",
        }
    }
}

/// A header for the MCP server. Its value never leaves in another way.
#[derive(Clone)]
pub struct Presented {
    kind: Kind,
    name: HeaderName,
    value: HeaderValue,
    /// Where the secret begins in the value, after the scheme.
    secret: usize,
    token_id: Option<String>,
    /// The name under which it is remembered.
    pub(super) key: Option<Key>,
}

impl Presented {
    /// A header with a secret value, which begins at `secret`.
    pub(super) fn new(
        kind: Kind,
        name: HeaderName,
        mut value: HeaderValue,
        secret: usize,
        token_id: Option<String>,
    ) -> Self {
        value.set_sensitive(true);
        Self { kind, name, value, secret, token_id, key: None }
    }

    /// The kind.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// `jti` of what is shown, if it has one.
    pub fn token_id(&self) -> Option<&str> {
        self.token_id.as_deref()
    }

    /// Puts the header among others, in place of any of its name.
    pub fn put(&self, headers: &mut HeaderMap) {
        headers.insert(self.name.clone(), self.value.clone());
    }

    /// True if an answer's headers repeat the secret.
    pub fn is_in(&self, headers: &HeaderMap) -> bool {
        let secret = self.value.as_bytes().get(self.secret..).unwrap_or_default();
        secret.len() >= SHORTEST
            && headers
                .values()
                .any(|value| value.len() >= secret.len() && memmem::find(value.as_bytes(), secret).is_some())
    }
}

impl fmt::Debug for Presented {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Presented")
            .field("kind", &self.kind)
            .field("header", &self.name)
            .finish_non_exhaustive()
    }
}
