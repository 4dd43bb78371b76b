//! Who calls, as far as it was verified.

use serde_json::{Map, Value};
use std::sync::Arc;

/// The verified caller. There is no way from a request to a `Principal` but through the authenticate stage.
#[derive(Debug, Clone, PartialEq)]
pub enum Principal {
    /// A server with `auth.mode: None`: nobody was asked.
    Anonymous,
    /// The holder of a valid access token; shared by the requests that carry it.
    Token(Arc<TokenPrincipal>),
}

/// What a valid access token says about its holder. It holds no part of the token's text.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenPrincipal {
    /// Name of the identity provider in the configuration.
    pub provider: String,
    /// `iss`, exactly as configured.
    pub issuer: String,
    /// `sub`, or the claim that the provider is configured to use.
    pub subject: String,
    /// The OAuth client: `client_id`, `azp` or `cid`.
    pub client: Option<String>,
    /// `jti` or `uti`.
    pub token_id: Option<String>,
    /// Scopes as granted, in the token's order.
    pub scopes: Vec<String>,
    /// The groups that the caller belongs to.
    pub groups: Membership,
    /// The caller's roles.
    pub roles: Membership,
    /// `exp`, seconds since the epoch.
    pub expires_at: i64,
    /// All verified claims, for rules, tiers and the audit record's selection.
    pub claims: Map<String, Value>,
}

/// What the caller belongs to, as far as the token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Membership {
    /// Exactly these.
    Known(Vec<String>),
    /// The provider is not configured to say, the token has no such claim, or one that can't be read, or says that there
    /// are more groups than fit. Never taken for "none".
    Unknown,
}

impl Principal {
    /// The token's holder, if there is one.
    pub fn token(&self) -> Option<&TokenPrincipal> {
        match self {
            Self::Anonymous => None,
            Self::Token(token) => Some(token),
        }
    }

    /// Issuer, subject and client, unambiguously joined: what sessions and limits are bound to.
    pub fn binding(&self) -> String {
        let Self::Token(token) = self else {
            return "anonymous".to_owned();
        };
        join_lengths([token.issuer.as_str(), &token.subject, token.client.as_deref().unwrap_or_default()])
    }
}

/// Joins texts with their lengths in front, so that no two different lists give one result.
pub fn join_lengths<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    use std::fmt::Write as _;
    let mut joined = String::with_capacity(96);
    for part in parts {
        // Writing to a String cannot fail.
        let _ = write!(joined, "{}:{part}", part.len());
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::join_lengths;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn two_different_lists_never_join_to_one_text(
            left in prop::collection::vec("[0-9:a]{0,4}", 3),
            right in prop::collection::vec("[0-9:a]{0,4}", 3),
        ) {
            let same = join_lengths(left.iter().map(String::as_str)) == join_lengths(right.iter().map(String::as_str));
            prop_assert_eq!(same, left == right);
        }
    }
}
