//! What a token says of itself, unverified: enough to name it, and nothing of its text is kept.

use crate::input;
use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use std::path::Path;

/// Longest file that may be a token.
const MAX_BYTES: u64 = 65_536;

/// Claims of a token.
pub(super) struct Claims(Map<String, Value>);

impl Claims {
    /// Reads a file, or the standard input.
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        Self::of(&input::text(path, MAX_BYTES)?)
    }

    fn of(text: &str) -> anyhow::Result<Self> {
        let text = text.trim();
        let text = text.strip_prefix("Bearer ").unwrap_or(text);
        let mut parts = text.split('.');
        let (Some(_), Some(payload), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
            bail!("the file holds no signed JWT; revoke by --subject, --client or --issued-before");
        };
        let claims = URL_SAFE_NO_PAD.decode(payload).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        claims.map(Self).context("the file holds no readable JWT; revoke by --subject, --client or --issued-before")
    }

    /// The first of these claims that is a text.
    pub(super) fn text(&self, names: &[String]) -> Option<&str> {
        names.iter().find_map(|name| self.0.get(name)?.as_str())
    }

    /// A claim in seconds since the epoch.
    pub(super) fn seconds(&self, name: &str) -> Option<i64> {
        self.0.get(name)?.as_i64()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::Claims;
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::{Value, json};

    pub(in crate::revoke) fn claims(claims: &Value) -> Claims {
        Claims::of(&text(claims)).unwrap()
    }

    fn text(claims: &Value) -> String {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()))
    }

    #[test]
    fn claims_are_read_without_a_key() {
        let claims = Claims::of(&format!("  Bearer {}\n", text(&json!({"uti": "t", "exp": 7, "jti": 1})))).unwrap();
        assert_eq!(claims.text(&["jti".into(), "uti".into()]), Some("t"));
        assert_eq!(claims.seconds("exp"), Some(7));
    }

    #[test]
    fn what_is_no_token_is_not_repeated_in_the_error() {
        for wrong in ["", "secret", "a.secret", "a.secret.c.d", "a.!secret.c", "a.c2VjcmV0.c"] {
            let error = Claims::of(wrong).err().unwrap().to_string();
            assert!(!error.contains("secret") && error.contains("--subject"), "{error}");
        }
    }
}
