//! Messages of both protocol eras as HTTP requests: a good one, and the same with whatever a test changes.

use crate::client::Wire;
use crate::config::{AUTHORITY, PATH};
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};
use http_body_util::Full;
use serde_json::{Map, Value, json};
use tollward_policy::operation::Era;

/// The revisions that stand for the two eras.
pub const LEGACY: &str = "2025-11-25";
/// See [`LEGACY`].
pub const MODERN: &str = "2026-07-28";

/// A request in the making.
#[derive(Debug, Clone)]
pub struct Call {
    /// HTTP method.
    pub method: Method,
    /// Path and query.
    pub target: String,
    /// What Host or `:authority` says.
    pub authority: String,
    /// Headers besides Host.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Call {
    /// A request without headers and body.
    pub fn bare(method: Method, target: &str) -> Self {
        Self {
            method,
            target: target.to_owned(),
            authority: AUTHORITY.to_owned(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
        }
    }

    /// A JSON-RPC request with id 1.
    pub fn rpc(era: Era, method: &str, params: Value) -> Self {
        Self::message(era, method, params, Some(json!(1)))
    }

    /// A JSON-RPC notification.
    pub fn notification(era: Era, method: &str) -> Self {
        Self::message(era, method, json!({}), None)
    }

    /// A call of a tool.
    pub fn tool(era: Era, name: &str) -> Self {
        Self::rpc(era, "tools/call", json!({"name": name, "arguments": {"sku": "A-1"}}))
    }

    /// The beginning of a legacy session.
    pub fn initialize() -> Self {
        let client = json!({"name": "test", "version": "1"});
        let params = json!({"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": client});
        Self::rpc(Era::Legacy, "initialize", params).without("mcp-protocol-version")
    }

    /// A stream of the server's messages, legacy era.
    pub fn listen() -> Self {
        Self::bare(Method::GET, PATH).header("accept", "text/event-stream").header("mcp-protocol-version", LEGACY)
    }

    /// The end of a legacy session.
    pub fn end_session() -> Self {
        Self::bare(Method::DELETE, PATH).header("mcp-protocol-version", LEGACY)
    }

    /// A POST with any body.
    pub fn post(era: Era, body: impl Into<Bytes>) -> Self {
        let mut call = Self::bare(Method::POST, PATH);
        call.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        call.headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        call.body = body.into();
        match era {
            Era::Legacy => call.header("mcp-protocol-version", LEGACY),
            Era::Modern => call.header("mcp-protocol-version", MODERN),
        }
    }

    fn message(era: Era, method: &str, params: Value, id: Option<Value>) -> Self {
        let Value::Object(mut params) = params else { panic!("params are an object") };
        if era == Era::Modern {
            params.insert("_meta".into(), meta());
        }
        let name = if method == "resources/read" { params.get("uri") } else { params.get("name") };
        let name = name.and_then(Value::as_str).map(str::to_owned);
        let mut message = Map::new();
        message.insert("jsonrpc".into(), json!("2.0"));
        if let Some(id) = id {
            message.insert("id".into(), id);
        }
        message.insert("method".into(), json!(method));
        message.insert("params".into(), Value::Object(params));
        let call = Self::post(era, Value::Object(message).to_string());
        match (era, name) {
            (Era::Legacy, _) => call,
            (Era::Modern, None) => call.header("mcp-method", method),
            (Era::Modern, Some(name)) => call.header("mcp-method", method).header("mcp-name", &name),
        }
    }

    /// With this token.
    #[must_use]
    pub fn token(mut self, token: &str) -> Self {
        let value = HeaderValue::from_str(&format!("Bearer {token}")).expect("a token is a header value");
        self.headers.insert(AUTHORIZATION, value);
        self
    }

    /// With one more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name: HeaderName = name.parse().expect("a header name");
        self.headers.append(name, HeaderValue::from_str(value).expect("a header value"));
        self
    }

    /// With this header alone of its name.
    #[must_use]
    pub fn only(self, name: &str, value: &str) -> Self {
        self.without(name).header(name, value)
    }

    /// Without a header.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.headers.remove(name);
        self
    }

    /// In this session.
    #[must_use]
    pub fn session(self, id: &str) -> Self {
        self.only("mcp-session-id", id)
    }

    /// With this body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// For this path and query.
    #[must_use]
    pub fn target(mut self, target: &str) -> Self {
        target.clone_into(&mut self.target);
        self
    }

    /// For this authority.
    #[must_use]
    pub fn authority(mut self, authority: &str) -> Self {
        authority.clone_into(&mut self.authority);
        self
    }

    /// By this HTTP method.
    #[must_use]
    pub fn method(mut self, method: Method) -> Self {
        self.method = method;
        self
    }

    /// The request for that version of HTTP.
    pub fn request(&self, wire: Wire) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(self.body.clone()));
        *request.method_mut() = self.method.clone();
        *request.headers_mut() = self.headers.clone();
        let uri = match wire {
            Wire::Http1 => {
                let host = HeaderValue::from_str(&self.authority).expect("an authority is a header value");
                request.headers_mut().insert(HOST, host);
                self.target.clone()
            }
            Wire::Http2 => format!("http://{}{}", self.authority, self.target),
        };
        *request.uri_mut() = uri.parse::<Uri>().expect("a request target");
        request
    }
}

/// `params._meta` of a modern request.
pub fn meta() -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    })
}
