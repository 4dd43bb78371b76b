//! What a server may answer, and what of it is taken.

use crate::support::{Answer, LIMITS, Scripted, Server, allowing, fetcher, get_plain};
use secrecy::SecretString;
use std::time::{Duration, Instant};
use tollward_netguard::{BasicCredentials, FetchError, FetchLimits, Scheme, Target};

const JSON: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";

async fn error_of(answer: &str) -> FetchError {
    let server = Server::plain(Answer::text(answer)).await;
    get_plain(&server, LIMITS).await.unwrap_err()
}

#[tokio::test]
async fn a_document_on_loopback_is_fetched_under_an_allowance() {
    let answer = format!("{JSON}Cache-Control: public\r\nCache-Control: max-age=60\r\nContent-Length: 2\r\n\r\n{{}}");
    let server = Server::plain(Answer::text(&answer)).await;
    let fetched = get_plain(&server, LIMITS).await.unwrap();
    assert_eq!(fetched.status, 200);
    assert_eq!(fetched.content_type.as_deref(), Some("application/json"));
    assert_eq!(fetched.cache_control.as_deref(), Some("public, max-age=60"));
    assert_eq!(&fetched.body[..], b"{}");
    let host = server.address;
    assert_eq!(
        server.requests(),
        [format!(
            "GET /document HTTP/1.1\r\nhost: {host}\r\nuser-agent: tollward\r\naccept-encoding: identity\r\n\
             connection: close\r\naccept: application/json\r\n\r\n"
        )]
    );
}

#[tokio::test]
async fn a_form_is_posted_with_the_clients_encoded_name_and_secret() {
    let server = Server::plain(Answer::text(&format!("{JSON}Content-Length: 2\r\n\r\n{{}}"))).await;
    let fetcher = fetcher(allowing("127.0.0.1/32", Scheme::Http), Scripted::new(&[]), LIMITS);
    let credentials = BasicCredentials::new("a:b", SecretString::from("s p/ä"));
    let form = [("token", "x&y=z"), ("token_type_hint", "access_token")];
    let target = server.url(Scheme::Http);
    assert!(fetcher.post_form(&target, &form, Some(&credentials)).await.is_ok());
    let request = server.requests().remove(0);
    // base64 of `a%3Ab:s+p%2F%C3%A4`, RFC 6749 §2.3.1.
    assert!(request.contains("\r\nauthorization: Basic YSUzQWI6cytwJTJGJUMzJUE0\r\n"), "{request}");
    assert!(request.contains("\r\ncontent-type: application/x-www-form-urlencoded\r\n"), "{request}");
    assert!(request.ends_with("\r\n\r\ntoken=x%26y%3Dz&token_type_hint=access_token"), "{request}");
    assert!(!format!("{credentials:?}").contains("s p"));
}

#[tokio::test]
async fn an_error_status_is_handed_on_with_its_body() {
    let server = Server::plain(Answer::text("HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone")).await;
    let fetched = get_plain(&server, LIMITS).await.unwrap();
    assert_eq!((fetched.status.as_u16(), &fetched.body[..]), (404, &b"gone"[..]));
    assert!(!format!("{fetched:?}").contains("gone"), "a body may hold tokens");
}

#[tokio::test]
async fn no_redirect_is_followed() {
    for location in ["http://169.254.169.254/latest", "//10.0.0.1/", "file:///etc/passwd", "/elsewhere"] {
        for status in [301, 302, 303, 304, 307, 308] {
            let answer =
                format!("HTTP/1.1 {status} Moved\r\nLocation: {location}?code=secret\r\nContent-Length: 0\r\n\r\n");
            let error = error_of(&answer).await;
            assert!(
                matches!(&error, FetchError::Redirect { status: s, location: l, .. } if *s == status && l == location),
                "{error:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_redirect_to_the_server_itself_causes_no_second_request() {
    let server =
        Server::plain(Answer::text("HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n")).await;
    assert!(get_plain(&server, LIMITS).await.is_err());
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_location_can_not_forge_log_lines_or_flood_them() {
    let long = format!("\u{1b}[31m{}", "é".repeat(5000));
    let error = error_of(&format!("HTTP/1.1 302 Found\r\nLocation: /{long}\r\nContent-Length: 0\r\n\r\n")).await;
    let text = error.to_string();
    assert!(text.is_ascii() || text.len() < 3000, "{text}");
    assert!(!text.contains('\u{1b}'), "{text}");
}

#[tokio::test]
async fn a_body_up_to_the_limit_is_taken_and_no_byte_more() {
    let fits = "x".repeat(LIMITS.max_body);
    let over = "x".repeat(LIMITS.max_body + 1);
    let framed = |body: &str| {
        [
            format!("{JSON}Content-Length: {}\r\n\r\n{body}", body.len()),
            format!("{JSON}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n", body.len()),
        ]
    };
    for answer in framed(&fits) {
        let server = Server::plain(Answer::text(&answer)).await;
        assert_eq!(get_plain(&server, LIMITS).await.unwrap().body.len(), LIMITS.max_body);
    }
    for answer in framed(&over) {
        let error = error_of(&answer).await;
        assert!(matches!(error, FetchError::TooLarge { limit: 1024, .. }), "{error}");
    }
    let error = error_of(&format!("{JSON}Content-Length: 18446744073709551000\r\n\r\n")).await;
    assert!(matches!(error, FetchError::TooLarge { .. }), "{error}");
}

#[tokio::test]
async fn an_endless_chunked_body_ends_at_the_limit() {
    let head = format!("{JSON}Transfer-Encoding: chunked\r\n\r\nfffff\r\n");
    let server = Server::plain(Answer::Drip([head.as_bytes(), &[b'x'; 1020]].concat())).await;
    let error = get_plain(&server, LIMITS).await.unwrap_err();
    assert!(matches!(error, FetchError::TooLarge { .. }), "{error}");
}

#[tokio::test]
async fn a_slow_drip_and_a_silent_server_hit_the_total_deadline() {
    let limits = FetchLimits { total: Duration::from_millis(300), ..LIMITS };
    let body = format!("{JSON}Content-Length: 1000\r\n\r\n");
    for answer in [Answer::Drip(body.into_bytes()), Answer::Drip(b"HTTP/1.1 200 OK\r\nX: ".to_vec()), Answer::Silence] {
        let server = Server::plain(answer).await;
        let started = Instant::now();
        let error = get_plain(&server, limits).await.unwrap_err();
        assert!(matches!(error, FetchError::Deadline { .. }), "{error}");
        assert!(started.elapsed() >= limits.total && started.elapsed() < LIMITS.total);
    }
}

#[tokio::test]
async fn an_encoded_body_is_refused() {
    for coding in [
        "Content-Encoding: gzip",
        "Content-Encoding: identity\r\nContent-Encoding: br",
        "Content-Encoding: identity, gzip",
        "Content-Encoding: x\u{7f}",
    ] {
        let error = error_of(&format!("{JSON}{coding}\r\nContent-Length: 2\r\n\r\n{{}}")).await;
        assert!(matches!(error, FetchError::Encoded { .. } | FetchError::Exchange { .. }), "{coding}: {error}");
    }
    let error = error_of(&format!("{JSON}Transfer-Encoding: gzip, chunked\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n")).await;
    assert!(matches!(error, FetchError::Encoded { .. }), "{error}");
    let server =
        Server::plain(Answer::text(&format!("{JSON}Content-Encoding: Identity\r\nContent-Length: 2\r\n\r\n{{}}")))
            .await;
    assert!(get_plain(&server, LIMITS).await.is_ok());
}

#[tokio::test]
async fn a_body_that_breaks_off_is_no_document() {
    let error = error_of(&format!("{JSON}\r\n{{\"keys\":[]}}")).await;
    assert!(matches!(error, FetchError::Unframed { .. }), "{error}");
    for answer in [
        format!("{JSON}Content-Length: 3\r\n\r\n{{}}"),
        format!("{JSON}Transfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n"),
        format!("{JSON}Transfer-Encoding: chunked\r\n\r\nzz\r\n{{}}\r\n"),
        format!("{JSON}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{{}}"),
        JSON.to_owned(),
        "SSH-2.0-OpenSSH_9.6\r\n".to_owned(),
        String::new(),
    ] {
        let error = error_of(&answer).await;
        assert!(matches!(error, FetchError::Exchange { .. }), "{answer:?}: {error:?}");
    }
}

#[tokio::test]
async fn too_many_or_too_large_headers_are_refused() {
    let large = format!("X-Large: {}\r\n", "x".repeat(64 * 1024));
    for headers in ["X: y\r\n".repeat(101), large] {
        let error = error_of(&format!("{JSON}{headers}Content-Length: 0\r\n\r\n")).await;
        assert!(matches!(error, FetchError::HeadTooLarge { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn a_content_type_given_twice_is_no_content_type() {
    let server =
        Server::plain(Answer::text(&format!("{JSON}Content-Type: text/html\r\nContent-Length: 0\r\n\r\n"))).await;
    assert_eq!(get_plain(&server, LIMITS).await.unwrap().content_type, None);
}

#[tokio::test]
async fn an_accept_value_that_would_split_the_request_is_refused() {
    let fetcher = fetcher(allowing("127.0.0.1/32", Scheme::Http), Scripted::new(&[]), LIMITS);
    let target = Target::parse("http://127.0.0.1:9/").unwrap();
    let error = fetcher.get(&target, "a\r\nX: y").await.unwrap_err();
    assert!(matches!(error, FetchError::Request { .. }), "{error}");
}
