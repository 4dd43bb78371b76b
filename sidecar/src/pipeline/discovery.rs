//! Metadata that clients read before they have a token (RFC 9728, RFC 8414), and keys that MCP servers read.

use super::origin::Reached;
use super::route::Routed;
use crate::denial::Denial;
use crate::snapshot::{Destination, Route};
use axum::body::Body;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, Method, Response};
use std::sync::Arc;
use std::time::Duration;
use tollward_policy::reason::Reason;

/// A request for the MCP endpoint itself, or an answer.
pub(super) enum Found {
    /// Preflight or metadata.
    Answer(Response<Body>),
    /// Goes on.
    Call(Asked),
}

/// A request for an MCP endpoint.
pub(super) struct Asked {
    pub(super) routed: Routed,
    pub(super) route: Arc<Route>,
}

/// Answers preflights and metadata. What is refused is refused like anything else, so that its record says so.
pub(super) fn answer(reached: Reached) -> Result<Found, Denial> {
    let Reached { routed, preflight } = reached;
    if let Some(preflight) = preflight {
        return Ok(Found::Answer(preflight));
    }
    let document = match &routed.destination {
        Destination::Mcp(route) => {
            let route = route.clone();
            return Ok(Found::Call(Asked { routed, route }));
        }
        Destination::ResourceMetadata(route) => route.metadata.clone().ok_or(Denial::new(Reason::RouteNotFound)),
        Destination::ServerMetadata(route) => server_metadata(route),
        Destination::AssertionKeys(route) => route.identity.key_set().ok_or(Denial::new(Reason::RouteNotFound)),
    };
    let method = routed.parts.method.clone();
    if method != Method::GET && method != Method::HEAD {
        return Err(Denial::new(Reason::MethodNotAllowed).allow("GET, HEAD, OPTIONS"));
    }
    Ok(Found::Answer(json(document?, method == Method::HEAD)))
}

/// The provider's own document, as it was fetched.
fn server_metadata(route: &Route) -> Result<Bytes, Denial> {
    let provider = route.compat_provider.as_ref().ok_or(Denial::new(Reason::RouteNotFound))?;
    let unavailable = || Denial::new(Reason::KeysUnavailable).retry_after(Duration::from_secs(5));
    provider.auth_server_metadata().ok_or_else(unavailable)
}

/// The length is that of GET; HTTP/2 would send the body of an answer to HEAD if it had one.
fn json(document: Bytes, is_head: bool) -> Response<Body> {
    let length = HeaderValue::from(document.len());
    let mut response = Response::new(if is_head { Body::empty() } else { Body::from(document) });
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CONTENT_LENGTH, length);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    response
}
