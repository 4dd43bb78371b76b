//! How a request is framed towards the client says nothing of how it is framed towards the server: whatever is let through arrives
//! as one request with its length.

use super::scene::Scene;
use tollward_policy::operation::Era;
use tollward_tests::client::exchange;
use tollward_tests::mcp::Call;
use tollward_tests::real::reader::Kind;
use tollward_tests::upstream::UPSTREAM_PATH;

/// Headers and bodies as they go over the wire; BODY is the message, LENGTH its length, CHUNK its length in hexadecimal.
const FRAMINGS: &[&str] = &[
    "Content-Length: LENGTH\r\n\r\nBODY",
    "Content-Length: LENGTH\r\nContent-Length: LENGTH\r\n\r\nBODY",
    "content-length:LENGTH   \r\n\r\nBODY",
    "Expect: 100-continue\r\nContent-Length: LENGTH\r\n\r\nBODY",
    "Transfer-Encoding: chunked\r\n\r\nCHUNK\r\nBODY\r\n0\r\n\r\n",
    "Transfer-Encoding: chunked\r\n\r\n000CHUNK\r\nBODY\r\n000\r\n\r\n",
    "Transfer-Encoding: chunked\r\n\r\nCHUNK;name=value\r\nBODY\r\n0\r\n\r\n",
    "Transfer-Encoding: Chunked\r\n\r\nCHUNK\r\nBODY\r\n0\r\n\r\n",
    "Transfer-Encoding: chunked\r\nTrailer: Authorization\r\n\r\nCHUNK\r\nBODY\r\n0\r\nAuthorization: Bearer evil\r\nX-Evil: 1\r\n\r\n",
    "Transfer-Encoding: chunked\r\nTE: trailers\r\n\r\n1\r\n{\r\nREST\r\nTAIL\r\n0\r\n\r\n",
    "Content-Length: LENGTH\r\nContent_Length: 0\r\nTransfer_Encoding: chunked\r\nX-HTTP-Method-Override: GET\r\n\r\nBODY",
    "Content-Length: LENGTH\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\nBODY",
    "Content-Length: LENGTH\r\nKeep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\n\r\nBODY",
];

/// Request lines; the data plane serves the first only, or answers itself.
const LINES: &[&str] = &[
    "POST /shop/mcp HTTP/1.1",
    "POST /shop/mcp?x=/../../evil HTTP/1.1",
    "POST http://mcp.example.test/shop/mcp HTTP/1.1",
];

fn request(scene: &Scene, line: &str, framing: &str, connection: &str) -> (String, Vec<u8>) {
    let body = Call::tool(Era::Legacy, "get_product").body.to_vec();
    let text = String::from_utf8(body.clone()).expect("JSON is UTF-8");
    let tail = text.split_at(1).1;
    let framing = framing
        .replace("LENGTH", &text.len().to_string())
        .replace("CHUNK", &format!("{:x}", text.len()))
        .replace("REST", &format!("{:x}", tail.len()))
        .replace("TAIL", tail)
        .replace("BODY", &text);
    let token = scene.world.token();
    let request = format!(
        "{line}\r\nHost: mcp.example.test\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
         Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: 2025-11-25\r\nConnection: {connection}\r\n{framing}"
    );
    (request, body)
}

fn count(text: &str) -> usize {
    text.matches("HTTP/1.1 200").count()
}

#[tokio::test]
async fn what_is_let_through_arrives_once_and_framed_anew() {
    for kind in Kind::ALL {
        let scene = Scene::start(kind).await;
        let mut passed = 0;
        for line in LINES {
            for framing in FRAMINGS {
                let (request, body) = request(&scene, line, framing, "close");
                let answer = exchange(scene.world.sidecar.public, request.as_bytes()).await;
                let what = format!("{kind:?} {request}\n{answer}");
                if count(&answer) == 0 {
                    continue;
                }
                passed += 1;
                let read = scene.only();
                assert_eq!((read.method.as_str(), read.target.as_str()), ("POST", UPSTREAM_PATH), "{what}");
                assert_eq!(read.body, body, "{what}");
                scene.check_headers(&read, &what);
                assert!(read.header("transfer-encoding").is_empty(), "{what}");
            }
        }
        assert!(passed >= FRAMINGS.len(), "{kind:?}: most are let through, or this says nothing: {passed}");
        // A request that was refused and arrived all the same would be read here.
        scene.end().await;
    }
}

#[tokio::test]
async fn requests_in_one_go_arrive_one_by_one() {
    for kind in Kind::ALL {
        let scene = Scene::start(kind).await;
        let line = "POST /shop/mcp HTTP/1.1";
        for framing in FRAMINGS.iter().take(2).chain(FRAMINGS.iter().skip(4).take(3)) {
            let (first, body) = request(&scene, line, framing, "keep-alive");
            let (second, _) = request(&scene, line, "Content-Length: LENGTH\r\n\r\nBODY", "close");
            let answer = exchange(scene.world.sidecar.public, format!("{first}{first}{second}").as_bytes()).await;
            assert_eq!(count(&answer), 3, "{kind:?} {framing}\n{answer}");
            for read in scene.reader.read(3) {
                assert_eq!((read.target.as_str(), read.body.as_slice()), (UPSTREAM_PATH, body.as_slice()), "{framing}");
            }
        }
        scene.end().await;
    }
}
