//! Keys derived from the root key (HKDF with SHA-256, RFC 5869). Pure.

use super::CertificateError;
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use zeroize::Zeroizing;

/// Bytes of a key.
pub(super) const KEY_LENGTH: usize = 32;

/// What a derived key is for: keys of two purposes have nothing in common.
#[derive(Debug, Clone, Copy)]
pub(super) enum Purpose {
    /// Sealing session ids.
    Session,
    /// Signing assertions to MCP servers.
    Assertion,
    /// Naming objects.
    Name,
}

impl Purpose {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Session => b"tollward/v1/session",
            Self::Assertion => b"tollward/v1/assertion",
            Self::Name => b"tollward/v1/name",
        }
    }
}

struct Length;

impl KeyType for Length {
    fn len(&self) -> usize {
        KEY_LENGTH
    }
}

/// Derives a key for a purpose, an owner and a context. The owner's length is part of it, so that no two inputs meet.
pub(super) fn derive(
    root: &[u8; KEY_LENGTH],
    purpose: Purpose,
    owner: &str,
    context: &[u8],
) -> Result<Zeroizing<[u8; KEY_LENGTH]>, CertificateError> {
    let failed = |_| CertificateError::Cryptography("a key can't be derived".into());
    let length = u64::try_from(owner.len()).unwrap_or(u64::MAX).to_be_bytes();
    let info = [purpose.label(), &length, owner.as_bytes(), context];
    let mut key = Zeroizing::new([0; KEY_LENGTH]);
    let expander = Salt::new(HKDF_SHA256, &[]).extract(root);
    let output = expander.expand(&info, Length).map_err(failed)?;
    output.fill(key.as_mut_slice()).map_err(failed)?;
    Ok(key)
}
