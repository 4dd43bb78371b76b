//! The one place where outcomes become HTTP: status codes, OAuth error codes, pages and their headers.

use std::time::Duration;

use askama::Template;
use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::authorize::ClientRedirect;
use crate::authorize::page::{ConsentPage, RefusedPage};
use crate::error::{DecisionError, Fault, ParametersError, RegisterError, TokenError, UnverifiedError};

/// RFC 6749 section 5.2 and RFC 7591 section 3.2.2.
#[derive(Serialize)]
struct ErrorBody {
    error: &'static str,
    error_description: String,
}

/// An OAuth error as JSON. Never cached: it answers one request.
fn error(status: StatusCode, error: &'static str, description: &impl ToString) -> Response {
    uncached((status, Json(ErrorBody { error, error_description: description.to_string() })).into_response())
}

/// Marks an answer that holds secrets or is about one request only.
pub(crate) fn uncached(response: Response) -> Response {
    let no_store = [
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::PRAGMA, HeaderValue::from_static("no-cache")),
    ];
    (no_store, response).into_response()
}

/// A public document that may be kept for `max_age`.
pub(crate) fn document(body: &impl Serialize, max_age: Duration) -> Response {
    let cache_control = format!("public, max-age={}", max_age.as_secs());
    ([(header::CACHE_CONTROL, cache_control)], Json(body)).into_response()
}

fn fault_status(fault: Fault) -> StatusCode {
    match fault {
        Fault::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
        Fault::Randomness(_) | Fault::Signing | Fault::Rendering => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn fault_code(fault: Fault) -> &'static str {
    match fault {
        Fault::Store(_) => "temporarily_unavailable",
        Fault::Randomness(_) | Fault::Signing | Fault::Rendering => "server_error",
    }
}

fn parameters_status(parameters: ParametersError) -> StatusCode {
    match parameters {
        ParametersError::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
        ParametersError::TooMany | ParametersError::Repeated(_) => StatusCode::BAD_REQUEST,
    }
}

/// Another host name than the issuer's: a page that resolved its own name to this address (DNS rebinding), or a
/// client that wasn't told the issuer's address.
pub(crate) fn misdirected(issuer: &str) -> Response {
    let description = format!("this server answers only at its issuer {issuer}");
    error(StatusCode::MISDIRECTED_REQUEST, "invalid_request", &description)
}

pub(crate) fn registration_refused(refusal: &RegisterError) -> Response {
    let bad = StatusCode::BAD_REQUEST;
    let (status, code) = match refusal {
        RegisterError::TooMany { .. } => (StatusCode::TOO_MANY_REQUESTS, "temporarily_unavailable"),
        RegisterError::TooLong => (StatusCode::PAYLOAD_TOO_LARGE, "invalid_client_metadata"),
        RegisterError::RedirectUriCount | RegisterError::RedirectUri(_) => (bad, "invalid_redirect_uri"),
        RegisterError::NotJson
        | RegisterError::Malformed
        | RegisterError::AuthMethod
        | RegisterError::GrantTypes
        | RegisterError::ResponseTypes => (bad, "invalid_client_metadata"),
        RegisterError::Fault(fault) => (fault_status(*fault), fault_code(*fault)),
    };
    let mut response = error(status, code, refusal);
    if let RegisterError::TooMany { retry_after } = refusal {
        // Rounded up: a client that waits exactly as long must not come too early.
        let seconds = retry_after.as_secs().saturating_add(1);
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

pub(crate) fn token_refused(refusal: TokenError) -> Response {
    let bad = StatusCode::BAD_REQUEST;
    let (status, code) = match refusal {
        TokenError::Parameters(parameters) => (parameters_status(parameters), "invalid_request"),
        TokenError::NotForm | TokenError::Missing(_) => (bad, "invalid_request"),
        TokenError::GrantType => (bad, "unsupported_grant_type"),
        TokenError::ClientAuthentication => (StatusCode::UNAUTHORIZED, "invalid_client"),
        // 400, as RFC 6749 allows for clients that don't use the Authorization header.
        TokenError::ClientUnknown => (bad, "invalid_client"),
        TokenError::GrantNotRegistered => (bad, "unauthorized_client"),
        TokenError::Resource => (bad, "invalid_target"),
        TokenError::Scope => (bad, "invalid_scope"),
        TokenError::CodeUnknown
        | TokenError::CodeClient
        | TokenError::CodeRedirect
        | TokenError::Verifier
        | TokenError::CodeReplayed
        | TokenError::RefreshUnknown
        | TokenError::RefreshClient
        | TokenError::RefreshReused
        | TokenError::ConsentWithdrawn => (bad, "invalid_grant"),
        TokenError::Fault(fault) => (fault_status(fault), fault_code(fault)),
    };
    let mut response = error(status, code, &refusal);
    if status == StatusCode::UNAUTHORIZED {
        let challenge = HeaderValue::from_static("Basic realm=\"no client authentication is accepted\"");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

fn unverified_status(refusal: UnverifiedError) -> StatusCode {
    match refusal {
        UnverifiedError::Parameters(parameters) => parameters_status(parameters),
        UnverifiedError::Fault(fault) => fault_status(fault),
        UnverifiedError::ClientMissing
        | UnverifiedError::ClientUnknown
        | UnverifiedError::RedirectMissing
        | UnverifiedError::RedirectUnregistered => StatusCode::BAD_REQUEST,
    }
}

/// The page for a request that can't be told to a client.
pub(crate) fn unverified(refusal: UnverifiedError, style: String) -> Response {
    refused_page(unverified_status(refusal), &refusal, style)
}

/// The page for an answer that doesn't count.
pub(crate) fn decision_refused(refusal: DecisionError, style: String) -> Response {
    let status = match refusal {
        DecisionError::Parameters(parameters) => parameters_status(parameters),
        DecisionError::Malformed => StatusCode::BAD_REQUEST,
        DecisionError::CrossSite
        | DecisionError::Browser
        | DecisionError::Ticket
        | DecisionError::Expired
        | DecisionError::AlreadyDecided => StatusCode::FORBIDDEN,
        DecisionError::Unverified(refusal) => unverified_status(refusal),
        DecisionError::Fault(fault) => fault_status(fault),
    };
    refused_page(status, &refusal, style)
}

fn refused_page(status: StatusCode, message: &impl ToString, style: String) -> Response {
    let mut message = message.to_string();
    if let Some(first) = message.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    message.push('.');
    page(status, &RefusedPage { style, message }, &RefusedPage::content_security_policy())
}

/// The consent page.
pub(crate) fn consent_page(status: StatusCode, consent: &ConsentPage) -> Response {
    page(status, consent, &consent.content_security_policy())
}

fn page(status: StatusCode, template: &impl Template, policy: &str) -> Response {
    let Ok(html) = template.render() else {
        return uncached((fault_status(Fault::Rendering), Fault::Rendering.to_string()).into_response());
    };
    let headers: [(HeaderName, &str); 4] = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_FRAME_OPTIONS, "DENY"),
        // Not `no-referrer`, under which browsers send `Origin: null` with the form.
        (header::REFERRER_POLICY, "same-origin"),
    ];
    uncached((status, headers, html).into_response())
}

/// Sends the browser back to the client.
pub(crate) fn redirect(to: &ClientRedirect) -> Response {
    let headers = [(header::LOCATION, to.as_str()), (header::REFERRER_POLICY, "no-referrer")];
    uncached((StatusCode::SEE_OTHER, headers).into_response())
}
