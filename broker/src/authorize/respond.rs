//! The answer to the client: its redirect URI with `code` or `error`, its `state`, and who answers (RFC 9207).

use url::form_urlencoded;

use crate::error::{Fault, RequestError};

/// An address to send the browser to. Only verified redirect URIs get here. `Debug` is absent: it may hold a code.
pub(crate) struct ClientRedirect(String);

impl ClientRedirect {
    pub(super) fn with_code(redirect_uri: &str, code: &str, state: Option<&str>, issuer: &str) -> Self {
        Self::with(redirect_uri, &[("code", code)], state, issuer)
    }

    pub(super) fn with_error(redirect_uri: &str, error: RequestError, state: Option<&str>, issuer: &str) -> Self {
        let description = error.to_string();
        Self::with(redirect_uri, &[("error", code_of(error)), ("error_description", &description)], state, issuer)
    }

    /// The value of `Location`.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Appends to the URI's bytes as registered; parsing and printing it again might change them.
    fn with(redirect_uri: &str, answer: &[(&str, &str)], state: Option<&str>, issuer: &str) -> Self {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(answer);
        query.extend_pairs(state.map(|state| ("state", state)));
        query.append_pair("iss", issuer);
        let separator = if redirect_uri.contains('?') { '&' } else { '?' };
        Self(format!("{redirect_uri}{separator}{}", query.finish()))
    }
}

/// RFC 6749 section 4.1.2.1, RFC 8707 section 2, RFC 9101 section 6.
fn code_of(error: RequestError) -> &'static str {
    match error {
        RequestError::ResponseType => "unsupported_response_type",
        RequestError::RequestObject => "request_not_supported",
        RequestError::ResourceMissing | RequestError::ResourceRepeated | RequestError::ResourceUnknown => {
            "invalid_target"
        }
        RequestError::Scope(_) | RequestError::ScopeUnknown | RequestError::ScopeMissing => "invalid_scope",
        RequestError::UserRefused => "access_denied",
        RequestError::Fault(Fault::Store(_)) => "temporarily_unavailable",
        RequestError::Fault(Fault::Randomness(_) | Fault::Signing | Fault::Rendering) => "server_error",
        RequestError::Parameters(_)
        | RequestError::ResponseTypeMissing
        | RequestError::ResponseMode
        | RequestError::ChallengeMissing
        | RequestError::ChallengeMethod
        | RequestError::ChallengeMalformed
        | RequestError::StateTooLong => "invalid_request",
    }
}
