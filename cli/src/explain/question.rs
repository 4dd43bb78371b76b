//! The request that a client would send, from what was typed. The arguments' text goes in as it is, so that the data plane
//! judges it and not a copy.

use crate::arguments::ExplainArguments;
use crate::input::{is_standard_input, text};
use anyhow::{Context as _, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::json;
use serde_json::value::RawValue;
use std::path::Path;
use tollward_policy::operation::{Era, Method};
use tollward_sidecar::envelope::Revision;

/// Most bytes of a file that is read: more than any token or body that is served.
const MAX_FILE: u64 = 64 * 1024 * 1024;

/// A request.
pub(super) struct Question {
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Makes the request.
pub(super) fn ask(arguments: &ExplainArguments) -> anyhow::Result<Question> {
    let given = [&arguments.token, &arguments.args].into_iter().flatten();
    ensure!(
        given.filter(|path| is_standard_input(path)).count() < 2,
        "--token and --args can't both be standard input; name a file for one of them"
    );
    let method = &arguments.method;
    let revision = revision(method);
    let mut params = serde_json::Map::new();
    let named = target(arguments, &mut params);
    let given = arguments.args.as_deref().map(|path| text(path, MAX_FILE)).transpose()?;
    let given = given.as_deref().map(serde_json::from_str::<&RawValue>).transpose();
    let given = given.context("the file of --args is not JSON")?;
    if revision.era() == Era::Modern {
        let meta = json!({
            "io.modelcontextprotocol/protocolVersion": revision.as_str(),
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        params.insert("_meta".to_owned(), meta);
    }
    let body = body(method, &params, given)?;
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
    headers.insert(HeaderName::from_static("mcp-protocol-version"), HeaderValue::from_static(revision.as_str()));
    if revision.era() == Era::Modern {
        let method = HeaderValue::from_str(method).context("--method has characters that no method has")?;
        headers.insert(HeaderName::from_static("mcp-method"), method);
        if let Some(name) = named {
            let value = format!("=?base64?{}?=", STANDARD.encode(name));
            headers.insert(HeaderName::from_static("mcp-name"), HeaderValue::from_str(&value)?);
        }
    }
    if let Some(path) = &arguments.token {
        headers.insert(AUTHORIZATION, authorization(path)?);
    }
    Ok(Question { headers, body })
}

/// The newest revision that has the method; what no revision has is for the data plane to refuse.
fn revision(method: &str) -> Revision {
    match Method::parse(method) {
        Some(known) if !known.exists_in(Era::Modern) => Revision::V2025_11_25,
        Some(_) | None => Revision::V2026_07_28,
    }
}

/// What the call acts on, as parameters; and its name, where a header repeats it.
fn target<'a>(
    arguments: &'a ExplainArguments,
    params: &mut serde_json::Map<String, serde_json::Value>,
) -> Option<&'a str> {
    let ExplainArguments { method, tool, prompt, resource, .. } = arguments;
    if method == Method::CompletionComplete.as_str() {
        let reference = match (prompt, resource) {
            (Some(name), _) => json!({"type": "ref/prompt", "name": name}),
            (None, resource) => json!({"type": "ref/resource", "uri": resource}),
        };
        params.insert("ref".to_owned(), reference);
        params.insert("argument".to_owned(), json!({"name": "", "value": ""}));
        return None;
    }
    if let Some(uri) = resource {
        params.insert("uri".to_owned(), json!(uri));
        return Some(uri);
    }
    let name = tool.as_deref().or(prompt.as_deref())?;
    params.insert("name".to_owned(), json!(name));
    Some(name)
}

fn body(
    method: &str,
    params: &serde_json::Map<String, serde_json::Value>,
    arguments: Option<&RawValue>,
) -> anyhow::Result<Bytes> {
    let mut members = Vec::with_capacity(params.len() + 1);
    for (name, value) in params {
        members.push(format!("{}:{value}", serde_json::to_string(name)?));
    }
    if let Some(arguments) = arguments {
        members.push(format!("\"arguments\":{}", arguments.get()));
    }
    let method = serde_json::to_string(method)?;
    let body = format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":{method},\"params\":{{{}}}}}", members.join(","));
    Ok(Bytes::from(body))
}

/// The token's text is kept nowhere else, and marked so that no dump of headers shows it.
fn authorization(path: &Path) -> anyhow::Result<HeaderValue> {
    let token = text(path, MAX_FILE)?;
    let token = token.trim();
    let token = token.strip_prefix("Bearer ").unwrap_or(token);
    ensure!(!token.is_empty(), "the file of --token is empty");
    // No source: it would repeat what can't be a header.
    let value = HeaderValue::from_str(&format!("Bearer {token}"));
    let mut value = value.map_err(|_| anyhow::anyhow!("the file of --token holds more than one token"))?;
    value.set_sensitive(true);
    Ok(value)
}
