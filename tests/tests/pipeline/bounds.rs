//! Heads and bodies that are too large, too slow, or no text.

use http::{HeaderName, HeaderValue};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::interval;
use tollward_policy::config::SidecarConfig;
use tollward_policy::operation::Era;
use tollward_policy::reason::Reason;
use tollward_tests::client::{Wire, exchange};
use tollward_tests::config::{AUTHORITY, PATH};
use tollward_tests::deadline::within;
use tollward_tests::mcp::Call;
use tollward_tests::world::{CELLS, Refusal, World};

fn call(world: &World, era: Era) -> Call {
    Call::tool(era, "get_product").token(&world.token())
}

#[tokio::test]
async fn a_value_that_is_no_text_is_refused_where_it_counts_and_stays_here_where_it_does_not() {
    let world = World::start().await;
    let counts = [
        ("origin", 403, Reason::OriginNotAllowed),
        ("content-type", 415, Reason::MediaTypeRefused),
        ("content-encoding", 415, Reason::MediaTypeRefused),
        ("accept", 415, Reason::MediaTypeRefused),
        ("mcp-protocol-version", 400, Reason::ProtocolVersionUnsupported),
        ("mcp-method", 400, Reason::HeaderMismatch),
        ("mcp-name", 400, Reason::HeaderMismatch),
        ("mcp-param-sku", 400, Reason::HeaderMismatch),
    ];
    for (wire, era) in CELLS {
        for bytes in [&b"\xff"[..], b"\xc3\xa4", b"get_product\xff"] {
            let with = |name: &str| {
                let mut call = call(&world, era);
                let name: HeaderName = name.parse().unwrap();
                call.headers.insert(name, HeaderValue::from_bytes(bytes).unwrap());
                call
            };
            for (name, status, reason) in counts {
                let before = world.upstream.count();
                let reply = world.send(wire, &with(name)).await;
                assert_eq!((reply.status.as_u16(), reply.reason().as_str()), (status, reason.code()), "{name}");
                assert_eq!(world.upstream.count(), before, "{name}");
            }
            let reply = world.send(wire, &with("authorization")).await;
            assert_eq!(reply.status.as_u16(), 401, "{}", reply.text());
            if era == Era::Legacy {
                let refusal = Refusal::new(404, Reason::SessionUnknown).answering();
                world.refused(wire, &with("mcp-session-id"), &refusal).await;
            }
            for name in ["x-forwarded-for", "cookie", "traceparent", "baggage", "x-anything"] {
                world.passed(wire, &with(name)).await;
                assert!(!world.upstream.last().headers.values().any(|value| value.as_bytes() == bytes), "{name}");
            }
        }
    }
    world.end();
}

#[tokio::test]
async fn a_head_is_bounded_as_a_whole_and_large_ones_within_the_bound_pass() {
    let world = World::start().await;
    let refusal = Refusal::new(431, Reason::HeadersTooLarge);
    let fields = |call: Call, count: usize| (0..count).fold(call, |call, at| call.header(&format!("x-{at}"), "1"));
    for (wire, era) in CELLS {
        let call = call(&world, era);
        for large in [
            call.clone().header("cookie", &"x".repeat(8 * 1024)),
            call.clone().header("x-a", &"x".repeat(16 * 1024)),
            fields(call.clone(), 80),
            call.clone().target(&format!("{PATH}?{}", "x".repeat(16 * 1024))),
        ] {
            world.passed(wire, &large).await;
        }
        let before = world.upstream.count();
        for larger in [
            call.clone().header("x-a", &"x".repeat(33 * 1024)),
            call.clone()
                .header("x-a", &"x".repeat(12 * 1024))
                .header("x-b", &"x".repeat(12 * 1024))
                .header("x-c", &"x".repeat(12 * 1024)),
            call.clone().target(&format!("{PATH}?{}", "x".repeat(33 * 1024))),
            fields(call.clone(), 120),
        ] {
            let reply = world.send(wire, &larger).await;
            assert_eq!(reply.status.as_u16(), 431, "{wire:?} {}", reply.text());
        }
        assert_eq!(world.upstream.count(), before);
        // What the library still reads is ours to refuse, with a record.
        if wire == Wire::Http1 {
            world.refused(wire, &call.header("x-a", &"x".repeat(33 * 1024)), &refusal).await;
        }
    }
    world.end();
}

fn head(world: &World) -> String {
    format!(
        "POST {PATH} HTTP/1.1\r\nHost: {AUTHORITY}\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
         MCP-Protocol-Version: 2025-11-25\r\n",
        world.token()
    )
}

#[tokio::test]
async fn a_body_in_chunks_is_refused_at_the_limit_and_none_of_it_is_judged() {
    let world = World::start().await;
    let body = String::from_utf8(Call::tool(Era::Legacy, "get_product").body.to_vec()).unwrap();
    // A whole message, and then more white space than there is room for.
    let chunk = |text: &str| format!("{:x}\r\n{text}\r\n", text.len());
    let request =
        format!("{}Transfer-Encoding: chunked\r\n\r\n{}{}", head(&world), chunk(&body), chunk(&" ".repeat(65_536)));
    let answer = exchange(world.sidecar.public, request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("connection: close"), "{answer}");
    let record = world.sidecar.records.wait_for(1).await;
    assert_eq!((record.decision.reason, record.call, world.upstream.count()), (Reason::BodyTooLarge, None, 0));
    world.end();
}

fn impatient(config: &mut SidecarConfig) {
    config.process.http.header_timeout_seconds = 1;
    config.process.http.body_timeout_seconds = 1;
}

/// Sends a byte every tenth of a second until the other end leaves, and gives what it said.
async fn trickle(world: &World, at_once: &str, rest: &str) -> String {
    let mut stream = TcpStream::connect(world.sidecar.public).await.unwrap();
    stream.write_all(at_once.as_bytes()).await.unwrap();
    let (mut reader, mut writer) = stream.into_split();
    let mut ticks = interval(Duration::from_millis(100));
    let mut answer = Vec::new();
    let writing = async {
        for byte in rest.bytes().cycle() {
            ticks.tick().await;
            if writer.write_all(&[byte]).await.is_err() {
                // What was said before is still to be read.
                std::future::pending::<()>().await;
            }
        }
    };
    let reading = async { while reader.read_buf(&mut answer).await.is_ok_and(|read| read > 0) {} };
    within("the connection ends", async {
        tokio::select! {
            () = writing => {}
            () = reading => {}
        }
    })
    .await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn a_body_that_trickles_in_is_ended() {
    let world = World::with(impatient).await;
    let answer = trickle(&world, &format!("{}Content-Length: 60000\r\n\r\n", head(&world)), "{").await;
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("connection: close"), "{answer}");
    let record = world.sidecar.records.wait_for(1).await;
    assert_eq!((record.decision.reason, world.upstream.count()), (Reason::BodyTimeout, 0));
    world.end();
}

#[tokio::test]
async fn a_head_that_trickles_in_is_ended_also_on_a_connection_that_was_used_before() {
    let world = World::with(impatient).await;
    let answer = trickle(&world, "POST /shop/mcp HTTP/1.1\r\nX-A: ", "y").await;
    assert!(!answer.contains("200 OK"), "{answer}");
    let first = format!("GET /none HTTP/1.1\r\nHost: {AUTHORITY}\r\n\r\n");
    for begun in ["POST /shop/mcp HTTP/1.1\r\nX-A: ", ""] {
        let answer = if begun.is_empty() {
            // Nothing follows: an idle connection is closed, too.
            exchange(world.sidecar.public, first.as_bytes()).await
        } else {
            trickle(&world, &format!("{first}{begun}"), "y").await
        };
        assert!(answer.starts_with("HTTP/1.1 404 ") && !answer.contains("200 OK"), "{answer}");
    }
    assert_eq!(world.upstream.count(), 0);
}
