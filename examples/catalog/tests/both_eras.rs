//! The program as it runs: started on a port of its own, spoken to in raw HTTP in both protocol eras, stopped by a
//! signal. What an SDK would hide (headers, sessions, event framing) is what these tests look at.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failed expectation is how a test fails, in its helpers too"
)]

#[path = "both_eras/program.rs"]
mod program;

use program::{Answer, Program};
use serde_json::{Value, json};

const LEGACY: &str = "2025-11-25";
const MODERN: &str = "2026-07-28";

fn initialize_message() -> Value {
    json!({
        "jsonrpc": "2.0", "id": 1, "method": "initialize",
        "params": {
            "protocolVersion": LEGACY, "capabilities": {}, "clientInfo": { "name": "test", "version": "0" },
        },
    })
}

/// Opens a legacy session and returns its id.
async fn initialize(program: &Program) -> String {
    let body = initialize_message();
    let answer = program.post(&[], &body).await;
    assert_eq!(answer.status, 200);
    let result = &answer.message()["result"];
    assert_eq!(result["protocolVersion"], LEGACY);
    assert_eq!(result["serverInfo"]["name"], "catalog");
    for capability in ["tools", "resources", "prompts"] {
        assert!(result["capabilities"][capability].is_object(), "{capability} is missing in {result}");
    }
    let session = answer.header("mcp-session-id").expect("a legacy session has an id");

    let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    let answer = program.post(&legacy_headers(&session), &initialized).await;
    assert_eq!(answer.status, 202);
    session
}

fn legacy_headers(session: &str) -> [(&'static str, &str); 2] {
    [("mcp-session-id", session), ("mcp-protocol-version", LEGACY)]
}

async fn legacy(program: &Program, session: &str, method: &str, params: Value) -> Answer {
    let body = json!({ "jsonrpc": "2.0", "id": 2, "method": method, "params": params });
    program.post(&legacy_headers(session), &body).await
}

/// A request of the stateless era: the version, the capabilities and the routing headers travel with each one.
async fn modern(program: &Program, method: &str, name: Option<&str>, mut params: Value) -> Answer {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "0" },
    });
    let mut headers = vec![("mcp-protocol-version", MODERN), ("mcp-method", method)];
    headers.extend(name.map(|name| ("mcp-name", name)));
    let body = json!({ "jsonrpc": "2.0", "id": 3, "method": method, "params": params });
    program.post(&headers, &body).await
}

fn names(list: &Value, key: &str) -> Vec<String> {
    let entries = list.as_array().expect("a list");
    entries.iter().map(|entry| entry[key].as_str().expect("a name").to_owned()).collect()
}

#[tokio::test]
async fn a_legacy_client_lists_and_calls_within_its_session() {
    let program = Program::start();
    let session = initialize(&program).await;

    let tools = legacy(&program, &session, "tools/list", json!({})).await.message();
    assert_eq!(names(&tools["result"]["tools"], "name"), ["add_to_cart", "checkout", "get_product", "search_products"]);

    let arguments = json!({ "sku": "TEA-001", "quantity": 2 });
    let call = json!({ "name": "add_to_cart", "arguments": arguments });
    let added = legacy(&program, &session, "tools/call", call).await.message();
    assert_eq!(added["result"]["structuredContent"]["total_cents"], 1380);

    let call = json!({ "name": "checkout", "arguments": {} });
    let order = legacy(&program, &session, "tools/call", call).await.message();
    assert_eq!(order["result"]["structuredContent"]["number"], 1);
}

#[tokio::test]
async fn a_legacy_client_reads_resources_and_prompts() {
    let program = Program::start();
    let session = initialize(&program).await;

    let listed = legacy(&program, &session, "resources/list", json!({})).await.message();
    assert_eq!(names(&listed["result"]["resources"], "uri"), ["catalog://products"]);
    let listed = legacy(&program, &session, "resources/templates/list", json!({})).await.message();
    assert_eq!(names(&listed["result"]["resourceTemplates"], "uriTemplate"), ["catalog://products/{sku}"]);

    let read = legacy(&program, &session, "resources/read", json!({ "uri": "catalog://products/CUP-001" })).await;
    let text = read.message()["result"]["contents"][0]["text"].as_str().expect("a text resource").to_owned();
    let product: Value = serde_json::from_str(&text).expect("a product is JSON");
    assert_eq!(product["name"], "Stoneware Mug");

    let get = json!({ "name": "recommend", "arguments": { "taste": "something smoky" } });
    let prompt = legacy(&program, &session, "prompts/get", get).await.message();
    let text = prompt["result"]["messages"][0]["content"]["text"].as_str().expect("a text message");
    assert!(text.contains("something smoky") && text.contains("TEA-002"), "{text}");
}

#[tokio::test]
async fn a_modern_client_calls_without_any_session() {
    let program = Program::start();

    let call = json!({ "name": "search_products", "arguments": { "query": "teapot" } });
    let answer = modern(&program, "tools/call", Some("search_products"), call).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("mcp-session-id"), None);
    let found = answer.message();
    assert_eq!(names(&found["result"]["structuredContent"]["products"], "sku"), ["POT-001"]);

    let discovered = modern(&program, "server/discover", None, json!({})).await.message();
    let versions = discovered["result"]["supportedVersions"].as_array().expect("versions");
    assert!(versions.contains(&json!(MODERN)) && versions.contains(&json!(LEGACY)), "{discovered}");
}

#[tokio::test]
async fn a_modern_call_whose_header_names_another_tool_is_refused() {
    let program = Program::start();
    let call = json!({ "name": "checkout", "arguments": {} });
    let answer = modern(&program, "tools/call", Some("search_products"), call).await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.message()["error"]["code"], -32020);
}

#[tokio::test]
async fn a_refusal_of_the_shop_is_a_tool_error_that_says_what_to_do() {
    let program = Program::start();
    let call = json!({ "name": "checkout", "arguments": {} });
    let message = modern(&program, "tools/call", Some("checkout"), call).await.message();
    assert_eq!(message["result"]["isError"], true);
    let text = message["result"]["content"][0]["text"].as_str().expect("a text");
    assert!(text.contains("add_to_cart"), "{text}");
}

#[tokio::test]
async fn a_foreign_host_is_refused_unless_it_was_allowed() {
    let program = Program::start_allowing("catalog.shop.svc");
    let body = initialize_message();
    assert_eq!(program.post(&[("host", "shop.example")], &body).await.status, 403);
    assert_eq!(program.post(&[("host", "catalog.shop.svc")], &body).await.status, 200);
    assert_eq!(program.post(&[], &body).await.status, 200);
}

#[tokio::test]
async fn a_sigterm_ends_the_program_cleanly_even_with_a_stream_open() {
    let program = Program::start();
    let session = initialize(&program).await;
    let stream = program.open_stream(&legacy_headers(&session)).await;
    assert_eq!(stream.status(), 200);
    assert!(program.terminate().await.success());
}
