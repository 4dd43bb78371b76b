//! What the load sends: MCP messages of both eras as the bytes of HTTP/1.1 requests, of the sizes that the documentation
//! names.

use serde_json::{Value, json};

/// The revision that stands for the stateless era.
const MODERN: &str = "2026-07-28";
/// The revision that stands for the era of sessions.
const LEGACY: &str = "2025-11-25";

/// Bytes of a call's body.
const BODY: usize = 300;

/// Where the protected server is served, which is also what its tokens are for.
pub(super) const ENDPOINT: &str = "https://mcp.bench.test/weather/mcp";
const HOST: &str = "mcp.bench.test";
pub(super) const PATH: &str = "/weather/mcp";

/// A tool that answers with one JSON document.
pub(super) const TOOL: &str = "get_weather";
/// A tool that answers with a stream of two events.
pub(super) const STREAMING_TOOL: &str = "watch_weather";

/// Separates requests in a file: no request has it.
pub(super) const SEPARATOR: u8 = 0;

/// A tool call of the stateless era.
pub(super) fn modern(tool: &str, token: Option<&str>) -> Vec<u8> {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let body = padded(|note| {
        let arguments = json!({"city": "Lisbon", "note": note});
        rpc("tools/call", &json!({"name": tool, "arguments": arguments, "_meta": meta}))
    });
    let headers = [("mcp-protocol-version", MODERN), ("mcp-method", "tools/call"), ("mcp-name", tool)];
    post(&headers, token, &body)
}

/// A tool call within a session.
pub(super) fn legacy(tool: &str, token: &str, session: &str) -> Vec<u8> {
    let body = padded(|note| {
        let arguments = json!({"city": "Lisbon", "note": note});
        rpc("tools/call", &json!({"name": tool, "arguments": arguments}))
    });
    post(&[("mcp-protocol-version", LEGACY), ("mcp-session-id", session)], Some(token), &body)
}

/// The beginning of a session.
pub(super) fn initialize(token: &str) -> Vec<u8> {
    let client = json!({"name": "bench", "version": "1"});
    let params = json!({"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": client});
    post(&[], Some(token), &rpc("initialize", &params))
}

/// A question to the listener for probes.
pub(super) fn probe(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: {HOST}\r\n\r\n").into_bytes()
}

fn rpc(method: &str, params: &Value) -> String {
    json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string()
}

/// A body of the size wanted, by the length of a note in it.
fn padded(body: impl Fn(&str) -> String) -> String {
    let room = BODY.saturating_sub(body("").len());
    body(&"note ".chars().cycle().take(room).collect::<String>())
}

fn post(headers: &[(&str, &str)], token: Option<&str>, body: &str) -> Vec<u8> {
    let mut text = format!(
        "POST {PATH} HTTP/1.1\r\nhost: {HOST}\r\nuser-agent: bench/1\r\ncontent-type: application/json\r\n\
         accept: application/json, text/event-stream\r\ncontent-length: {}\r\n",
        body.len()
    );
    let bearer = token.map(|token| format!("Bearer {token}"));
    for (name, value) in headers.iter().copied().chain(bearer.as_deref().map(|bearer| ("authorization", bearer))) {
        text.extend([name, ": ", value, "\r\n"]);
    }
    text.push_str("\r\n");
    text.push_str(body);
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_of_both_eras_have_the_size_that_is_documented() {
        for request in [modern(TOOL, Some("t")), modern(STREAMING_TOOL, None), legacy(TOOL, "t", "s")] {
            let text = String::from_utf8(request).expect("text");
            let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
            assert!(head.contains("content-length: 300"), "{head}");
            assert_eq!(body.len(), BODY);
            serde_json::from_str::<Value>(body).expect("JSON");
            assert!(!text.contains(char::from(SEPARATOR)));
        }
    }
}
