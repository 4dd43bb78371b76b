//! The one access token of a request (RFC 6750 §2.1, RFC 9449 §7.1), or the refusal of anything that two readers could read in two ways.
//! The query, cookies and forms are never looked at.

use super::refusal::Refusal;
use super::scheme::Scheme;
use aws_lc_rs::digest::{SHA256, digest};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use tollward_policy::reason::Reason;

/// Longest token in bytes, far above what issuers grant and far below what is costly to hash.
const MAX_TOKEN: usize = 16 * 1024;

/// More than one header. The request is ambiguous as HTTP, so it deserves 400 rather than 401.
pub const AUTHORIZATION_REPEATED: &str = "the request has more than one Authorization header";
/// A comma in the header, which is what joined headers look like: as ambiguous as two.
pub const AUTHORIZATION_LIST: &str = "the Authorization header holds a list";
/// `Basic`, `Negotiate`, no scheme at all, or `DPoP` where that is not accepted.
pub const AUTHORIZATION_SCHEME: &str = "the Authorization header is not of a scheme that is accepted here";

/// What a request says about its caller.
pub(super) enum Credentials<'h> {
    /// Nothing.
    Missing,
    /// One token.
    Token(Scheme, BearerToken<'h>),
}

/// A token's text: at most 16 KiB of b64token characters. It has no `Debug`, so that none is ever logged.
#[derive(Clone, Copy)]
pub(crate) struct BearerToken<'h>(&'h str);

impl<'h> BearerToken<'h> {
    /// The text, for verification and for exchanging it.
    pub(crate) const fn text(self) -> &'h str {
        self.0
    }

    /// SHA-256 of the text: the name under which a verified token is remembered.
    pub(crate) fn digest(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        // The digest has the length of the array by the algorithm's definition.
        bytes.copy_from_slice(digest(&SHA256, self.0.as_bytes()).as_ref());
        bytes
    }
}

/// The token of a request that was authenticated, for the one place that may show it to its issuer.
pub(crate) type SubjectToken<'h> = BearerToken<'h>;

/// The caller's token, to be exchanged at the provider that issued it, by whichever scheme it came.
pub(crate) fn subject_token(headers: &HeaderMap) -> Option<SubjectToken<'_>> {
    match credentials(headers, true) {
        Ok(Credentials::Token(_, token)) => Some(token),
        Ok(Credentials::Missing) | Err(_) => None,
    }
}

/// Reads the `Authorization` header. `dpop`: whether that scheme is accepted.
pub(super) fn credentials(headers: &HeaderMap, dpop: bool) -> Result<Credentials<'_>, Refusal> {
    let mut values = headers.get_all(AUTHORIZATION).into_iter();
    let Some(value) = values.next() else {
        return Ok(Credentials::Missing);
    };
    if values.next().is_some() {
        return Err(malformed(AUTHORIZATION_REPEATED));
    }
    // Judged before the first character is, so that a megabyte costs as little as a byte.
    if value.len() > "Bearer ".len() + MAX_TOKEN {
        return Err(Refusal::new(Reason::TokenMalformed, "the access token is longer than 16 KiB"));
    }
    let text = value.to_str().map_err(|_| malformed("the Authorization header holds other than ASCII"))?;
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    let scheme = if scheme.eq_ignore_ascii_case("Bearer") {
        Scheme::Bearer
    } else if dpop && scheme.eq_ignore_ascii_case("DPoP") {
        Scheme::Dpop
    } else {
        return Err(malformed(AUTHORIZATION_SCHEME));
    };
    if token.contains(',') {
        return Err(malformed(AUTHORIZATION_LIST));
    }
    if !is_b64token(token) {
        return Err(malformed("the scheme is not followed by one space and one token"));
    }
    Ok(Credentials::Token(scheme, BearerToken(token)))
}

const fn malformed(detail: &'static str) -> Refusal {
    Refusal::new(Reason::CredentialsMalformed, detail)
}

/// `1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="`
fn is_b64token(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    !body.is_empty() && body.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte))
}
