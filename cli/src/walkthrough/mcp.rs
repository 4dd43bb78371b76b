//! MCP messages as a client of revision 2026-07-28 sends them: stateless, with the routing headers of Streamable HTTP.

use super::token::Token;
use anyhow::Context as _;
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde_json::{Value, json};

/// The protocol revision.
pub(super) const REVISION: &str = "2026-07-28";

/// A message.
pub(super) struct Message<'a> {
    /// The JSON-RPC method.
    pub(super) method: &'a str,
    /// The tool, which travels in a header too.
    pub(super) name: Option<&'a str>,
    /// The parameters without `_meta`.
    pub(super) params: Value,
}

impl<'a> Message<'a> {
    /// A call of a tool.
    pub(super) fn call(tool: &'a str, arguments: &Value) -> Self {
        Self { method: "tools/call", name: Some(tool), params: json!({ "name": tool, "arguments": arguments }) }
    }

    /// The list of tools.
    pub(super) fn list() -> Self {
        Self { method: "tools/list", name: None, params: json!({}) }
    }

    /// What the request line shows besides method and path.
    pub(super) fn words(&self) -> String {
        self.name.map_or_else(|| self.method.to_owned(), |name| format!("{} {name}", self.method))
    }

    /// The HTTP request.
    pub(super) fn request(
        &self,
        endpoint: &str,
        token: Option<&Token>,
        id: u64,
    ) -> anyhow::Result<Request<Full<Bytes>>> {
        let mut params = self.params.clone();
        let meta = json!({
            "io.modelcontextprotocol/protocolVersion": REVISION,
            "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/clientInfo": { "name": "tollward-walkthrough", "version": env!("CARGO_PKG_VERSION") },
        });
        if let Some(params) = params.as_object_mut() {
            params.insert("_meta".to_owned(), meta);
        }
        let body = json!({ "jsonrpc": "2.0", "id": id, "method": self.method, "params": params });
        let mut request = Request::post(endpoint)
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", REVISION)
            .header("mcp-method", self.method);
        if let Some(name) = self.name {
            request = request.header("mcp-name", name);
        }
        if let Some(token) = token {
            request = request.header("authorization", token.authorization());
        }
        request.body(Full::from(body.to_string())).context("the request can't be made")
    }
}
