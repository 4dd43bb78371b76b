//! The message: what two readers could read in two ways is refused, in every revision.

use http::{Method, StatusCode};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tollward_policy::operation::Era;
use tollward_policy::reason::Reason;
use tollward_tests::client::Wire;
use tollward_tests::config::{AUTHORITY, PATH};
use tollward_tests::deadline::within;
use tollward_tests::mcp::{Call, LEGACY, MODERN, meta};
use tollward_tests::world::{CELLS, Refusal, World};

const PARSE_ERROR: i64 = -32700;
const INVALID_REQUEST: i64 = -32600;
const METHOD_NOT_FOUND: i64 = -32601;
const INVALID_PARAMS: i64 = -32602;
const HEADER_MISMATCH: i64 = -32020;
const UNSUPPORTED_VERSION: i64 = -32022;

/// A good message as text, to be spoilt.
fn good(era: Era) -> String {
    String::from_utf8(Call::tool(era, "get_product").body.to_vec()).expect("JSON is UTF-8")
}

async fn each_body(bodies: impl Fn(&str) -> Vec<Vec<u8>>, refusal: Refusal) {
    let world = World::start().await;
    for (wire, era) in CELLS {
        for body in bodies(&good(era)) {
            let call = Call::tool(era, "get_product").token(&world.token()).body(body);
            world.refused(wire, &call, &refusal).await;
        }
    }
    world.end();
}

fn texts<const N: usize>(bodies: [String; N]) -> Vec<Vec<u8>> {
    bodies.map(String::into_bytes).to_vec()
}

#[tokio::test]
async fn a_batch_is_refused_whatever_is_in_it() {
    let bodies = |good: &str| {
        texts([
            "[]".into(),
            format!("[{good}]"),
            format!("[{good},{good}]"),
            format!(" \n\t[{good}]"),
            format!("\u{feff}[{good}]"),
            "[".into(),
            "[[]]".into(),
        ])
    };
    each_body(bodies, Refusal::new(400, Reason::BatchRefused).code(INVALID_REQUEST)).await;
}

#[tokio::test]
async fn a_body_that_is_not_one_unambiguous_document_is_refused() {
    let bodies = |good: &str| {
        let twice = |member: &str| good.replacen('{', &format!("{{{member},"), 1);
        let mut bodies = texts([
            String::new(),
            " \n".into(),
            "{".into(),
            format!("{good}{good}"),
            format!("{good} x"),
            format!("{good}\n{good}"),
            format!("\u{feff}{good}"),
            twice("\"method\":\"tools/list\""),
            twice("\"params\":{\"name\":\"drop_table\"}"),
            twice("\"id\":2"),
            twice("\"m\\u0065thod\":\"tools/list\""),
            good.replacen("\"name\":", "\"name\":\"drop_table\",\"name\":", 1),
            good.replacen("\"name\":", "\"n\\u0061me\":\"drop_table\",\"name\":", 1),
            good.replacen("\"sku\":", "\"sku\":1,\"sku\":", 1),
            good.replacen("\"name\":", "\"name\\u0000\":\"drop_table\",\"name\":", 1),
            good.replacen("\"A-1\"", &format!("{}1{}", "[".repeat(200), "]".repeat(200)), 1),
            good.replacen("\"A-1\"", "NaN", 1),
            good.replacen("\"A-1\"", "01", 1),
            good.replacen("\"A-1\"", "'x'", 1),
            good.replacen("\"A-1\"", "\"\\ud800\"", 1),
            good.replacen("\"A-1\"", "1,", 1),
            good.replacen('{', "{/* hello */", 1),
        ]);
        bodies.push(good.replacen("A-1", "\u{1}", 1).into_bytes());
        let mut latin = good.as_bytes().to_vec();
        latin.insert(good.find("A-1").expect("the argument is there"), 0xe4);
        bodies.push(latin);
        bodies.push(good.encode_utf16().flat_map(u16::to_be_bytes).collect());
        bodies
    };
    each_body(bodies, Refusal::new(400, Reason::BodyMalformed).code(PARSE_ERROR)).await;
}

#[tokio::test]
async fn a_document_that_is_no_message_is_refused() {
    let bodies = |good: &str| {
        let id = |id: &str| good.replacen("\"id\":1", &format!("\"id\":{id}"), 1);
        texts([
            "\"tools/call\"".into(),
            "1".into(),
            "null".into(),
            id("null"),
            id("1.5"),
            id("true"),
            id("{}"),
            id("[1]"),
            id("1e2"),
            id("123456789012345678901234567890"),
            id(&format!("\"{}\"", "x".repeat(300))),
            good.replacen("\"method\"", "\"Method\"", 1),
            good.replacen("\"params\"", "\"PARAMS\":{},\"params\"", 1),
        ])
    };
    each_body(bodies, Refusal::new(400, Reason::MessageInvalid).code(INVALID_REQUEST)).await;
}

#[tokio::test]
async fn a_message_of_another_protocol_is_refused_with_its_id() {
    let bodies = |good: &str| {
        texts([
            good.replacen("\"2.0\"", "\"1.0\"", 1),
            good.replacen("\"2.0\"", "2.0", 1),
            good.replacen("\"jsonrpc\":\"2.0\",", "", 1),
            good.replacen("\"tools/call\"", "7", 1),
            good.replacen("\"tools/call\"", "null", 1),
        ])
    };
    each_body(bodies, Refusal::new(400, Reason::MessageInvalid).code(INVALID_REQUEST).answering()).await;
}

#[tokio::test]
async fn a_tool_without_a_name_is_refused() {
    let world = World::start().await;
    for (wire, era) in CELLS {
        for name in [json!(1), json!(null), json!(["get_product"]), json!({}), json!("")] {
            let call = Call::rpc(era, "tools/call", json!({"name": name})).token(&world.token());
            let refusal = Refusal::new(400, Reason::MessageInvalid).code(INVALID_PARAMS).answering();
            world.refused(wire, &call, &refusal).await;
        }
        let call = Call::rpc(era, "tools/call", json!({})).token(&world.token());
        let refusal = Refusal::new(400, Reason::MessageInvalid).code(INVALID_PARAMS).answering();
        world.refused(wire, &call, &refusal).await;
    }
    world.end();
}

#[tokio::test]
async fn only_json_in_utf8_without_coding_is_read() {
    let world = World::start().await;
    let refusal = Refusal::new(415, Reason::MediaTypeRefused).code(INVALID_REQUEST);
    let refused = [
        "text/plain",
        "application/json-rpc",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/json",
        "application/jsonl",
        "application/json; charset=utf-16",
        "application/json; charset=latin1",
        "application/json, text/plain",
        "*/*",
    ];
    for (wire, era) in CELLS {
        let call = Call::tool(era, "get_product").token(&world.token());
        for media in refused {
            world.refused(wire, &call.clone().only("content-type", media), &refusal).await;
        }
        world.refused(wire, &call.clone().without("content-type"), &refusal).await;
        for coding in ["gzip", "br", "GZIP", "deflate", "identity, gzip"] {
            world.refused(wire, &call.clone().header("content-encoding", coding), &refusal).await;
        }
        world.refused(wire, &call.clone().only("accept", "text/html"), &refusal).await;
        for media in ["APPLICATION/JSON", "application/json;charset=utf-8", "application/json; charset=\"UTF-8\""] {
            world.passed(wire, &call.clone().only("content-type", media)).await;
        }
        for accept in ["*/*", "application/json", "application/*, text/event-stream;q=0.5"] {
            world.passed(wire, &call.clone().only("accept", accept)).await;
        }
        world.passed(wire, &call.without("accept")).await;
    }
    world.end();
}

#[tokio::test]
async fn headers_must_say_what_the_body_says() {
    let world = World::start().await;
    let refusal = Refusal::new(400, Reason::HeaderMismatch).code(HEADER_MISMATCH).answering();
    for (wire, era) in CELLS {
        let call = Call::tool(era, "get_product").token(&world.token());
        let mut cases = vec![
            call.clone().only("mcp-name", "set_price"),
            call.clone().only("mcp-name", "GET_PRODUCT"),
            call.clone().only("mcp-name", "=?base64?c2V0X3ByaWNl?="),
            call.clone().only("mcp-name", "=?base64?%%%?="),
            call.clone().only("mcp-name", "=?BASE64?Z2V0X3Byb2R1Y3Q=?="),
            call.clone().only("mcp-name", "get_product").header("mcp-name", "get_product"),
            call.clone().only("mcp-method", "tools/list"),
            call.clone().only("mcp-method", "Tools/Call"),
            call.clone().only("mcp-method", "tools/call").header("mcp-method", "tools/list"),
            call.clone().header("mcp-param-sku", "=?base64?%%%?="),
        ];
        if era == Era::Modern {
            cases.push(call.clone().without("mcp-name"));
            cases.push(call.clone().without("mcp-method"));
            cases.push(call.clone().without("mcp-protocol-version"));
            cases.push(call.clone().only("mcp-protocol-version", LEGACY));
        }
        for case in cases {
            world.refused(wire, &case, &refusal).await;
        }
        world.passed(wire, &call.clone().only("mcp-name", "=?base64?Z2V0X3Byb2R1Y3Q=?=")).await;
        world.passed(wire, &call.only("mcp-name", " get_product ")).await;
    }
    world.end();
}

#[tokio::test]
async fn a_revision_that_is_not_served_is_named_with_those_that_are() {
    let world = World::start().await;
    let refusal = Refusal::new(400, Reason::ProtocolVersionUnsupported).code(UNSUPPORTED_VERSION).answering();
    for wire in Wire::ALL {
        let call = Call::tool(Era::Legacy, "get_product").token(&world.token());
        for version in ["2024-11-05", "2027-01-01", "latest", "", "2025-06-18, 2025-11-25"] {
            let (reply, _) = world.refused(wire, &call.clone().only("mcp-protocol-version", version), &refusal).await;
            let data = reply.json()["error"]["data"].clone();
            assert_eq!(data["supported"], json!(["2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"]));
            assert_eq!(data["requested"], version);
        }
        world.refused(wire, &call.header("mcp-protocol-version", LEGACY), &refusal).await;
        let mut future = meta();
        future["io.modelcontextprotocol/protocolVersion"] = json!("2027-01-01");
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "get_product", "_meta": future}});
        let call = Call::tool(Era::Modern, "get_product").token(&world.token()).body(body.to_string());
        world.refused(wire, &call.only("mcp-protocol-version", "2027-01-01"), &refusal).await;
    }
    world.end();
}

#[tokio::test]
async fn every_legacy_revision_is_served_and_none_means_the_first() {
    let world = World::start().await;
    for wire in Wire::ALL {
        let call = Call::tool(Era::Legacy, "get_product").token(&world.token());
        for version in ["2025-03-26", "2025-06-18", "2025-11-25"] {
            let (_, record) = world.passed(wire, &call.clone().only("mcp-protocol-version", version)).await;
            assert_eq!(record.call.unwrap().revision, version);
        }
        let (_, record) = world.passed(wire, &call.without("mcp-protocol-version")).await;
        assert_eq!(record.call.unwrap().revision, "2025-03-26");
    }
    world.end();
}

#[tokio::test]
async fn a_modern_request_needs_its_meta_members() {
    let world = World::start().await;
    for wire in Wire::ALL {
        for name in ["protocolVersion", "clientCapabilities"] {
            let mut meta = meta();
            meta.as_object_mut().unwrap().remove(&format!("io.modelcontextprotocol/{name}"));
            let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "get_product", "_meta": meta}});
            let call = Call::tool(Era::Modern, "get_product").token(&world.token()).body(body.to_string());
            let refusal = Refusal::new(400, Reason::MessageInvalid).code(INVALID_PARAMS).answering();
            world.refused(wire, &call, &refusal).await;
        }
    }
    world.end();
}

#[tokio::test]
async fn an_unknown_method_is_404_in_the_modern_era_and_an_error_of_200_in_the_legacy_era() {
    let world = World::start().await;
    let methods = [
        "foo/bar",
        "tools/callx",
        "tools//call",
        "TOOLS/CALL",
        "rpc.discover",
        "(stream)",
        "sampling/createMessage",
        "",
    ];
    for (wire, era) in CELLS {
        let (status, other_era) = match era {
            Era::Legacy => (200, "server/discover"),
            Era::Modern => (404, "initialize"),
        };
        for method in methods.into_iter().chain([other_era]) {
            let call = Call::rpc(era, method, json!({"name": "get_product"})).token(&world.token()).without("mcp-name");
            let refusal = Refusal::new(status, Reason::MethodUnknown).code(METHOD_NOT_FOUND).answering();
            world.refused(wire, &call, &refusal).await;
        }
    }
    world.end();
}

#[tokio::test]
async fn the_modern_era_knows_post_only() {
    let world = World::start().await;
    for wire in Wire::ALL {
        for method in [Method::GET, Method::DELETE] {
            let call = Call::listen().method(method).token(&world.token()).only("mcp-protocol-version", MODERN);
            let refusal = Refusal::new(405, Reason::MethodNotAllowed).code(INVALID_REQUEST);
            let (reply, _) = world.refused(wire, &call, &refusal).await;
            assert_eq!(reply.header("allow"), "POST, OPTIONS");
        }
    }
    world.end();
}

#[tokio::test]
async fn other_http_methods_are_refused_before_anything_else() {
    let world = World::start().await;
    for (wire, era) in CELLS {
        for method in ["PUT", "PATCH", "TRACE", "post", "PROPFIND", "FOO"] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let call = Call::tool(era, "get_product").method(method).header("x-http-method-override", "POST");
            let (reply, _) = world.refused(wire, &call, &Refusal::new(405, Reason::MethodNotAllowed)).await;
            assert_eq!(reply.header("allow"), "GET, POST, DELETE, OPTIONS");
        }
    }
    world.end();
}

#[tokio::test]
async fn a_notification_is_accepted_and_a_call_without_id_is_none() {
    let world = World::start().await;
    for (wire, era) in CELLS {
        let call = Call::notification(era, "notifications/cancelled").token(&world.token());
        let (reply, record) = world.passed(wire, &call).await;
        assert_eq!((reply.status, reply.body.len()), (StatusCode::ACCEPTED, 0));
        assert_eq!(record.call.unwrap().method, "notifications/cancelled");
        let body = good(era).replacen("\"id\":1,", "", 1);
        let call = Call::tool(era, "get_product").token(&world.token()).body(body);
        let refusal = Refusal::new(400, Reason::MessageInvalid).code(INVALID_REQUEST);
        world.refused(wire, &call, &refusal).await;
    }
    world.end();
}

#[tokio::test]
async fn a_posted_response_exists_in_the_legacy_era_only() {
    let world = World::start().await;
    let body = json!({"jsonrpc": "2.0", "id": 9, "result": {"action": "accept"}}).to_string();
    for wire in Wire::ALL {
        let call = Call::post(Era::Legacy, body.clone()).token(&world.token());
        let (reply, record) = world.passed(wire, &call).await;
        assert_eq!(reply.status, StatusCode::ACCEPTED);
        assert_eq!(record.call.unwrap().method, "(response)");
        let call = Call::post(Era::Modern, body.clone()).token(&world.token());
        let refusal = Refusal::new(400, Reason::MessageInvalid).code(INVALID_REQUEST);
        world.refused(wire, &call, &refusal).await;
    }
    world.end();
}

#[tokio::test]
async fn a_client_that_writes_its_whole_request_before_it_reads_gets_the_refusal() {
    let world = World::start().await;
    // More than the buffers of the system between the two ends.
    let body = "x".repeat(16 * 1024 * 1024);
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nHost: {AUTHORITY}\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
         Accept: application/json, text/event-stream\r\nContent-Length: {}\r\n\r\n",
        world.token(),
        body.len()
    );
    let mut stream = TcpStream::connect(world.sidecar.public).await.unwrap();
    stream.write_all(format!("{head}{body}").as_bytes()).await.expect("what comes too late is read and thrown away");
    let mut answer = String::new();
    within("an answer and the end", stream.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert_eq!(world.sidecar.records.wait_for(1).await.decision.reason, Reason::BodyTooLarge);
    world.end();
}

/// Reads one answer, which has a length.
async fn answer(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let whole = |answer: &[u8]| {
        let text = String::from_utf8_lossy(answer);
        let (head, body) = text.split_once("\r\n\r\n")?;
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "))?;
        (body.len() >= length.parse().ok()?).then(|| text.clone().into_owned())
    };
    loop {
        assert_ne!(within("more of an answer", stream.read_buf(&mut answer)).await.unwrap(), 0, "it ended");
        if let Some(answer) = whole(&answer) {
            return answer;
        }
    }
}

#[tokio::test]
async fn a_refusal_before_the_body_keeps_the_connection_or_says_that_it_ends() {
    let world = World::start().await;
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nHost: {AUTHORITY}\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n"
    );
    let mut stream = TcpStream::connect(world.sidecar.public).await.unwrap();
    for _ in 0..3 {
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(b"{\"id\": 1234}").await.unwrap();
        let answer = answer(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 401 ") && !answer.contains("connection: close"), "{answer}");
    }
    stream.write_all(head.as_bytes()).await.unwrap();
    let answer = answer(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 401 ") && answer.contains("connection: close"), "{answer}");
    let mut rest = String::new();
    within("the end", stream.read_to_string(&mut rest)).await.unwrap();
    world.end();
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused_as_a_whole() {
    let world = World::start().await;
    for (wire, era) in CELLS {
        let room = 65_536 - good(era).len();
        let filled = |bytes: usize| good(era).replacen("A-1", &"x".repeat(bytes + 3), 1);
        let call = Call::tool(era, "get_product").token(&world.token());
        world.passed(wire, &call.clone().body(filled(room))).await;
        world.refused(wire, &call.body(filled(room + 1)), &Refusal::new(413, Reason::BodyTooLarge)).await;
    }
    world.end();
}
