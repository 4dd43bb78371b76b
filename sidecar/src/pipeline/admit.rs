//! Size and shape of the head: what no later stage should have to doubt.

use crate::denial::Denial;
use crate::snapshot::Snapshot;
use crate::source::Source;
use http::header::{
    ACCEPT, AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderName, ORIGIN, TRANSFER_ENCODING,
};
use http::request::Parts;
use http::{HeaderMap, Method, Version};
use http_body::Body as _;
use hyper::body::Incoming;
use std::sync::Arc;
use tollward_policy::reason::Reason;

/// HTTP methods that are served at all.
const SERVED: &[Method] = &[Method::GET, Method::POST, Method::DELETE, Method::OPTIONS, Method::HEAD];

/// Headers of which a second one would make the request ambiguous. Authorization is judged by its own stage.
const SINGLE: &[HeaderName] =
    &[HOST, ORIGIN, CONTENT_TYPE, CONTENT_LENGTH, CONTENT_ENCODING, TRANSFER_ENCODING, AUTHORIZATION];

/// A request whose head is unambiguous and bounded.
pub(super) struct Admitted {
    pub(super) parts: Parts,
    pub(super) source: Source,
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) host: String,
}

/// Refuses heads that are too large or ambiguous.
pub(super) fn admit(
    parts: Parts,
    body: &Incoming,
    source: Source,
    snapshot: Arc<Snapshot>,
) -> Result<Admitted, Denial> {
    let limits = &snapshot.limits;
    let target = parts.uri.path().len() + parts.uri.query().unwrap_or_default().len();
    let bytes: usize = parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    let bytes = bytes + target;
    if parts.headers.len() > usize::from(limits.max_headers) || bytes > limits.max_header_bytes as usize {
        return Err(Denial::new(Reason::HeadersTooLarge));
    }
    check_single(&parts.headers)?;
    if !SERVED.contains(&parts.method) {
        return Err(Denial::new(Reason::MethodNotAllowed).allow("GET, POST, DELETE, OPTIONS"));
    }
    let host = host(&parts)?;
    check_path(parts.uri.path())?;
    check_body(&parts, body, limits.max_body_bytes)?;
    Ok(Admitted { parts, source, snapshot, host })
}

fn check_single(headers: &HeaderMap) -> Result<(), Denial> {
    let malformed = |detail| Err(Denial::new(Reason::RequestMalformed).detail(detail));
    if SINGLE.iter().any(|name| headers.get_all(name).iter().count() > 1) {
        return malformed("a header that may stand once stands twice");
    }
    // A proxy in front that turns `_` into `-` would make them look like ours (CVE-2025-64484 and its kin).
    let shadows = ["x_forwarded", "mcp_", "content_", "transfer_", "x_mcp"];
    if headers.keys().any(|name| shadows.iter().any(|shadow| name.as_str().starts_with(shadow))) {
        return malformed("a header name with underscores imitates another header");
    }
    // The library looks at the last coding only, and would read a compressed body as if it were none. Another case is the same
    // coding, but not to every proxy in front, and to one that knows none the body is the next request.
    if headers.get(TRANSFER_ENCODING).is_some_and(|coding| coding.as_bytes() != b"chunked") {
        return malformed("Transfer-Encoding is not exactly chunked");
    }
    // To some readers a number that begins with zero is octal.
    if headers.get(CONTENT_LENGTH).is_some_and(|length| length.len() > 1 && length.as_bytes().starts_with(b"0")) {
        return malformed("Content-Length begins with zero");
    }
    if headers.get(ACCEPT).is_some_and(|accept| accept.len() > 1024) {
        return malformed("Accept is too long");
    }
    Ok(())
}

/// The authority that the client meant, in lower case without trailing dot. Host and an absolute target must agree.
fn host(parts: &Parts) -> Result<String, Denial> {
    let malformed = |detail| Denial::new(Reason::RequestMalformed).detail(detail);
    let header = match parts.headers.get(HOST) {
        Some(value) => Some(value.to_str().map_err(|_| malformed("Host is not text"))?),
        None => None,
    };
    let target = parts.uri.authority().map(http::uri::Authority::as_str);
    let host = match (header, target) {
        (Some(header), Some(target)) if !header.eq_ignore_ascii_case(target) => {
            return Err(malformed("Host and the request target name different authorities"));
        }
        (Some(host), _) | (None, Some(host)) => host,
        (None, None) if parts.version == Version::HTTP_10 => return Err(malformed("HTTP/1.0 is not served")),
        (None, None) => return Err(malformed("Host is missing")),
    };
    if host.is_empty() || host.contains('@') || host.parse::<http::uri::Authority>().is_err() {
        return Err(malformed("Host is not an authority"));
    }
    Ok(normal_authority(host))
}

/// Lower case, without the dot that ends a fully qualified name.
pub(super) fn normal_authority(authority: &str) -> String {
    let lower = authority.to_ascii_lowercase();
    match lower.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => format!("{}:{port}", host.trim_end_matches('.')),
        Some(_) | None => lower.trim_end_matches('.').to_owned(),
    }
}

/// Paths are compared byte by byte, so that what others would decode or collapse has no meaning here.
fn check_path(path: &str) -> Result<(), Denial> {
    let odd = ["%2f", "%2F", "%5c", "%5C", "%2e", "%2E", "%00", "\\", "/../", "/./", "//", ";"];
    if odd.iter().any(|part| path.contains(part))
        || path.ends_with("/..")
        || path.ends_with("/.")
        || !path.starts_with('/')
    {
        return Err(
            Denial::new(Reason::RequestMalformed).detail("the path has dot segments, doubled or encoded separators")
        );
    }
    Ok(())
}

fn check_body(parts: &Parts, body: &Incoming, max_bytes: u32) -> Result<(), Denial> {
    if parts.method != Method::POST && !body.is_end_stream() {
        return Err(Denial::new(Reason::RequestMalformed).detail("only POST may have a body"));
    }
    if body.size_hint().lower() > u64::from(max_bytes) {
        return Err(Denial::new(Reason::BodyTooLarge));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::normal_authority;

    #[test]
    fn authorities_are_compared_without_case_and_trailing_dot() {
        let table = [
            ("MCP.Example.com.", "mcp.example.com"),
            ("mcp.example.com.:8443", "mcp.example.com:8443"),
            ("[::1]", "[::1]"),
            ("[::1]:80", "[::1]:80"),
        ];
        for (given, normal) in table {
            assert_eq!(normal_authority(given), normal);
        }
    }
}
