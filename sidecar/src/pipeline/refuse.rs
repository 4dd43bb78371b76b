//! Answers a refusal and closes its record.

use crate::audit::Trail;
use crate::denial::{Denial, respond};
use axum::body::Body;
use http::Response;
use http_body::Body as _;

/// Answers and records a refusal.
pub(super) fn refuse(denial: &Denial, trail: Trail) -> Response<Body> {
    let response = respond(denial, trail.id());
    trail.refuse(denial, size(&response));
    response
}

/// Bytes of a body that is known as a whole.
pub(super) fn size(response: &Response<Body>) -> usize {
    response.body().size_hint().exact().and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or_default()
}
