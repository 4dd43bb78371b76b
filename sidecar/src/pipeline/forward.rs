//! To the MCP server: exactly the bytes that were judged, with headers from a list and nothing of the caller's credentials.

use super::assume::Assumed;
use super::charge::Charged;
use super::passed_on::passes;
use super::resume::{LAST_EVENT_ID, Resumed, SESSION_ID};
use crate::denial::Denial;
use crate::dial::Dial;
use crate::upstream_identity::Presented;
use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, HOST};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::time::Duration;
use tollward_policy::reason::Reason;

/// Dials MCP servers over plain HTTP/1.1, inside the pod or its network policy.
pub type UpstreamClient = Client<Dial, Full<Bytes>>;

/// Python and Node servers close idle connections after five seconds; a request on a dying one would be lost.
const POOL_IDLE: Duration = Duration::from_secs(4);

/// A call with its answer's head.
pub(super) struct Answered {
    pub(super) charged: Charged,
    pub(super) presented: Option<Presented>,
    pub(super) response: Response<Incoming>,
}

/// A client with a bounded time to connect.
pub fn client(connect_timeout: Duration) -> UpstreamClient {
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(POOL_IDLE)
        .pool_max_idle_per_host(256)
        .build(Dial::new(connect_timeout))
}

/// Sends the call and waits for the head of the answer. `context` carries the trace.
pub(super) async fn forward(assumed: Assumed, client: &UpstreamClient, context: HeaderMap) -> Result<Answered, Denial> {
    let Assumed { charged, presented } = assumed;
    let request = request(&charged.permitted.resumed, context, presented.as_ref());
    let upstream = &charged.permitted.resumed.understood.route.upstream;
    let denied = |reason| Denial::new(reason).id(charged.request_id()).standings(charged.standings.clone());
    let request = request.ok_or_else(|| denied(Reason::InternalError))?;
    match tokio::time::timeout(upstream.response_timeout, client.request(request)).await {
        Ok(Ok(response)) => {
            if let Some(presented) = presented.as_ref().filter(|_| response.status() == StatusCode::UNAUTHORIZED) {
                charged.permitted.resumed.understood.route.identity.rejected(presented);
            }
            Ok(Answered { charged, presented, response })
        }
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

fn request(resumed: &Resumed, context: HeaderMap, presented: Option<&Presented>) -> Option<Request<Full<Bytes>>> {
    let understood = &resumed.understood;
    let upstream = &understood.route.upstream;
    let mut request = Request::new(Full::new(understood.body.clone()));
    *request.method_mut() = understood.method.clone();
    *request.uri_mut() = upstream.uri.clone();
    *request.headers_mut() = headers(resumed)?;
    request.headers_mut().insert(HOST, HeaderValue::from_str(upstream.authority.as_str()).ok()?);
    request.headers_mut().extend(context);
    if let Some(presented) = presented {
        presented.put(request.headers_mut());
    }
    Some(request)
}

/// What the MCP server sees is built from a list, so that a header nobody thought of stays here.
fn headers(resumed: &Resumed) -> Option<HeaderMap> {
    let understood = &resumed.understood;
    let mut headers = HeaderMap::with_capacity(12);
    for (name, value) in &understood.headers {
        if passes(&understood.message, name) {
            headers.append(name.clone(), value.clone());
        }
    }
    // Lists are filtered, and a filter can't read what is compressed.
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    if let Some(session) = &resumed.session {
        headers.insert(SESSION_ID, HeaderValue::from_str(&session.upstream).ok()?);
    }
    if let Some(event) = &resumed.upstream_event {
        headers.insert(LAST_EVENT_ID, event.clone());
    }
    Some(headers)
}
