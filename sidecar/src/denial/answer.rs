//! From a denial to a response.

use super::Denial;
use crate::limiter::{CountedBy, Standing};
use axum::body::Body;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use serde_json::{Map, Value, json};
use std::time::Duration;
use tollward_policy::operation::Era;
use tollward_policy::reason::Reason;

/// The nonce for the client's next DPoP proof (RFC 9449 section 8).
pub const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// The status of a denial.
#[expect(clippy::too_many_lines, reason = "one table, in which every reason has its line")]
pub fn status_of(denial: &Denial) -> StatusCode {
    match denial.reason {
        Reason::Allowed => StatusCode::OK,
        Reason::RequestMalformed
        | Reason::BodyMalformed
        | Reason::BatchRefused
        | Reason::MessageInvalid
        | Reason::HeaderMismatch
        | Reason::TokenInCall
        | Reason::ProtocolVersionUnsupported => StatusCode::BAD_REQUEST,
        Reason::HeadersTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        Reason::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Reason::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
        Reason::RouteNotFound | Reason::SessionUnknown => StatusCode::NOT_FOUND,
        Reason::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        Reason::CredentialsMissing
        | Reason::CredentialsMalformed
        | Reason::TokenMalformed
        | Reason::TokenTypeRefused
        | Reason::TokenAlgorithmRefused
        | Reason::TokenKeyUnknown
        | Reason::TokenSignatureInvalid
        | Reason::TokenClaimsInvalid
        | Reason::IssuerUnknown
        | Reason::AudienceMismatch
        | Reason::TokenExpired
        | Reason::TokenNotYetValid
        | Reason::TokenLifetimeTooLong
        | Reason::TokenRevoked
        | Reason::TokenInactive
        | Reason::TokenNotBound
        | Reason::TokenBindingRefused
        | Reason::ProofInvalid
        | Reason::ProofReplayed
        | Reason::ProofNonceRequired => StatusCode::UNAUTHORIZED,
        Reason::HostNotAllowed
        | Reason::OriginNotAllowed
        | Reason::ClientNotAllowed
        | Reason::NoRuleMatched
        | Reason::RuleDenied
        | Reason::ScopeInsufficient
        | Reason::ConditionFailed
        | Reason::TaskUnknown
        | Reason::Hidden
        | Reason::EgressNotAllowed
        | Reason::EgressNameMismatch => StatusCode::FORBIDDEN,
        Reason::MediaTypeRefused => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Reason::MethodUnknown => unknown_method(denial.details.era),
        Reason::RateLimited | Reason::SessionsLimited => StatusCode::TOO_MANY_REQUESTS,
        Reason::KeysUnavailable
        | Reason::ProofsExhausted
        | Reason::IntrospectionUnavailable
        | Reason::ConcurrencyLimited
        | Reason::SessionsExhausted
        | Reason::AuditUnavailable
        | Reason::UpstreamIdentityUnavailable
        | Reason::LimitsExhausted
        | Reason::LimitStoreUnavailable
        | Reason::ConfigurationStale => StatusCode::SERVICE_UNAVAILABLE,
        Reason::InternalError | Reason::ClientGone => StatusCode::INTERNAL_SERVER_ERROR,
        Reason::UpstreamUnreachable
        | Reason::UpstreamInvalid
        | Reason::UpstreamIdentityRefused
        | Reason::EgressUnreachable => StatusCode::BAD_GATEWAY,
        Reason::UpstreamTimeout => StatusCode::GATEWAY_TIMEOUT,
    }
}

/// In the legacy era a 404 would mean that the session is lost.
fn unknown_method(era: Option<Era>) -> StatusCode {
    if era == Some(Era::Legacy) { StatusCode::OK } else { StatusCode::NOT_FOUND }
}

/// The answer to a refused request.
pub fn respond(denial: &Denial, request_id: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(body(denial, request_id).to_string()));
    *response.status_mut() = status_of(denial);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(challenge) = &denial.details.challenge {
        let description = denial.text().unwrap_or(denial.reason.meaning());
        insert(headers, WWW_AUTHENTICATE, &challenge.header(description));
        if let Some(nonce) = challenge.next_nonce().and_then(|nonce| HeaderValue::from_bytes(nonce.as_bytes()).ok()) {
            headers.insert(DPOP_NONCE, nonce);
        }
    }
    if let Some(methods) = denial.details.allow {
        headers.insert(ALLOW, HeaderValue::from_static(methods));
    }
    if let Some(wait) = wait(denial) {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds_up(wait)));
    }
    standing_headers(headers, &denial.details.standings);
    response
}

/// `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers). `r` is what may come at once now, `t` the
/// seconds until the whole burst is there again, or until the next request passes if none is left.
pub fn standing_headers(headers: &mut HeaderMap, standings: &[Standing]) {
    // There is nothing to say about a limit that nobody counted.
    let counted = || standings.iter().filter(|standing| standing.counted != CountedBy::Nobody);
    if counted().next().is_none() {
        return;
    }
    let policies: Vec<_> = counted()
        .map(|standing| match standing.window {
            Some(window) => format!("\"{}\";q={};w={}", standing.limit, standing.requests, window.as_secs()),
            None => format!("\"{}\";q={};qu=\"concurrent-requests\"", standing.limit, standing.requests),
        })
        .collect();
    let states: Vec<_> = counted()
        .map(|standing| match (standing.retry_after, standing.window) {
            // Nobody knows when a place comes free.
            (None, None) => format!("\"{}\";r={}", standing.limit, standing.remaining),
            (wait, _) => {
                let time = wait.unwrap_or(standing.reset);
                format!("\"{}\";r={};t={}", standing.limit, standing.remaining, seconds_up(time))
            }
        })
        .collect();
    insert(headers, RATE_LIMIT_POLICY, &policies.join(", "));
    insert(headers, RATE_LIMIT, &states.join(", "));
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

fn body(denial: &Denial, request_id: &str) -> Value {
    let rpc = denial.details.rpc.as_ref();
    let told = told(denial.reason);
    let default = || denial.text().unwrap_or(told.meaning()).to_owned();
    let message = rpc.and_then(|rpc| rpc.message.clone()).unwrap_or_else(default);
    let mut data = match rpc.and_then(|rpc| rpc.data.clone()) {
        Some(Value::Object(data)) => data,
        Some(_) | None => Map::new(),
    };
    data.insert("reason".into(), told.code().into());
    data.insert("requestId".into(), request_id.into());
    if let Some(refused) = denial.details.standings.iter().find(|standing| standing.retry_after.is_some()) {
        data.insert("limit".into(), refused.limit.clone().into());
        data.insert("remaining".into(), refused.remaining.into());
    }
    if let Some(wait) = wait(denial) {
        data.insert("retryAfterSeconds".into(), seconds_up(wait).into());
    }
    let mut answer = json!({"jsonrpc": "2.0", "error": {"code": denial.rpc_code(), "message": message, "data": data}});
    // Without a readable id the member is left out: null would be an id of its own in some parsers.
    let id = rpc.and_then(|rpc| rpc.id.as_deref()).and_then(|id| serde_json::from_str::<Value>(id).ok());
    if let (Some(id), Some(object)) = (id, answer.as_object_mut()) {
        object.insert("id".into(), id);
    }
    answer
}

/// What the caller is told: that something is hidden would give it away.
fn told(reason: Reason) -> Reason {
    if reason == Reason::Hidden { Reason::NoRuleMatched } else { reason }
}

fn wait(denial: &Denial) -> Option<Duration> {
    let limited = denial.details.standings.iter().filter_map(|standing| standing.retry_after).max();
    denial.details.retry_after.or(limited)
}

/// Whole seconds, never too early and never zero.
fn seconds_up(wait: Duration) -> u64 {
    let whole = wait.as_secs();
    if wait.subsec_nanos() > 0 || whole == 0 { whole + 1 } else { whole }
}
