//! An MCP server that does not speak HTTP as it should: its answer becomes 502 or breaks off, and none of its bytes become the answer to
//! another call.

use http::StatusCode;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio_util::task::AbortOnDropHandle;
use tollward_policy::operation::Era;
use tollward_policy::reason::Reason;
use tollward_tests::client::{Connection, Wire};
use tollward_tests::deadline::within;
use tollward_tests::mcp::Call;
use tollward_tests::world::World;

/// What is written for every request of a connection, as often as said, before the connection is closed or kept.
#[derive(Clone, Default)]
struct Script {
    bytes: Vec<u8>,
    /// Then these, until the other end leaves.
    endless: Vec<u8>,
    close: bool,
}

/// An MCP server that writes bytes.
struct Bare {
    port: u16,
    script: Arc<Mutex<Script>>,
    connections: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
    _task: AbortOnDropHandle<()>,
}

impl Bare {
    async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let script = Arc::new(Mutex::new(Script::default()));
        let (connections, requests) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (said, opened, asked) = (Arc::clone(&script), Arc::clone(&connections), Arc::clone(&requests));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                opened.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(converse(stream, Arc::clone(&said), Arc::clone(&asked)));
            }
        });
        Self { port, script, connections, requests, _task: AbortOnDropHandle::new(task) }
    }

    async fn says(&self, script: Script) {
        *self.script.lock().await = script;
    }
}

async fn converse(mut stream: TcpStream, script: Arc<Mutex<Script>>, requests: Arc<AtomicUsize>) {
    let mut seen = Vec::new();
    loop {
        while !is_whole(&seen) {
            match stream.read_buf(&mut seen).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
        seen.clear();
        requests.fetch_add(1, Ordering::Relaxed);
        let script = script.lock().await.clone();
        if stream.write_all(&script.bytes).await.is_err() || script.close {
            return;
        }
        while !script.endless.is_empty() {
            if stream.write_all(&script.endless).await.is_err() {
                return;
            }
        }
    }
}

/// Tollward writes a length into every request.
fn is_whole(seen: &[u8]) -> bool {
    let text = String::from_utf8_lossy(seen);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
    body.len() >= length.parse().unwrap_or(0)
}

async fn world(bare: &Bare) -> World {
    let url = format!("http://127.0.0.1:{}/mcp", bare.port);
    World::with(|config| {
        config.routes[0].upstream.url = url;
        config.routes[0].upstream.response_timeout_seconds = 1;
    })
    .await
}

fn call(world: &World) -> Call {
    Call::tool(Era::Modern, "get_product").token(&world.token())
}

const GOOD: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 36\r\n\r\n{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}";

fn answer(head: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {head}\r\nContent-Type: application/json\r\n{body}").into_bytes()
}

fn unusable() -> Vec<(&'static str, Vec<u8>)> {
    let json = "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}";
    vec![
        ("no HTTP", b"SSH-2.0-evil\r\n".to_vec()),
        ("HTTP/2 unasked", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()),
        ("a status of two digits", answer("99 Odd", "Content-Length: 2\r\n\r\n{}")),
        ("a status of four digits", answer("1000 Odd", "Content-Length: 2\r\n\r\n{}")),
        ("a status that is no number", answer("2OO OK", "Content-Length: 2\r\n\r\n{}")),
        ("two lengths", answer("200 OK", "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}x")),
        ("a length that is no number", answer("200 OK", "Content-Length: 0x2\r\n\r\n{}")),
        ("a length beyond 64 bits", answer("200 OK", "Content-Length: 99999999999999999999\r\n\r\n{}")),
        ("a head of a megabyte", answer("200 OK", &format!("X-A: {}\r\n\r\n{json}", "y".repeat(1 << 20)))),
        ("two thousand fields", answer("200 OK", &format!("{}\r\n{json}", "X-A: 1\r\n".repeat(2_000)))),
        ("a null in a field", answer("200 OK", "X-A: 1\0\r\nContent-Length: 2\r\n\r\n{}")),
        ("a field without a name", answer("200 OK", ": 1\r\nContent-Length: 2\r\n\r\n{}")),
        (
            "another protocol, unasked",
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: foo\r\n\r\nevil".to_vec(),
        ),
        ("nothing", Vec::new()),
        ("half a head", b"HTTP/1.1 200 OK\r\nContent-Ty".to_vec()),
    ]
}

#[tokio::test]
async fn what_is_no_answer_is_502_and_its_connection_is_not_used_again() {
    let bare = Bare::start().await;
    let world = world(&bare).await;
    for (what, bytes) in unusable() {
        bare.says(Script { bytes, close: true, ..Script::default() }).await;
        for wire in Wire::ALL {
            let (requests, records) = (bare.requests.load(Ordering::Relaxed), world.sidecar.records.count());
            let reply = world.send(wire, &call(&world)).await;
            assert_eq!(
                (reply.status, reply.reason().as_str()),
                (StatusCode::BAD_GATEWAY, "upstream_invalid"),
                "{what}"
            );
            assert!(!reply.text().contains("evil"), "{what}");
            assert_eq!(bare.requests.load(Ordering::Relaxed), requests + 1, "{what}: a call is made once");
            world.sidecar.records.wait_for(records + 1).await;
        }
    }
    bare.says(Script { bytes: GOOD.into(), ..Script::default() }).await;
    let before = bare.connections.load(Ordering::Relaxed);
    assert_eq!(world.send(Wire::Http1, &call(&world)).await.status, StatusCode::OK);
    assert_eq!(bare.connections.load(Ordering::Relaxed), before + 1);
    world.end();
}

#[tokio::test]
async fn an_answer_shorter_than_announced_breaks_off() {
    let bare = Bare::start().await;
    let world = world(&bare).await;
    for body in [
        "Content-Length: 100\r\n\r\n{}",
        "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
        "Transfer-Encoding: chunked\r\n\r\n5\r\n{}",
        "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff1\r\n{}\r\n0\r\n\r\n",
    ] {
        bare.says(Script { bytes: answer("200 OK", body), close: true, ..Script::default() }).await;
        for wire in Wire::ALL {
            let records = world.sidecar.records.count();
            let connection = Connection::plain(wire, world.sidecar.public).await;
            let whole = async { connection.send_only(call(&world).request(wire)).await?.whole().await };
            assert!(within("it ends", whole).await.is_err(), "{body}");
            assert_eq!(world.sidecar.records.wait_for(records + 1).await.decision.reason, Reason::UpstreamInvalid);
        }
    }
    world.end();
}

#[tokio::test]
async fn what_follows_an_answer_is_not_taken_for_the_next_one() {
    let bare = Bare::start().await;
    let world = world(&bare).await;
    let evil = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{\"evil\": \"evil\"}";
    for (what, first) in [
        ("a second answer", format!("{GOOD}{evil}")),
        ("a body that none should have", format!("HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\n{evil}")),
        (
            "chunks that none should have",
            format!("HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{evil}"),
        ),
        (
            "a length beside chunks",
            format!(
                "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n{evil}"
            ),
        ),
        (
            "chunks beside a length",
            format!(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n{evil}"
            ),
        ),
    ] {
        for wire in Wire::ALL {
            for bytes in [first.as_bytes(), GOOD.as_bytes(), GOOD.as_bytes()] {
                bare.says(Script { bytes: bytes.into(), ..Script::default() }).await;
                let reply = world.send(wire, &call(&world)).await;
                assert!(!reply.text().contains("evil"), "{what}: {reply:?}");
                if bytes == GOOD.as_bytes() {
                    assert_eq!(
                        (reply.status, reply.text().as_str()),
                        (StatusCode::OK, &GOOD[GOOD.len() - 36..]),
                        "{what}"
                    );
                }
            }
        }
    }
    world.end();
}

#[tokio::test]
async fn answers_before_the_answer_are_left_out_and_do_not_go_on_for_ever() {
    let bare = Bare::start().await;
    let world = world(&bare).await;
    let early = "HTTP/1.1 103 Early Hints\r\nLink: <https://evil.example>\r\nSet-Cookie: evil=1\r\n\r\n";
    bare.says(Script { bytes: format!("{}{GOOD}", early.repeat(100)).into(), ..Script::default() }).await;
    for wire in Wire::ALL {
        let reply = world.send(wire, &call(&world)).await;
        assert_eq!(reply.status, StatusCode::OK);
        assert!(!format!("{reply:?}").contains("evil"));
    }
    bare.says(Script { endless: early.repeat(100).into(), ..Script::default() }).await;
    for wire in Wire::ALL {
        let reply = world.send(wire, &call(&world)).await;
        assert_eq!((reply.status, reply.reason().as_str()), (StatusCode::GATEWAY_TIMEOUT, "upstream_timeout"));
    }
    world.end();
}
