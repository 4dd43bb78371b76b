//! Answers a refusal and closes its record.

use crate::audit::Trail;
use crate::denial::{Denial, respond};
use axum::body::Body;
use http::header::CONTENT_LENGTH;
use http::{HeaderValue, Response};
use http_body::Body as _;

/// Answers and records a refusal.
pub(super) fn refuse(denial: &Denial, trail: Trail) -> Response<Body> {
    let response = respond(denial, trail.id());
    trail.refuse(denial, size(&response));
    response
}

/// Answers and records a refusal of HEAD: the length is that of GET, and there is no body, which would break the stream in HTTP/2.
pub(super) fn refuse_head(denial: &Denial, trail: Trail) -> Response<Body> {
    let mut response = respond(denial, trail.id());
    let length = HeaderValue::from(size(&response));
    response.headers_mut().insert(CONTENT_LENGTH, length);
    *response.body_mut() = Body::empty();
    trail.refuse(denial, 0);
    response
}

/// Bytes of a body that is known as a whole.
pub(super) fn size(response: &Response<Body>) -> usize {
    response.body().size_hint().exact().and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or_default()
}
