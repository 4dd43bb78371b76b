//! Access tokens: a good one, and the same with whatever a test changes.

use crate::key::{Key, encode};
use serde_json::{Map, Value, json};
use std::sync::{Arc, Mutex, PoisonError};

/// Every token that was minted, so that a test can look for their text where it must not be.
pub type Minted = Arc<Mutex<Vec<String>>>;

/// A token in the making.
#[derive(Clone)]
pub struct Token {
    header: Map<String, Value>,
    claims: Map<String, Value>,
    key: Arc<Key>,
    minted: Minted,
}

impl Token {
    /// A token that is good at `now` for `audience`, with the scopes of the default configuration.
    pub fn valid(issuer: &str, audience: &str, now: i64, key: &Arc<Key>, minted: Minted) -> Self {
        let header = json!({"alg": key.algorithm, "kid": key.id, "typ": "at+jwt"});
        let claims = json!({
            "iss": issuer, "sub": "alice", "aud": audience, "exp": now + 3600, "nbf": now - 5, "iat": now - 5,
            "client_id": "client-1", "scope": "mcp:catalog-read", "jti": "token-1",
        });
        let members = |value: Value| value.as_object().cloned().unwrap_or_default();
        Self { header: members(header), claims: members(claims), key: Arc::clone(key), minted }
    }

    /// A token of that header and those claims.
    pub fn of(header: &Value, claims: &Value, key: &Arc<Key>, minted: Minted) -> Self {
        let members = |value: &Value| value.as_object().cloned().unwrap_or_default();
        Self { header: members(header), claims: members(claims), key: Arc::clone(key), minted }
    }

    /// With a claim of that value.
    #[must_use]
    pub fn with_claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.insert(name.to_owned(), value.into());
        self
    }

    /// Without a claim.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.claims.remove(name);
        self
    }

    /// With a header parameter of that value.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header.insert(name.to_owned(), value.into());
        self
    }

    /// Without a header parameter.
    #[must_use]
    pub fn without_header(mut self, name: &str) -> Self {
        self.header.remove(name);
        self
    }

    /// With these scopes, separated by spaces.
    #[must_use]
    pub fn scope(self, scopes: &str) -> Self {
        self.with_claim("scope", scopes)
    }

    /// Of this caller.
    #[must_use]
    pub fn subject(self, subject: &str) -> Self {
        self.with_claim("sub", subject)
    }

    /// Of this OAuth client.
    #[must_use]
    pub fn client(self, client: &str) -> Self {
        self.with_claim("client_id", client)
    }

    /// Signed by this key and naming it.
    #[must_use]
    pub fn signed_by(mut self, key: &Arc<Key>) -> Self {
        self.key = Arc::clone(key);
        self.with_header("alg", key.algorithm).with_header("kid", key.id.as_str())
    }

    /// Signed by this key, with the header as it is.
    #[must_use]
    pub fn forged_by(mut self, key: &Arc<Key>) -> Self {
        self.key = Arc::clone(key);
        self
    }

    /// The signed text.
    pub fn mint(&self) -> String {
        self.mint_with(|input| self.key.sign(input))
    }

    /// The text with a signature of the test's making.
    pub fn mint_with(&self, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
        self.mint_of(&json_text(&self.header), &json_text(&self.claims), sign)
    }

    /// The signed text of this very payload.
    pub fn mint_payload(&self, payload: &str) -> String {
        self.mint_of(&json_text(&self.header), payload, |input| self.key.sign(input))
    }

    /// The payload's JSON.
    pub fn payload(&self) -> String {
        json_text(&self.claims)
    }

    fn mint_of(&self, header: &str, payload: &str, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
        let input = format!("{}.{}", encode(header.as_bytes()), encode(payload.as_bytes()));
        let signature = sign(input.as_bytes());
        let token = format!("{input}.{}", encode(&signature));
        self.minted.lock().unwrap_or_else(PoisonError::into_inner).push(token.clone());
        token
    }
}

fn json_text(members: &Map<String, Value>) -> String {
    Value::Object(members.clone()).to_string()
}
