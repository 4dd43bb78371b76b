//! Attack cases of group P, by their ids, and the contract of `read`.

mod attacks;
mod contract;
mod media;

use super::{Message, Refused, read};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue};

const LEGACY: &[(&str, &str)] = &[("mcp-protocol-version", "2025-11-25")];

fn headers(lines: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, value) in lines {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    headers
}

fn post(lines: &[(&str, &str)], body: &str) -> Result<Message, Refused> {
    read(&headers(lines), &Bytes::copy_from_slice(body.as_bytes()))
}

fn legacy(body: &str) -> Result<Message, Refused> {
    post(LEGACY, body)
}

/// A call of a tool in the legacy era with that `params`.
fn legacy_params(method: &str, params: &str) -> Result<Message, Refused> {
    legacy(&format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#))
}

/// A modern body; `rest` continues `params` after `_meta`.
fn modern_body(method: &str, rest: &str) -> String {
    let meta = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#;
    format!(r#"{{"jsonrpc":"2.0","id":"r-1","method":"{method}","params":{{{meta}{rest}}}}}"#)
}

fn modern(method: &str, name: Option<&str>, rest: &str) -> Result<Message, Refused> {
    let mut lines = vec![("mcp-protocol-version", "2026-07-28"), ("mcp-method", method)];
    lines.extend(name.map(|name| ("mcp-name", name)));
    post(&lines, &modern_body(method, rest))
}

/// Reason and code of a refusal.
#[track_caller]
fn refused(result: Result<Message, Refused>) -> (&'static str, i64) {
    let refused = result.expect_err("the message must be refused");
    (refused.reason.code(), refused.rpc_code)
}
