//! Back to the client: headers from a list, the session id sealed, lists filtered, streams passed on as they come.

mod body;
mod events;
mod list;

use super::charge::Charged;
use super::forward::Answered;
use super::occupy::settle;
use super::refuse::refuse;
use super::resume::SESSION_ID;
use super::tenure::Tenure;
use crate::audit::{Ended, Trail};
use crate::denial::{Denial, standing_headers};
use crate::response::{self, ListKind, Media, RpcOutcome};
use axum::body::Body;
use body::{Ending, Filters, Forwarded};
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tollward_policy::operation::Method;
use tollward_policy::principal::Principal;
use tollward_policy::reason::Reason;

/// Ways in which an answer's body is carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Carriage {
    /// Unchanged.
    Plain,
    /// A list as one JSON document.
    JsonList(ListKind),
    /// The answer to a list request as a stream.
    Events(ListKind),
    /// A stream on which any list may come.
    Resumed,
    /// The answer to another request as a stream.
    Stream,
    /// The status alone.
    Bodiless,
}

/// What lists a stream may bring.
#[derive(Debug, Clone, Copy)]
enum Lists {
    None,
    Of(ListKind),
    Any,
}

/// Passes the answer on and hands the record to its body.
pub(super) async fn deliver(
    mut answered: Answered,
    mut trail: Trail,
    draining: &CancellationToken,
    mut tenure: Tenure,
) -> Response<Body> {
    let prepared = carriage(&answered).and_then(|carriage| Ok((carriage, head(&answered, carriage)?)));
    let (carriage, head) = match prepared {
        Ok(prepared) => prepared,
        Err(denial) => return refuse(&denial, trail),
    };
    let status = answered.response.status();
    let sealed = head.get(SESSION_ID).and_then(|sealed| sealed.to_str().ok());
    settle(&mut answered.charged.permitted, status, sealed);
    trail.answering(status.as_u16());
    let body = match carriage {
        Carriage::JsonList(kind) => {
            let state = tenure.state().clone();
            let collected = tokio::select! {
                biased;
                withdrawn = tenure.end() => return tenure.cut(&withdrawn, trail),
                collected = list::collect(answered, kind, state) => collected,
            };
            match collected {
                Ok(collected) => Body::new(body::Whole::new(collected, trail)),
                Err(denial) => return refuse(&denial, trail),
            }
        }
        Carriage::Events(kind) => stream(answered, trail, draining, tenure, Lists::Of(kind)),
        Carriage::Bodiless => {
            trail.finish(&RpcOutcome::UNDETERMINED, Ended::Complete);
            Body::empty()
        }
        Carriage::Resumed => stream(answered, trail, draining, tenure, Lists::Any),
        Carriage::Stream => stream(answered, trail, draining, tenure, Lists::None),
        Carriage::Plain => {
            let filters = Filters { ids: None, lists: None };
            let ending = ending(&answered, draining, tenure);
            Body::new(Forwarded::new(answered, trail, ending, filters))
        }
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = head;
    response
}

/// A stream, whose events' ids are sealed and whose lists are filtered: none, of one kind, or of any.
fn stream(answered: Answered, trail: Trail, draining: &CancellationToken, tenure: Tenure, lists: Lists) -> Body {
    let filters = Filters {
        ids: Some(events::ids(&answered, tenure.state().clone())),
        lists: match lists {
            Lists::None => None,
            Lists::Of(kind) => Some(list::event_filter(&answered, Some(kind), tenure.state().clone())),
            Lists::Any => Some(list::event_filter(&answered, None, tenure.state().clone())),
        },
    };
    let ending = ending(&answered, draining, tenure);
    Body::new(Forwarded::new(answered, trail, ending, filters))
}

/// The MCP server's answer can't be used.
fn denied(charged: &Charged, detail: &'static str) -> Denial {
    Denial::new(Reason::UpstreamInvalid).detail(detail).id(charged.request_id()).standings(charged.standings().to_vec())
}

/// The answer's head as the client sees it.
fn head(answered: &Answered, carriage: Carriage) -> Result<HeaderMap, Denial> {
    let response = &answered.response;
    let status = response.status();
    // A server behind Tollward has nothing to say about tokens, and a redirect would lead around it.
    if status.is_redirection()
        || matches!(
            status,
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::PROXY_AUTHENTICATION_REQUIRED
        )
    {
        tracing::warn!(%status, server = %answered.charged.permitted.resumed.understood.route.name, "the MCP server refused or redirected");
        return Err(denied(
            &answered.charged,
            "the MCP server refused or redirected a call that Tollward had let through",
        ));
    }
    // 101 would end HTTP on the connection, and nobody asked for it.
    if status.is_informational() {
        return Err(denied(&answered.charged, "the MCP server answered as if another protocol had been asked for"));
    }
    // Where such an answer ends is a matter of opinion (RFC 9112 section 6.3).
    if response.headers().contains_key(TRANSFER_ENCODING) && response.headers().contains_key(CONTENT_LENGTH) {
        return Err(denied(&answered.charged, "the MCP server's answer has a length and a transfer coding"));
    }
    let body = if carriage == Carriage::Plain {
        response::headers::Body::Unchanged
    } else {
        response::headers::Body::Filtered
    };
    let mut headers = response::for_client(response.headers(), body);
    if answered.presented.as_ref().is_some_and(|presented| presented.is_in(&headers)) {
        return Err(denied(&answered.charged, "the MCP server repeats what it was shown"));
    }
    standing_headers(&mut headers, answered.charged.standings());
    if let Some(sealed) = seal(answered)? {
        headers.insert(SESSION_ID, sealed);
    }
    Ok(headers)
}

/// A session begins with the answer to `initialize` and nowhere else.
fn seal(answered: &Answered) -> Result<Option<HeaderValue>, Denial> {
    let resumed = &answered.charged.permitted.resumed;
    let begins =
        resumed.understood.message.operation().method == Method::Initialize && answered.response.status().is_success();
    let Some(id) = answered.response.headers().get(SESSION_ID).filter(|_| begins) else {
        return Ok(None);
    };
    let route = &resumed.understood.route;
    let sealed = id
        .to_str()
        .ok()
        .and_then(|id| route.sealer.seal(id, &resumed.binding, answered.charged.permitted.resumed.now).ok());
    let header = sealed.and_then(|sealed| HeaderValue::from_str(&sealed).ok());
    header.map(Some).ok_or_else(|| denied(&answered.charged, "the MCP server's session id can't be used"))
}

fn carriage(answered: &Answered) -> Result<Carriage, Denial> {
    let method = answered.charged.permitted.resumed.understood.message.operation().method;
    let media = response::media(answered.response.headers());
    let success = answered.response.status().is_success();
    match (ListKind::of(method), media) {
        // An error may carry a list as well, so the status does not matter.
        (Some(kind), Media::Json) => Ok(Carriage::JsonList(kind)),
        (Some(kind), Media::EventStream) => Ok(Carriage::Events(kind)),
        (Some(_), Media::Opaque) if success => {
            Err(denied(&answered.charged, "the MCP server's list has a media type that can't be filtered"))
        }
        (Some(_), Media::Opaque) => Ok(Carriage::Bodiless),
        (None, _) if method == Method::SessionEnd => Ok(Carriage::Bodiless),
        (None, media) if method == Method::StreamOpen && success => match media {
            // It may replay the answer to an earlier list request.
            Media::EventStream => Ok(Carriage::Resumed),
            Media::Json | Media::Opaque => Err(denied(&answered.charged, "the MCP server's stream is no event stream")),
        },
        (None, Media::EventStream) => Ok(Carriage::Stream),
        (None, Media::Json | Media::Opaque) => Ok(Carriage::Plain),
    }
}

/// What may end the answer before the MCP server does: that its caller is kept out; a pause; for streams without an end,
/// which may be silent for hours, the token's expiry and our own end instead.
fn ending(answered: &Answered, draining: &CancellationToken, tenure: Tenure) -> Ending {
    let understood = &answered.charged.permitted.resumed.understood;
    let open_ended = understood.message.operation().method.is_open_ended();
    let expires_in = match &understood.principal {
        Principal::Token(token) if open_ended => {
            let left = token.expires_at.saturating_sub(answered.charged.permitted.resumed.now);
            Some(Duration::from_secs(u64::try_from(left).unwrap_or_default()))
        }
        Principal::Token(_) | Principal::Anonymous => None,
    };
    Ending::new(
        (!open_ended).then_some(understood.route.upstream.idle_timeout),
        expires_in,
        open_ended.then(|| draining.clone()),
        tenure,
    )
}
