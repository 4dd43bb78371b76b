//! One scope name, and the names that no catalogue may declare.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The longest scope name accepted, in bytes.
const MAX_LENGTH: usize = 256;

/// Names that grant everything: refused as the last segment after `:`, `/` or `.`, whatever their case.
/// The API's CEL rule is generated from this list.
pub const OMNIBUS: &[&str] = &[
    "*",
    "all",
    "any",
    "everything",
    "full",
    "full-access",
    "full_access",
    "fullaccess",
    "admin",
    "administrator",
    "root",
    "superuser",
    "sudo",
    "god",
    "unlimited",
    "default",
];

/// True for characters of RFC 6749 section 3.3 alone, at least one: nothing in them ends a challenge in which they stand.
pub fn is_scope_text(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5B | 0x5D..=0x7E))
}

/// A scope that may be declared: RFC 6749 characters, bounded, not omnibus.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct ScopeName(String);

/// Why a text may not be declared as a scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    /// Nothing, or more than 256 bytes.
    #[error("scope `{0}` must have 1 to 256 bytes")]
    Length(String),
    /// Outside of RFC 6749's `scope-token`.
    #[error(
        "scope `{0}` has a character that RFC 6749 section 3.3 does not allow (visible ASCII without quote and backslash)"
    )]
    Character(String),
    /// Any `*` is a wildcard.
    #[error("scope `{0}` is a wildcard; declare each permission as a scope of its own")]
    Wildcard(String),
    /// The last segment grants everything.
    #[error("scope `{0}` is an omnibus name; declare each permission as a scope of its own")]
    Omnibus(String),
}

impl ScopeName {
    /// Checks and keeps a scope name.
    pub fn new(text: impl Into<String>) -> Result<Self, ScopeError> {
        let text = text.into();
        if text.is_empty() || text.len() > MAX_LENGTH {
            return Err(ScopeError::Length(text.chars().take(64).collect()));
        }
        if !is_scope_text(&text) {
            return Err(ScopeError::Character(text));
        }
        if text.contains('*') {
            return Err(ScopeError::Wildcard(text));
        }
        let last = text.rsplit([':', '/', '.']).next().unwrap_or_default();
        if last.is_empty() || OMNIBUS.contains(&last.to_ascii_lowercase().as_str()) {
            return Err(ScopeError::Omnibus(text));
        }
        Ok(Self(text))
    }

    /// The scope as it stands in tokens and challenges.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ScopeName {
    type Error = ScopeError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::new(text)
    }
}

impl From<ScopeName> for String {
    fn from(scope: ScopeName) -> Self {
        scope.0
    }
}

impl std::fmt::Display for ScopeName {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{ScopeError, ScopeName};

    #[test]
    fn omnibus_names_are_refused_in_every_segment_style_and_case() {
        for name in ["all", "mcp:ALL", "https://api.example.com/.default", "files.Full-Access", "x/admin", "catalog:"] {
            assert!(matches!(ScopeName::new(name), Err(ScopeError::Omnibus(_))), "{name}");
        }
        for name in ["*", "mcp:*", "files.*.read"] {
            assert!(matches!(ScopeName::new(name), Err(ScopeError::Wildcard(_))), "{name}");
        }
    }

    #[test]
    fn ordinary_names_are_accepted() {
        for name in ["mcp:catalog-read", "admin:users-read", "allocate", "https://api.example.com/files.read", "openid"]
        {
            assert!(ScopeName::new(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn characters_outside_rfc_6749_are_refused() {
        for name in ["a b", "a\"b", "a\\b", "a\tb", "ä", "a\u{7f}"] {
            assert!(matches!(ScopeName::new(name), Err(ScopeError::Character(_))), "{name:?}");
        }
    }
}
