//! Requests that two readers of HTTP could take for two different things, as bytes on a bare socket, each with a good token.
//! Whoever refuses them, the library or the pipeline: nothing may reach the MCP server.

use tollward_policy::operation::Era;
use tollward_tests::client::exchange;
use tollward_tests::mcp::Call;
use tollward_tests::upstream::UPSTREAM_PATH;
use tollward_tests::world::World;

/// The head without its last line break, with the headers of a good call apart from those that say how long the body is.
fn head(world: &World, line: &str, host: &str) -> String {
    let token = world.token();
    format!(
        "{line}\r\n{host}Authorization: Bearer {token}\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\n\
         MCP-Protocol-Version: 2025-11-25\r\nConnection: close\r\n"
    )
}

fn body() -> String {
    String::from_utf8(Call::tool(Era::Legacy, "get_product").body.to_vec()).expect("JSON is UTF-8")
}

const LINE: &str = "POST /shop/mcp HTTP/1.1";
const HOST: &str = "Host: mcp.example.test\r\n";

/// A request with these framing headers and a body in chunks or as it is.
fn framed(world: &World, framing: &str, chunked: bool) -> Vec<u8> {
    let body = body();
    let body = if chunked { format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len()) } else { body };
    format!("{}{framing}\r\n\r\n{body}", head(world, LINE, HOST)).into_bytes()
}

/// What the client gets, as `status` or `closed`.
fn status(answer: &str) -> &str {
    answer.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.split(' ').next()).unwrap_or("closed")
}

async fn each_is_refused(world: &World, cases: Vec<(&str, Vec<u8>)>) {
    let mut wrong = Vec::new();
    for (what, bytes) in cases {
        let before = world.upstream.count();
        let answer = exchange(world.sidecar.public, &bytes).await;
        let reached = world.upstream.count() - before;
        if reached > 0 || !(status(&answer).starts_with('4') || status(&answer) == "closed") {
            wrong.push(format!("{what}: {reached} reached the MCP server; {answer:?}"));
        }
        assert!(answer.matches("HTTP/1.1 ").count() <= 1, "{what}: one answer at most: {answer:?}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    world.end();
}

#[tokio::test]
async fn the_good_request_passes_so_that_the_bad_ones_say_something() {
    let world = World::start().await;
    for (chunked, framing) in
        [(false, format!("Content-Length: {}", body().len())), (true, "Transfer-Encoding: chunked".to_owned())]
    {
        let answer = exchange(world.sidecar.public, &framed(&world, &framing, chunked)).await;
        assert_eq!(status(&answer), "200", "{answer}");
    }
    assert_eq!(world.upstream.count(), 2);
    let first = &world.upstream.requests()[1];
    assert_eq!(first.header("content-length"), body().len().to_string(), "what was judged is what is sent");
    world.end();
}

#[tokio::test]
async fn a_length_that_is_not_one_number_is_refused() {
    let world = World::start().await;
    let length = body().len();
    let shorter = length - 1;
    let cases = vec![
        ("two lengths", framed(&world, &format!("Content-Length: {length}\r\nContent-Length: {shorter}"), false)),
        ("a list of lengths", framed(&world, &format!("Content-Length: {length}, {length}"), false)),
        ("a length with a sign", framed(&world, &format!("Content-Length: +{length}"), false)),
        ("a hexadecimal length", framed(&world, &format!("Content-Length: 0x{length:x}"), false)),
        ("a negative length", framed(&world, "Content-Length: -1", false)),
        ("a length beyond 64 bits", framed(&world, "Content-Length: 99999999999999999999", false)),
        ("a length with leading zeros", framed(&world, &format!("Content-Length: 00{length}"), false)),
        ("a length with a fraction", framed(&world, &format!("Content-Length: {length}.0"), false)),
        (
            "a length with a space inside",
            framed(&world, &format!("Content-Length: {} {}", length / 10, length % 10), false),
        ),
    ];
    each_is_refused(&world, cases).await;
}

/// White space around a value is none of it (RFC 9110 section 5.5), and a length that is repeated is the same length.
#[tokio::test]
async fn what_all_read_alike_passes_and_is_framed_anew() {
    let world = World::start().await;
    let length = body().len();
    let framings = [
        (format!("Content-Length: {length}\r\nContent-Length: {length}"), false),
        (format!("Content-Length: {length} "), false),
        ("Transfer-Encoding:\tchunked".to_owned(), true),
    ];
    for (framing, chunked) in framings {
        let answer = exchange(world.sidecar.public, &framed(&world, &framing, chunked)).await;
        assert_eq!(status(&answer), "200", "{framing}: {answer}");
        let seen = world.upstream.last();
        let lengths: Vec<_> =
            seen.headers.get_all("content-length").iter().map(|value| value.to_str().unwrap()).collect();
        assert_eq!((lengths, seen.header("transfer-encoding")), (vec![&*length.to_string()], ""));
        assert_eq!(seen.body, body().as_bytes());
    }
    world.end();
}

/// RFC 9112 section 6.1 lets a server read by Transfer-Encoding if it closes the connection then. What matters is that the MCP server
/// can't read otherwise, and that nothing behind it is read.
#[tokio::test]
async fn a_body_with_length_and_chunks_is_read_in_one_way_and_framed_anew() {
    let world = World::start().await;
    let body = body();
    for length in [0, 5, body.len(), body.len() + 100] {
        for framing in [
            format!("Content-Length: {length}\r\nTransfer-Encoding: chunked"),
            format!("Transfer-Encoding: chunked\r\nContent-Length: {length}"),
        ] {
            let before = world.upstream.count();
            let request = String::from_utf8(framed(&world, &framing, true)).unwrap();
            let request = request.replacen("Connection: close\r\n", "", 1).repeat(2);
            let answer = exchange(world.sidecar.public, request.as_bytes()).await;
            assert_eq!((status(&answer), answer.matches("HTTP/1.1 ").count()), ("200", 1), "{framing}: {answer}");
            assert_eq!(world.upstream.count(), before + 1, "{framing}");
            let seen = world.upstream.last();
            assert_eq!(
                (seen.header("content-length"), seen.header("transfer-encoding")),
                (body.len().to_string().as_str(), "")
            );
            assert_eq!(seen.body, body.as_bytes());
        }
    }
    world.end();
}

#[tokio::test]
async fn a_transfer_coding_that_is_not_exactly_chunked_is_refused() {
    let world = World::start().await;
    let codings = [
        "xchunked",
        "chunked, identity",
        "identity",
        "gzip, chunked",
        "chunked\u{b}",
        "chunked, chunked",
        "\"chunked\"",
        "chunked;q=1",
        "Chunked",
        "CHUNKED",
        "",
    ];
    let mut cases: Vec<_> = codings
        .into_iter()
        .map(|coding| (coding, framed(&world, &format!("Transfer-Encoding: {coding}"), true)))
        .collect();
    cases.push(("two codings", framed(&world, "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", true)));
    cases.push((
        "two different codings",
        framed(&world, "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", true),
    ));
    let old = String::from_utf8(framed(&world, "Transfer-Encoding: chunked", true)).unwrap();
    cases.push(("HTTP/1.0, which has none", old.replacen("HTTP/1.1", "HTTP/1.0", 1).into_bytes()));
    cases.push(("a space before the colon", framed(&world, "Transfer-Encoding : chunked", true)));
    cases.push(("folded", framed(&world, "Transfer-Encoding:\r\n chunked", true)));
    each_is_refused(&world, cases).await;
}

#[tokio::test]
async fn chunks_that_are_not_well_formed_are_refused() {
    let world = World::with(|config| config.process.http.body_timeout_seconds = 1).await;
    let body = body();
    let chunked =
        |text: String| format!("{}Transfer-Encoding: chunked\r\n\r\n{text}", head(&world, LINE, HOST)).into_bytes();
    let size = format!("{:x}", body.len());
    let cases = vec![
        ("a size that overflows", chunked(format!("ffffffffffffffff1\r\n{body}\r\n0\r\n\r\n"))),
        ("no size", chunked(format!("\r\n{body}\r\n0\r\n\r\n"))),
        ("a size with a sign", chunked(format!("+{size}\r\n{body}\r\n0\r\n\r\n"))),
        ("a size with a prefix", chunked(format!("0x{size}\r\n{body}\r\n0\r\n\r\n"))),
        ("a bare line feed after the size", chunked(format!("{size}\n{body}\r\n0\r\n\r\n"))),
        ("no line break after the chunk", chunked(format!("{size}\r\n{body}0\r\n\r\n"))),
        ("an extension of 64 KiB", chunked(format!("{size};x={}\r\n{body}\r\n0\r\n\r\n", "y".repeat(65_536)))),
        ("a bare line feed in an extension", chunked(format!("{size};x=\n{body}\r\n0\r\n\r\n"))),
        ("a carriage return alone after the size", chunked(format!("{size}\r{body}\r\n0\r\n\r\n"))),
        ("a bare line feed after the chunk", chunked(format!("{size}\r\n{body}\n0\r\n\r\n"))),
        ("a space within the size", chunked(format!("{} {}\r\n{body}\r\n0\r\n\r\n", &size[..1], &size[1..]))),
        ("no line break at the very end", chunked(format!("{size}\r\n{body}\r\n0\r\n"))),
        ("no last chunk", chunked(format!("{size}\r\n{body}\r\n"))),
        ("a trailer without colon", chunked(format!("{size}\r\n{body}\r\n0\r\nX-A\r\n\r\n"))),
        ("a trailer of 64 KiB", chunked(format!("{size}\r\n{body}\r\n0\r\nX-A: {}\r\n\r\n", "y".repeat(65_536)))),
        ("10000 trailers", chunked(format!("{size}\r\n{body}\r\n0\r\n{}\r\n", "X-A: 1\r\n".repeat(10_000)))),
    ];
    each_is_refused(&world, cases).await;
}

#[tokio::test]
async fn heads_that_are_not_well_formed_are_refused() {
    let world = World::start().await;
    let length = format!("Content-Length: {}", body().len());
    let with = |header: &str| framed(&world, &format!("{length}\r\n{header}"), false);
    let line = |line: &str, host: &str| format!("{}{length}\r\n\r\n{}", head(&world, line, host), body()).into_bytes();
    let cases = vec![
        ("a folded header", with("X-A: 1\r\n 2")),
        ("a space before the colon", with("X-A : 1")),
        ("a null in a value", with("X-A: 1\u{0}2")),
        ("a bare carriage return in a value", with("X-A: 1\r2")),
        ("a line feed in a value", with("X-A: 1\n2")),
        ("a delete in a value", with("X-A: 1\u{7f}2")),
        ("an empty name", with(": 1")),
        ("a name that is no token", with("X(A): 1")),
        ("a name with a space", with("X A: 1")),
        ("a line without colon", with("X-A")),
        ("another authority in the target", line("POST http://evil.example/shop/mcp HTTP/1.1", HOST)),
        (
            "the right target under another Host",
            line("POST http://mcp.example.test/shop/mcp HTTP/1.1", "Host: evil.example\r\n"),
        ),
        ("two hosts", line(LINE, "Host: mcp.example.test\r\nHost: evil.example\r\n")),
        ("two equal hosts", line(LINE, "Host: mcp.example.test\r\nHost: mcp.example.test\r\n")),
        ("no host", line(LINE, "")),
        ("an empty host", line(LINE, "Host:\r\n")),
        ("a host with a user", line(LINE, "Host: a@mcp.example.test\r\n")),
        ("a host with a path", line(LINE, "Host: mcp.example.test/shop\r\n")),
        ("a port that is none", line(LINE, "Host: mcp.example.test:99999\r\n")),
        ("a target without slash", line("POST shop/mcp HTTP/1.1", HOST)),
        ("a host with an empty port", line(LINE, "Host: mcp.example.test:\r\n")),
        ("a host with two ports", line(LINE, "Host: mcp.example.test:443:443\r\n")),
        ("a host that is no text", line(LINE, "Host: mcp.ex\u{e4}mple.test\r\n")),
        ("a method with a space", line("POST  /shop/mcp HTTP/1.1", HOST)),
        ("another version", line("POST /shop/mcp HTTP/1.2", HOST)),
        ("HTTP/1.0 without host", line("POST /shop/mcp HTTP/1.0", "")),
        ("no version", line("POST /shop/mcp", HOST)),
        ("a proxy's preamble", [b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n".to_vec(), line(LINE, HOST)].concat()),
        ("a proxy's preamble in bytes", [&PROXY[..], &[0, 12], &[127; 12], &line(LINE, HOST)].concat()),
        ("a proxy's preamble that is longer than all", [&PROXY[..], &[255, 255], &line(LINE, HOST)].concat()),
        ("a header of 40 KiB", with(&format!("X-A: {}", "y".repeat(40_960)))),
        ("120 headers", with(&(0..120).map(|n| format!("X-{n}: 1")).collect::<Vec<_>>().join("\r\n"))),
        ("a target of 40 KiB", line(&format!("POST /shop/mcp?{} HTTP/1.1", "y".repeat(40_960)), HOST)),
    ];
    each_is_refused(&world, cases).await;
}

/// As much of the PROXY protocol's second version as says that two addresses follow.
const PROXY: [u8; 14] = *b"\r\n\r\n\0\r\nQUIT\n\x21\x11";

#[tokio::test]
async fn a_path_that_is_spelled_otherwise_is_no_path_of_ours() {
    let world = World::start().await;
    let spelled = [
        "/shop\\mcp",
        "/shop/mcp\\",
        "/shop/%c0%ae%c0%ae/shop/mcp",
        "/shop%c0%afmcp",
        "/shop/%252e%252e/shop/mcp",
        "/shop/mcp%0d%0a",
        "/shop/mcp%23",
        "/shop/mcp\u{e4}",
        "/shop/mcp%3fx",
        "/./shop/mcp",
        "*",
    ];
    let framing = format!("Content-Length: {}", body().len());
    let line = |path: &str| {
        let line = format!("POST {path} HTTP/1.1");
        format!("{}{framing}\r\n\r\n{}", head(&world, &line, HOST), body()).into_bytes()
    };
    let cases = spelled.into_iter().map(|path| (path, line(path))).collect();
    each_is_refused(&world, cases).await;
    // The library takes a fragment off, which no client sends; a query is dropped.
    for path in ["/shop/mcp#f", "/shop/mcp?x=/../"] {
        let answer = exchange(world.sidecar.public, &line(path)).await;
        assert_eq!(
            (status(&answer), world.upstream.last().target.as_str()),
            ("200", UPSTREAM_PATH),
            "{path}: {answer}"
        );
    }
}

#[tokio::test]
async fn a_tunnel_is_no_method_of_ours() {
    let world = World::start().await;
    for (line, host) in
        [("CONNECT mcp.example.test:443", "mcp.example.test:443"), ("CONNECT 127.0.0.1:22", "127.0.0.1:22")]
    {
        let request = format!("{line} HTTP/1.1\r\nHost: {host}\r\n\r\nSSH-2.0-evil\r\n");
        let answer = exchange(world.sidecar.public, request.as_bytes()).await;
        assert_eq!((status(&answer), answer.matches("HTTP/1.1 ").count()), ("405", 1), "{answer}");
    }
    assert_eq!(world.upstream.count(), 0);
    world.end();
}

#[tokio::test]
async fn only_post_has_a_body() {
    let world = World::start().await;
    let mut cases = Vec::new();
    for method in ["GET", "HEAD", "DELETE", "OPTIONS"] {
        let line = format!("{method} /shop/mcp HTTP/1.1");
        let (length, chunks) = (body().len(), format!("{:x}\r\n{}\r\n0\r\n\r\n", body().len(), body()));
        let head = head(&world, &line, HOST);
        cases.push((method, format!("{head}Content-Length: {length}\r\n\r\n{}", body()).into_bytes()));
        cases.push((method, format!("{head}Transfer-Encoding: chunked\r\n\r\n{chunks}").into_bytes()));
    }
    each_is_refused(&world, cases).await;
}

#[tokio::test]
async fn a_client_that_waits_to_be_asked_for_its_body_is_asked_only_if_it_may_call() {
    let world = World::start().await;
    let framing = format!("Expect: 100-continue\r\nContent-Length: {}", body().len());
    let good = framed(&world, &framing, false);
    let answer = exchange(world.sidecar.public, &good).await;
    assert!(answer.starts_with("HTTP/1.1 100 ") && answer.contains("\r\n\r\nHTTP/1.1 200 "), "{answer}");
    let good = String::from_utf8(good).unwrap();
    // The body never comes, and what does come is not taken for it.
    let refused = good.replacen("Authorization", "X-No", 1).replacen("Connection: close\r\n", "", 1);
    let refused = refused.split_inclusive("\r\n\r\n").next().unwrap();
    let answer = exchange(world.sidecar.public, format!("{refused}{good}").as_bytes()).await;
    assert_eq!((status(&answer), answer.matches("HTTP/1.1 ").count()), ("401", 1), "{answer}");
    assert_eq!(world.upstream.count(), 1);
    world.end();
}

#[tokio::test]
async fn an_upgrade_is_never_made() {
    let world = World::start().await;
    let length = body().len();
    for protocol in ["websocket", "h2c", "foo"] {
        let upgrade =
            format!("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: {protocol}\r\nHTTP2-Settings: AAMAAABkAAQAAP__");
        let answer =
            exchange(world.sidecar.public, &framed(&world, &format!("Content-Length: {length}\r\n{upgrade}"), false))
                .await;
        assert_ne!(status(&answer), "101", "{protocol}: {answer}");
        let get = head(&world, "GET /shop/mcp HTTP/1.1", HOST);
        let answer = exchange(world.sidecar.public, format!("{get}{upgrade}\r\n\r\n\u{1}\u{5}evil!").as_bytes()).await;
        assert!(!answer.contains(" 101 ") && answer.matches("HTTP/1.1 ").count() == 1, "{protocol}: {answer}");
        let names: Vec<_> = world.upstream.requests().iter().flat_map(|seen| seen.headers.keys().cloned()).collect();
        assert!(!names.iter().any(|name| ["upgrade", "http2-settings"].contains(&name.as_str())), "{protocol}");
    }
    world.end();
}

#[tokio::test]
async fn trailers_are_no_headers() {
    let world = World::start().await;
    let body = body();
    let head = head(&world, LINE, HOST).replacen("Authorization", "X-No", 1);
    let token = world.token();
    let request = format!(
        "{head}Transfer-Encoding: chunked\r\nTrailer: Authorization\r\n\r\n{:x}\r\n{body}\r\n0\r\nAuthorization: Bearer {token}\r\n\r\n",
        body.len()
    );
    let answer = exchange(world.sidecar.public, request.as_bytes()).await;
    assert_eq!(status(&answer), "401", "{answer}");
    assert_eq!(world.upstream.count(), 0);
    world.end();
}

#[tokio::test]
async fn what_follows_a_refused_request_is_not_taken_for_another() {
    let world = World::start().await;
    let inner = framed(&world, &format!("Content-Length: {}", body().len()), false);
    // Refused by its media type before the body is read; the body is a good request.
    let outer = format!(
        "{LINE}\r\n{HOST}Authorization: Bearer {}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        world.token(),
        inner.len()
    );
    let answer = exchange(world.sidecar.public, &[outer.into_bytes(), inner].concat()).await;
    assert_eq!(status(&answer), "415", "{answer}");
    assert_eq!((answer.matches("HTTP/1.1 ").count(), world.upstream.count()), (1, 0));
    world.end();
}

#[tokio::test]
async fn a_connection_that_makes_no_request_is_closed_whatever_it_has_begun() {
    let world = World::with(|config| config.process.http.header_timeout_seconds = 1).await;
    for begun in [&b""[..], b"P", b"PRI * HTTP/2.0\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
        // It returns only when the other end closes, within the harness's deadline.
        let answer = exchange(world.sidecar.public, begun).await;
        assert!(!answer.contains("200 OK"), "{answer}");
    }
}
