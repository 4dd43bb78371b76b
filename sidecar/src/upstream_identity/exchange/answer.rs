//! What a token endpoint answered (RFC 8693 section 2.2), judged before any of it is used. Pure.
//!
//! What is refused: another kind of token than a bearer token, one that does not say how long it lives or lives for too long,
//! the caller's own token under another name, and one that would be good at Tollward itself, since the MCP server could then
//! call as its callers.

use crate::authenticate::Document;
use crate::json;
use crate::upstream_identity::failure::IdentityFailure;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use memchr::memmem;
use serde_json::{Map, Value};
use std::fmt;
use zeroize::Zeroizing;

/// Longest token in bytes, as for callers' tokens.
const MAX_TOKEN: usize = 16 * 1024;
/// Longest id of a token that is recorded, in bytes.
const MAX_ID: usize = 256;
/// Longest error code that is logged, in bytes.
const MAX_CODE: usize = 64;

/// Types of tokens that are access tokens (RFC 8693 section 3).
const ACCEPTED: [&str; 2] = ["urn:ietf:params:oauth:token-type:access_token", "urn:ietf:params:oauth:token-type:jwt"];

/// A token for the MCP server.
pub(super) struct Exchanged {
    /// `Bearer` and the token.
    pub(super) header: Zeroizing<String>,
    /// Its `jti`, if it is a JWT that has one.
    pub(super) token_id: Option<String>,
    /// Seconds that it lives.
    pub(super) lifetime: i64,
}

/// What an answer must keep to.
pub(super) struct Expected {
    /// Longest life in seconds.
    pub(super) max_lifetime: i64,
    /// What callers' tokens are issued for.
    pub(super) own_audiences: Vec<String>,
}

/// Why an answer gives no token. It repeats nothing of the answer but a registered kind of word.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum AnswerError {
    /// The provider is not well.
    #[error("it answered {0}")]
    Trouble(StatusCode),
    /// The provider says no.
    #[error("it refused with {status} and the error `{code}`")]
    Refused {
        /// The status.
        status: StatusCode,
        /// `error` of the answer.
        code: String,
    },
    /// The shape is wrong.
    #[error("{0}")]
    Shape(&'static str),
    /// It lives for too long.
    #[error("the token lives for {0} seconds, longer than maxTokenLifetime allows")]
    TooLong(i64),
}

impl AnswerError {
    /// What it means for the call.
    pub(super) const fn failure(&self) -> IdentityFailure {
        match self {
            Self::Trouble(_) => IdentityFailure::Unavailable,
            Self::Refused { .. } | Self::Shape(_) | Self::TooLong(_) => IdentityFailure::Refused,
        }
    }
}

/// Reads an answer to the exchange of `subject`.
pub(super) fn read(answered: &Document, subject: &str, expected: &Expected) -> Result<Exchanged, AnswerError> {
    let status = answered.status;
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        return Err(AnswerError::Trouble(status));
    }
    if status != StatusCode::OK {
        let code = object(&answered.body).map_or_else(|_| "none".to_owned(), |members| code(&members));
        return Err(AnswerError::Refused { status, code });
    }
    if !is_json(answered.content_type.as_deref()) {
        return Err(AnswerError::Shape("the answer is not application/json"));
    }
    let members = object(&answered.body)?;
    let text = |name: &str| members.get(name).and_then(Value::as_str);
    if !text("issued_token_type").is_some_and(|kind| ACCEPTED.contains(&kind)) {
        return Err(AnswerError::Shape("issued_token_type is missing or names no access token"));
    }
    if !text("token_type").is_some_and(|kind| kind.eq_ignore_ascii_case("Bearer")) {
        return Err(AnswerError::Shape("token_type is not Bearer, so that the token can't be shown as it is"));
    }
    let lifetime = lifetime(&members, expected.max_lifetime)?;
    let token = text("access_token").filter(|token| is_token(token));
    let token = token.ok_or(AnswerError::Shape("access_token is missing or can't stand in a header"))?;
    if memmem::find(token.as_bytes(), subject.as_bytes()).is_some() {
        return Err(AnswerError::Shape("the token is the caller's own, which must not be passed on"));
    }
    let claims = claims(token);
    if claims.as_ref().is_some_and(|claims| is_for(claims, &expected.own_audiences)) {
        return Err(AnswerError::Shape(
            "the token's audience includes this endpoint, so that the MCP server could call as the caller; ask for a token for the server alone",
        ));
    }
    let token_id = claims.as_ref().and_then(token_id);
    Ok(Exchanged { header: Zeroizing::new(format!("Bearer {token}")), token_id, lifetime })
}

fn lifetime(members: &Map<String, Value>, longest: i64) -> Result<i64, AnswerError> {
    let seconds = members.get("expires_in").and_then(Value::as_i64).filter(|seconds| *seconds > 0);
    let seconds = seconds.ok_or(AnswerError::Shape("expires_in is missing or no whole number of seconds"))?;
    if seconds > longest { Err(AnswerError::TooLong(seconds)) } else { Ok(seconds) }
}

fn object(bytes: &[u8]) -> Result<Map<String, Value>, AnswerError> {
    let shape = AnswerError::Shape("the answer is not one JSON object without repeated members");
    let parsed = json::parse(bytes).ok().and_then(|_| serde_json::from_slice(bytes).ok());
    parsed.ok_or(shape)
}

fn is_json(content_type: Option<&str>) -> bool {
    let essence = content_type.and_then(|it| it.split(';').next()).unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}

/// The characters of RFC 6749 section 5.2, and few of them.
fn code(members: &Map<String, Value>) -> String {
    let plain = |code: &&str| {
        code.len() <= MAX_CODE && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
    };
    members.get("error").and_then(Value::as_str).filter(plain).unwrap_or("none").to_owned()
}

/// `1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="` (RFC 6750 section 2.1)
fn is_token(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    text.len() <= MAX_TOKEN
        && !body.is_empty()
        && body.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte))
}

/// The claims of a JWT, as its issuer told us over TLS. The MCP server verifies the signature, not we.
fn claims(token: &str) -> Option<Map<String, Value>> {
    let mut parts = token.split('.');
    let (_, payload, _, None) = (parts.next()?, parts.next()?, parts.next()?, parts.next()) else {
        return None;
    };
    let bytes = URL_SAFE_NO_PAD.decode(payload).ok()?;
    object(&bytes).ok()
}

fn is_for(claims: &Map<String, Value>, audiences: &[String]) -> bool {
    let own = |value: &Value| value.as_str().is_some_and(|value| audiences.iter().any(|audience| audience == value));
    match claims.get("aud") {
        Some(Value::Array(several)) => several.iter().any(own),
        Some(one) => own(one),
        None => false,
    }
}

fn token_id(claims: &Map<String, Value>) -> Option<String> {
    let plain = |id: &&str| (1..=MAX_ID).contains(&id.len()) && !id.chars().any(char::is_control);
    let named = |name: &str| claims.get(name).and_then(Value::as_str).filter(plain);
    named("jti").or_else(|| named("uti")).map(str::to_owned)
}

impl fmt::Debug for Exchanged {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Exchanged").field("token_id", &self.token_id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
