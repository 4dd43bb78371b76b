//! Response headers: what a server may tell a client.
//!
//! An allow-list, since the server is not trusted: it must not set cookies or cross-origin rules on Tollward's origin,
//! redirect clients, start an authentication of its own, or speak in Tollward's name (`X-Mcp-*`). `Mcp-Session-Id` is not
//! on the list: only its sealed form leaves, which the session stage adds.

use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue};

/// Headers that pass, whatever becomes of the body.
const ALWAYS: [HeaderName; 6] = [
    CONTENT_TYPE,
    CONTENT_LANGUAGE,
    ALLOW,
    RETRY_AFTER,
    HeaderName::from_static("mcp-protocol-version"),
    HeaderName::from_static("x-accel-buffering"),
];

/// Headers that are true only of the body as the server sent it.
const UNCHANGED_ONLY: [HeaderName; 2] = [CONTENT_LENGTH, CONTENT_ENCODING];

/// What becomes of the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// It is sent on as it comes.
    Unchanged,
    /// It is cut down to what this caller may see, so that its length is another.
    Filtered,
}

/// How a body can be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Media {
    /// One JSON document.
    Json,
    /// Server-sent events.
    EventStream,
    /// Anything else, or encoded: it can't be filtered or observed.
    Opaque,
}

/// The headers for the client.
pub fn for_client(upstream: &HeaderMap, body: Body) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(8);
    for name in &ALWAYS {
        copy(upstream, name, &mut headers);
    }
    match body {
        Body::Unchanged => {
            for name in &UNCHANGED_ONLY {
                copy(upstream, name, &mut headers);
            }
        }
        Body::Filtered => {}
    }
    // A server that knows nothing of callers can't know whose cache may keep an answer.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    // The body is the server's, the origin is ours: no browser may guess that it is a page.
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers
}

/// Lists may come in several lines; anything else that is repeated is ambiguous and left out.
fn copy(upstream: &HeaderMap, name: &HeaderName, headers: &mut HeaderMap) {
    let is_list = name == ALLOW;
    if is_list || upstream.get_all(name).iter().nth(1).is_none() {
        for value in upstream.get_all(name) {
            headers.append(name.clone(), value.clone());
        }
    }
}

/// How the body behind these headers can be understood.
pub fn media(upstream: &HeaderMap) -> Media {
    let mut types = upstream.get_all(CONTENT_TYPE).iter();
    let (Some(only), None) = (types.next(), types.next()) else {
        return Media::Opaque;
    };
    let coded =
        upstream.get_all(CONTENT_ENCODING).iter().any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"));
    let essence = only.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim_matches([' ', '\t']);
    if coded {
        Media::Opaque
    } else if essence.eq_ignore_ascii_case("application/json") {
        Media::Json
    } else if essence.eq_ignore_ascii_case("text/event-stream") {
        Media::EventStream
    } else {
        Media::Opaque
    }
}

#[cfg(test)]
mod tests {
    use super::{Body, Media, for_client, media};
    use http::{HeaderMap, HeaderName, HeaderValue};

    fn map(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = lines.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name, value);
        }
        headers
    }

    fn lines(headers: &HeaderMap) -> Vec<String> {
        let mut lines: Vec<_> =
            headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        lines.sort();
        lines
    }

    const HOSTILE: &[(&str, &str)] = &[
        ("content-type", "application/json"),
        ("content-length", "42"),
        ("cache-control", "public, max-age=60"),
        ("mcp-protocol-version", "2025-06-18"),
        ("x-accel-buffering", "no"),
        ("retry-after", "3"),
        ("mcp-session-id", "raw"),
        ("x-mcp-subject", "admin"),
        ("set-cookie", "a=b"),
        ("server-timing", "db;dur=53"),
        ("server", "example/1"),
        ("access-control-allow-origin", "*"),
        ("access-control-allow-credentials", "true"),
        ("location", "https://evil.example"),
        ("www-authenticate", "Bearer realm=\"evil\""),
        ("connection", "upgrade"),
        ("upgrade", "h2c"),
        ("transfer-encoding", "chunked"),
        ("trailer", "x"),
        ("keep-alive", "timeout=5"),
        ("ratelimit", "\"x\";r=0"),
        ("clear-site-data", "\"*\""),
        ("service-worker-allowed", "/"),
        ("refresh", "0;url=https://evil.example"),
        ("alt-svc", "h3=\":443\""),
        ("content-security-policy", "default-src *"),
    ];

    #[test]
    fn h31_only_listed_headers_reach_the_client() {
        insta::assert_yaml_snapshot!(lines(&for_client(&map(HOSTILE), Body::Unchanged)), @r#"
        - "cache-control: private, no-store"
        - "content-length: 42"
        - "content-type: application/json"
        - "mcp-protocol-version: 2025-06-18"
        - "retry-after: 3"
        - "x-accel-buffering: no"
        - "x-content-type-options: nosniff"
        "#);
    }

    #[test]
    fn p24_a_filtered_list_is_for_no_shared_cache_and_has_no_stale_length() {
        insta::assert_yaml_snapshot!(lines(&for_client(&map(HOSTILE), Body::Filtered)), @r#"
        - "cache-control: private, no-store"
        - "content-type: application/json"
        - "mcp-protocol-version: 2025-06-18"
        - "retry-after: 3"
        - "x-accel-buffering: no"
        - "x-content-type-options: nosniff"
        "#);
    }

    #[test]
    fn a_repeated_content_type_is_left_out() {
        let twice = map(&[("content-type", "application/json"), ("content-type", "text/html")]);
        assert!(!for_client(&twice, Body::Unchanged).contains_key("content-type"));
        assert_eq!(media(&twice), Media::Opaque);
    }

    #[test]
    fn only_plain_json_and_event_streams_are_understood() {
        let table = [
            (map(&[("content-type", "application/json")]), Media::Json),
            (map(&[("content-type", "Application/JSON; charset=utf-8")]), Media::Json),
            (map(&[("content-type", "text/event-stream;charset=utf-8")]), Media::EventStream),
            (map(&[("content-type", "application/json"), ("content-encoding", "identity")]), Media::Json),
            (map(&[("content-type", "application/json"), ("content-encoding", "gzip")]), Media::Opaque),
            (map(&[("content-type", "application/jsonl")]), Media::Opaque),
            (map(&[("content-type", "text/html")]), Media::Opaque),
            (map(&[]), Media::Opaque),
        ];
        for (headers, expected) in table {
            assert_eq!(media(&headers), expected, "{headers:?}");
        }
    }
}
