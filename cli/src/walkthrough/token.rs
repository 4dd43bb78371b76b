//! An access token in the client's hands. It can be sent and its claims looked at; its text is never shown.

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use std::sync::Arc;
use tollward_policy::principal::{Membership, Principal, TokenPrincipal};

/// The token. `Debug` shows nothing of it.
#[derive(Clone)]
pub(super) struct Token {
    text: String,
    claims: Map<String, Value>,
}

impl Token {
    /// Reads the claims without verifying them: that is Tollward's part.
    pub(super) fn read(text: String) -> anyhow::Result<Self> {
        let payload = text.split('.').nth(1).context("the access token is not a JWT")?;
        let payload = URL_SAFE_NO_PAD.decode(payload).context("the access token's payload is not base64url")?;
        let claims = serde_json::from_slice(&payload).context("the access token's payload is not a JSON object")?;
        Ok(Self { text, claims })
    }

    /// The value of `Authorization`.
    pub(super) fn authorization(&self) -> String {
        format!("Bearer {}", self.text)
    }

    /// A claim.
    pub(super) fn claim(&self, name: &str) -> Option<&Value> {
        self.claims.get(name)
    }

    /// A claim that is a text.
    pub(super) fn text(&self, name: &str) -> &str {
        self.claim(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// The granted scopes.
    pub(super) fn scopes(&self) -> Vec<String> {
        self.text("scope").split_whitespace().map(str::to_owned).collect()
    }

    /// The caller, as the policy would see it if the token is good.
    pub(super) fn principal(&self, issuer: &str) -> Principal {
        let names = |claim: &str| {
            let list = self.claim(claim).and_then(Value::as_array).map(|list| list.iter().map(|name| name.as_str()));
            list.and_then(|names| names.map(|name| name.map(str::to_owned)).collect())
        };
        let membership = |claim: &str| names(claim).map_or(Membership::Unknown, Membership::Known);
        Principal::Token(Arc::new(TokenPrincipal {
            provider: String::new(),
            issuer: issuer.to_owned(),
            subject: self.text("sub").to_owned(),
            client: self.claim("client_id").and_then(Value::as_str).map(str::to_owned),
            token_id: None,
            scopes: self.scopes(),
            groups: membership("groups"),
            roles: membership("roles"),
            expires_at: self.claim("exp").and_then(Value::as_i64).unwrap_or_default(),
            claims: self.claims.clone(),
        }))
    }

    /// The same signature under another claim, as a forger would try.
    pub(super) fn tampered(&self, claim: &str, value: Value) -> anyhow::Result<Self> {
        let mut claims = self.claims.clone();
        claims.insert(claim.to_owned(), value);
        let payload = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&claims).context("the claims can't be written")?);
        let mut parts = self.text.split('.');
        let (Some(header), Some(_), Some(signature)) = (parts.next(), parts.next(), parts.next()) else {
            anyhow::bail!("the access token has not three parts");
        };
        Ok(Self { text: format!("{header}.{payload}.{signature}"), claims })
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Token")
    }
}

#[cfg(test)]
mod tests {
    use super::Token;

    #[test]
    fn claims_are_read_and_nothing_of_the_text_is_in_debug() {
        let token =
            Token::read("eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJBZGEiLCJzY29wZSI6ImEgYiJ9.c2lnbmF0dXJl".into()).unwrap();
        assert_eq!(token.text("sub"), "Ada");
        assert_eq!(token.scopes(), ["a", "b"]);
        assert_eq!(format!("{token:?}"), "Token");
        let forged = token.tampered("sub", "root".into()).unwrap();
        assert_eq!(Token::read(forged.text.clone()).unwrap().text("sub"), "root");
        assert!(forged.text.ends_with(".c2lnbmF0dXJl"));
        assert!(Token::read("opaque".into()).is_err());
    }
}
