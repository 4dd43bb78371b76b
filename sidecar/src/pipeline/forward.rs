//! To the MCP server: exactly the bytes that were judged, with headers from a list and nothing of the caller's credentials.

use super::charge::Charged;
use super::resume::{Resumed, SESSION_ID};
use super::understand::Understood;
use crate::denial::Denial;
use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, HOST, HeaderName};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::time::Duration;
use tollward_policy::operation::{Era, Method};
use tollward_policy::reason::Reason;

/// Dials MCP servers over plain HTTP/1.1, inside the pod or its network policy.
pub type UpstreamClient = Client<HttpConnector, Full<Bytes>>;

/// Request headers that the MCP server gets to see, besides those of [`PARAMETERS`].
const FORWARDED: [&str; 6] = ["accept", "content-type", "user-agent", "mcp-protocol-version", "mcp-method", "mcp-name"];

/// Prefix of headers in which a tool's parameters are mirrored (MCP 2026-07-28).
const PARAMETERS: &str = "mcp-param-";

/// Resumption of a stream: by GET only, which only the legacy era has.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Python and Node servers close idle connections after five seconds; a request on a dying one would be lost.
const POOL_IDLE: Duration = Duration::from_secs(4);

/// A call with its answer's head.
pub(super) struct Answered {
    pub(super) charged: Charged,
    pub(super) response: Response<Incoming>,
}

/// A client with a bounded time to connect.
pub fn client(connect_timeout: Duration) -> UpstreamClient {
    let mut connector = HttpConnector::new();
    connector.set_connect_timeout(Some(connect_timeout));
    connector.set_nodelay(true);
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(POOL_IDLE)
        .pool_max_idle_per_host(256)
        .build(connector)
}

/// Sends the call and waits for the head of the answer. `context` carries the trace.
pub(super) async fn forward(charged: Charged, client: &UpstreamClient, context: HeaderMap) -> Result<Answered, Denial> {
    let request = request(&charged.permitted.resumed, context);
    let upstream = &charged.permitted.resumed.understood.route.upstream;
    let denied = |reason| Denial::new(reason).id(charged.request_id()).standings(charged.standings.clone());
    let request = request.ok_or_else(|| denied(Reason::InternalError))?;
    match tokio::time::timeout(upstream.response_timeout, client.request(request)).await {
        Ok(Ok(response)) => Ok(Answered { charged, response }),
        Ok(Err(error)) => {
            tracing::warn!(server = %charged.permitted.resumed.understood.route.name, %error, "the MCP server can't be reached");
            Err(denied(reason_of(&error)))
        }
        Err(_) => Err(denied(Reason::UpstreamTimeout)),
    }
}

fn reason_of(error: &Error) -> Reason {
    if error.is_connect() { Reason::UpstreamUnreachable } else { Reason::UpstreamInvalid }
}

fn request(resumed: &Resumed, context: HeaderMap) -> Option<Request<Full<Bytes>>> {
    let understood = &resumed.understood;
    let upstream = &understood.route.upstream;
    let mut request = Request::new(Full::new(understood.body.clone()));
    *request.method_mut() = understood.method.clone();
    *request.uri_mut() = upstream.uri.clone();
    *request.headers_mut() = headers(understood, resumed.upstream_session.as_deref())?;
    request.headers_mut().insert(HOST, HeaderValue::from_str(upstream.authority.as_str()).ok()?);
    request.headers_mut().extend(context);
    Some(request)
}

/// What the MCP server sees is built from a list, so that a header nobody thought of stays here.
fn headers(understood: &Understood, session: Option<&str>) -> Option<HeaderMap> {
    let mut headers = HeaderMap::with_capacity(12);
    for (name, value) in &understood.headers {
        let parameter = understood.message.era() == Era::Modern && is_parameter(name);
        let resumption = understood.message.operation().method == Method::StreamOpen && name == LAST_EVENT_ID;
        if FORWARDED.contains(&name.as_str()) || parameter || resumption {
            headers.append(name.clone(), value.clone());
        }
    }
    // Lists are filtered, and a filter can't read what is compressed.
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    if let Some(session) = session {
        headers.insert(SESSION_ID, HeaderValue::from_str(session).ok()?);
    }
    Some(headers)
}

/// A tool chooses the names behind the prefix; names that could be taken for other headers by a lenient server are not sent.
fn is_parameter(name: &HeaderName) -> bool {
    name.as_str().strip_prefix(PARAMETERS).is_some_and(|rest| !rest.is_empty() && !rest.contains('_'))
}
