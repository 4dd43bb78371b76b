//! Signed assertions: a JWT of Tollward's own about one call. Its `typ`, key, issuer and audience are its own, so that it is no
//! access token to anybody.

mod keys;

pub use keys::AssertionKeyError;
pub(super) use keys::AssertionKeys;

use super::Ask;
use super::failure::IdentityFailure;
use super::presented::{Kind, Presented};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use serde::Serialize;
use std::sync::Arc;
use tollward_policy::config::{ASSERTION_HEADER, ASSERTION_SECONDS, ASSERTION_TYPE};
use tollward_policy::scope::ScopeName;

const HEADER: HeaderName = HeaderName::from_static(ASSERTION_HEADER);

/// Most bytes of an assertion: many servers refuse larger headers, and a refused call is better than one without identity.
const MAX_BYTES: usize = 8 * 1024;

/// Signs assertions for one MCP server.
pub(super) struct Assertions {
    keys: Arc<AssertionKeys>,
    issuer: String,
    audience: String,
    /// With several identity providers a subject alone would name different people.
    subject_is_unique: bool,
    /// The protected header in base64url, with its dot.
    head: String,
}

/// The payload. Claims are added, never renamed.
#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    aud: &'a str,
    iat: i64,
    exp: i64,
    jti: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<&'a str>,
    sub_id: SubjectId<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<&'a str>,
    scope: String,
    mcp_method: &'a str,
}

/// RFC 9493 section 3.2.4.
#[derive(Serialize)]
struct SubjectId<'a> {
    format: &'static str,
    iss: &'a str,
    sub: &'a str,
}

impl Assertions {
    pub(super) fn new(keys: Arc<AssertionKeys>, issuer: &str, audience: &str, subject_is_unique: bool) -> Self {
        let head = format!(r#"{{"alg":"EdDSA","kid":"{}","typ":"{ASSERTION_TYPE}"}}"#, keys.id());
        let head = URL_SAFE_NO_PAD.encode(head) + ".";
        Self { keys, issuer: issuer.to_owned(), audience: audience.to_owned(), subject_is_unique, head }
    }

    pub(super) fn key_set(&self) -> Bytes {
        self.keys.set()
    }

    pub(super) fn sign(&self, ask: &Ask<'_>) -> Result<Presented, IdentityFailure> {
        // There is nothing to say about a caller whom nobody verified; such a route does not pass its checks.
        let caller = ask.principal.token().ok_or(IdentityFailure::Unavailable)?;
        let scopes: Vec<_> = ask.catalogue.names(ask.held).into_iter().map(ScopeName::as_str).collect();
        let claims = Claims {
            iss: &self.issuer,
            aud: &self.audience,
            iat: ask.now,
            exp: ask.now.saturating_add(ASSERTION_SECONDS),
            jti: ask.id,
            sub: self.subject_is_unique.then_some(caller.subject.as_str()),
            sub_id: SubjectId { format: "iss_sub", iss: &caller.issuer, sub: &caller.subject },
            client_id: caller.client.as_deref(),
            scope: scopes.join(" "),
            mcp_method: ask.method,
        };
        self.signed(&claims).ok_or(IdentityFailure::Unavailable)
    }

    fn signed(&self, claims: &Claims<'_>) -> Option<Presented> {
        let payload = serde_json::to_vec(claims).ok()?;
        let mut text = String::with_capacity(self.head.len() + payload.len() * 4 / 3 + 96);
        text.push_str(&self.head);
        URL_SAFE_NO_PAD.encode_string(&payload, &mut text);
        let signature = self.keys.sign(text.as_bytes());
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut text);
        if text.len() > MAX_BYTES {
            tracing::warn!(bytes = text.len(), "an assertion is too large to be sent; the caller has too many scopes");
            return None;
        }
        let value = HeaderValue::from_maybe_shared(Bytes::from(text)).ok()?;
        Some(Presented::new(Kind::SignedAssertion, HEADER, value, 0, Some(claims.jti.to_owned())))
    }
}
