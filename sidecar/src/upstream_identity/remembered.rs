//! Under which an exchanged token is remembered: what was shown can be forgotten by it.

use std::sync::Arc;

/// One caller's token and one question.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    /// SHA-256 of the caller's token, all of it.
    pub(super) subject: [u8; 32],
    /// Digest of provider, client, audience, resource and scopes.
    pub(super) target: Arc<str>,
}
