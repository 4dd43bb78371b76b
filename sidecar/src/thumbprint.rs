//! SHA-256 of something public that stands for its owner: a key (RFC 7638) or a client certificate (RFC 8705 section 3.1).

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::fmt;

/// A thumbprint. Its text is base64url without padding.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Thumbprint([u8; 32]);

impl Thumbprint {
    /// Of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let mut hash = [0; 32];
        // The digest has the length of the array by the algorithm's definition.
        hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
        Self(hash)
    }

    /// Of bytes whose SHA-256 is this.
    pub(crate) const fn from_hash(hash: [u8; 32]) -> Self {
        Self(hash)
    }

    /// From its one text.
    pub fn parse(text: &str) -> Option<Self> {
        // The library wants room for a whole group of three bytes more.
        let mut buffer = [0; 36];
        let length = URL_SAFE_NO_PAD.decode_slice(text, &mut buffer).ok()?;
        buffer.get(..length)?.try_into().ok().map(Self)
    }

    /// The hash.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Thumbprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for Thumbprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::Thumbprint;

    #[test]
    fn a_thumbprint_has_one_text() {
        let thumbprint = Thumbprint::of(b"");
        let text = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU";
        assert_eq!(thumbprint.to_string(), text);
        assert_eq!(Thumbprint::parse(text), Some(thumbprint));
        let other_spelling = text.replace("SuFU", "SuFV");
        for wrong in ["", "47DE", &text[1..], &format!("{text}="), &format!("{text}A"), &other_spelling, "x"] {
            assert_eq!(Thumbprint::parse(wrong), None, "{wrong}");
        }
    }
}
