//! What was proven about who sent a token. Only `sender` makes one.

use super::nonce::Nonce;
use crate::thumbprint::Thumbprint;

/// What the caller proved besides having the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderProof {
    pub(super) key: Option<Thumbprint>,
    pub(super) certificate: Option<Thumbprint>,
    pub(super) next_nonce: Option<Nonce>,
}

impl SenderProof {
    /// Nothing was asked for.
    pub(crate) const NONE: Self = Self { key: None, certificate: None, next_nonce: None };

    /// The key of the proof (RFC 7638).
    pub fn key(&self) -> Option<Thumbprint> {
        self.key
    }

    /// The client certificate.
    pub fn certificate(&self) -> Option<Thumbprint> {
        self.certificate
    }

    /// The nonce for the next proof, if the one of this proof is about to end.
    pub fn next_nonce(&self) -> Option<Nonce> {
        self.next_nonce
    }
}
