//! A double of an MCP server: it keeps every request that reaches it, answers like a small server of both eras, and does
//! what a test tells it to, next time or always.

use crate::deadline::eventually;
use crate::loopback::{Cut, Loopback, lock};
use axum::body::Body;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::{mpsc, oneshot};

/// The server's own session ids begin like this, and must never be seen outside.
pub const RAW_SESSION: &str = "raw-upstream-session";
/// Path of the server's endpoint, unlike the public one.
pub const UPSTREAM_PATH: &str = "/inside/mcp";

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Captured {
    /// Method.
    pub method: Method,
    /// Path and query.
    pub target: String,
    /// Headers.
    pub headers: HeaderMap,
    /// The body, byte for byte.
    pub body: Bytes,
}

impl Captured {
    /// A header's text; empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The body as JSON; null if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// What the server does with a request.
pub enum Answer {
    /// A whole answer.
    Whole(StatusCode, HeaderMap, Bytes),
    /// An answer whose body the test writes piece by piece.
    Stream(StatusCode, HeaderMap, mpsc::Receiver<Result<Bytes, Cut>>),
    /// The test decides later.
    Later(oneshot::Receiver<Answer>),
    /// The connection is cut before an answer.
    Cut,
}

impl Answer {
    /// 200 with JSON.
    pub fn json(body: &Value) -> Self {
        Self::typed(StatusCode::OK, "application/json", body.to_string())
    }

    /// A whole answer of a media type.
    pub fn typed(status: StatusCode, media: &str, body: impl Into<Bytes>) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_str(media).expect("a media type is a header value"));
        Self::Whole(status, headers, body.into())
    }

    /// A whole event stream.
    pub fn events<'a>(messages: impl IntoIterator<Item = &'a Value>) -> Self {
        let text: String = messages.into_iter().map(event).collect();
        Self::typed(StatusCode::OK, "text/event-stream", text)
    }

    /// 200 with a body that the test writes.
    pub fn stream(media: &str) -> (Self, Tap) {
        let (pieces_tx, pieces_rx) = mpsc::channel(16);
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_str(media).expect("a media type is a header value"));
        (Self::Stream(StatusCode::OK, headers, pieces_rx), Tap(pieces_tx))
    }

    /// No answer until the test gives one.
    pub fn later() -> (Self, Decision) {
        let (answer_tx, answer_rx) = oneshot::channel();
        (Self::Later(answer_rx), Decision(answer_tx))
    }

    /// With one more header.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        if let Self::Whole(_, headers, _) | Self::Stream(_, headers, _) = &mut self {
            let value = HeaderValue::from_str(value).expect("a header value");
            headers.append(HeaderName::from_static(name), value);
        }
        self
    }
}

/// A message as a server-sent event.
pub fn event(message: &Value) -> String {
    format!("event: message\ndata: {message}\n\n")
}

/// The test's end of a streamed body.
pub struct Tap(mpsc::Sender<Result<Bytes, Cut>>);

impl Tap {
    /// Writes a piece.
    pub async fn send(&self, piece: impl Into<Bytes>) {
        self.0.send(Ok(piece.into())).await.expect("the answer is still being read");
    }

    /// Writes a piece, unless nobody reads any more: then false.
    pub async fn offer(&self, piece: impl Into<Bytes>) -> bool {
        self.0.send(Ok(piece.into())).await.is_ok()
    }

    /// Breaks the answer off.
    pub async fn cut(self) {
        self.0.send(Err(Cut)).await.expect("the answer is still being read");
    }

    /// Returns once nobody reads the answer any more.
    pub async fn gone(&self) {
        self.0.closed().await;
    }
}

/// The test's end of an answer that is not given yet.
pub struct Decision(oneshot::Sender<Answer>);

impl Decision {
    /// Answers.
    pub fn give(self, answer: Answer) {
        assert!(self.0.send(answer).is_ok(), "somebody still waits for the answer");
    }

    /// Returns once nobody waits for the answer any more.
    pub async fn gone(&mut self) {
        self.0.closed().await;
    }
}

#[derive(Default)]
struct Shared {
    requests: Mutex<Vec<Captured>>,
    next: Mutex<VecDeque<Answer>>,
    tools: Mutex<Vec<String>>,
    sessions: AtomicUsize,
}

/// A running MCP server.
pub struct Upstream {
    shared: Arc<Shared>,
    server: Loopback,
}

impl Upstream {
    /// Starts with a few tools.
    pub async fn start() -> Self {
        let shared = Arc::new(Shared::default());
        let tools = ["get_product", "get_forbidden", "set_price", "secret_report", "drop_table"];
        *lock(&shared.tools) = tools.map(str::to_owned).to_vec();
        let state = Arc::clone(&shared);
        let server = Loopback::start(move |request| {
            let state = Arc::clone(&state);
            async move { state.answer(request).await }
        })
        .await;
        Self { shared, server }
    }

    /// URL of the endpoint.
    pub fn url(&self) -> String {
        format!("http://{}{UPSTREAM_PATH}", self.server.address())
    }

    /// What Host must say here.
    pub fn authority(&self) -> String {
        self.server.address().to_string()
    }

    /// Everything that arrived.
    pub fn requests(&self) -> Vec<Captured> {
        lock(&self.shared.requests).clone()
    }

    /// How much arrived.
    pub fn count(&self) -> usize {
        lock(&self.shared.requests).len()
    }

    /// The request that arrived last.
    pub fn last(&self) -> Captured {
        lock(&self.shared.requests).last().cloned().expect("a request reached the MCP server")
    }

    /// Returns once so many requests arrived.
    pub async fn received(&self, count: usize) {
        eventually("the MCP server gets the request", async || self.count() >= count).await;
    }

    /// Answers the next request without answer like that; several wait in a queue.
    pub fn next(&self, answer: Answer) {
        lock(&self.shared.next).push_back(answer);
    }

    /// Lists these tools.
    pub fn set_tools(&self, tools: &[&str]) {
        *lock(&self.shared.tools) = tools.iter().map(|name| (*name).to_owned()).collect();
    }

    /// Closes the port.
    pub fn stop(&self) {
        self.server.stop();
    }

    /// Opens the port again.
    pub async fn resume(&self) {
        self.server.resume().await;
    }
}

impl Shared {
    async fn answer(&self, request: http::Request<hyper::body::Incoming>) -> Result<Response<Body>, Cut> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map_err(|_| Cut)?.to_bytes();
        let target = parts.uri.path_and_query().map_or_else(String::new, ToString::to_string);
        let captured = Captured { method: parts.method, target, headers: parts.headers, body };
        // Taken before the request is seen to have arrived, so that a test may queue the next answer then.
        let scripted = lock(&self.next).pop_front();
        lock(&self.requests).push(captured.clone());
        let mut answer = scripted.unwrap_or_else(|| self.usual(&captured));
        loop {
            answer = match answer {
                Answer::Whole(status, headers, body) => return Ok(response(status, headers, Body::from(body))),
                Answer::Stream(status, headers, pieces) => return Ok(response(status, headers, streamed(pieces))),
                Answer::Later(decision) => decision.await.map_err(|_| Cut)?,
                Answer::Cut => return Err(Cut),
            };
        }
    }

    /// What a small MCP server answers.
    fn usual(&self, captured: &Captured) -> Answer {
        match captured.method {
            Method::GET => Answer::events([&json!({"jsonrpc": "2.0", "method": "notifications/message"})]),
            Method::DELETE => Answer::Whole(StatusCode::NO_CONTENT, HeaderMap::new(), Bytes::new()),
            _ => self.message(&captured.json()),
        }
    }

    fn message(&self, message: &Value) -> Answer {
        let Some(id) = message.get("id").filter(|_| message.get("method").is_some()) else {
            return Answer::Whole(StatusCode::ACCEPTED, HeaderMap::new(), Bytes::new());
        };
        let method = message.get("method").and_then(Value::as_str).unwrap_or_default();
        let answer = Answer::json(&json!({"jsonrpc": "2.0", "id": id, "result": self.result(method, message)}));
        if method == "initialize" {
            let number = self.sessions.fetch_add(1, Ordering::Relaxed);
            return answer.with("mcp-session-id", &format!("{RAW_SESSION}-{number}"));
        }
        answer
    }

    fn result(&self, method: &str, message: &Value) -> Value {
        let names =
            |names: &[&str], member: &str| -> Vec<_> { names.iter().map(|name| json!({member: name})).collect() };
        match method {
            "initialize" => json!({
                "protocolVersion": message.pointer("/params/protocolVersion"),
                "capabilities": {"tools": {}}, "serverInfo": {"name": "double", "version": "1"},
            }),
            "tools/list" => {
                let tools: Vec<_> =
                    lock(&self.tools).iter().map(|name| json!({"name": name, "inputSchema": {}})).collect();
                json!({"tools": tools, "nextCursor": "more", "ttlMs": 1000, "cacheScope": "public"})
            }
            "resources/list" => json!({"resources": names(&["shop://products/1", "shop://staff/1"], "uri")}),
            "prompts/list" => json!({"prompts": names(&["describe", "hack"], "name")}),
            "tools/call" => json!({"content": [{"type": "text", "text": message.pointer("/params/name")}]}),
            _ => json!({}),
        }
    }
}

fn streamed(pieces: mpsc::Receiver<Result<Bytes, Cut>>) -> Body {
    let next = |mut pieces: mpsc::Receiver<_>| async move { pieces.recv().await.map(|piece| (piece, pieces)) };
    Body::from_stream(futures_util::stream::unfold(pieces, next))
}

fn response(status: StatusCode, headers: HeaderMap, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}
