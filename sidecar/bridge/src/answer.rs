//! What an answer looks like as HTTP: a document, a stream of events, or a status alone.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Frame;
use std::convert::Infallible;

/// An answer to the sidecar.
pub(crate) type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

pub(crate) fn event(line: &Bytes) -> Frame<Bytes> {
    Frame::data([b"event: message\ndata: ", line.as_ref(), b"\n\n"].concat().into())
}

pub(crate) fn event_stream(body: UnsyncBoxBody<Bytes, Infallible>) -> Answer {
    let mut answer = Response::new(body);
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// A document.
pub(crate) fn json(status: StatusCode, text: Bytes) -> Answer {
    let mut answer = Response::new(UnsyncBoxBody::new(Full::new(text)));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

pub(crate) fn empty(status: StatusCode) -> Answer {
    let mut answer = Response::new(UnsyncBoxBody::new(Full::default()));
    *answer.status_mut() = status;
    answer
}
