//! The keys by which an MCP server verifies assertions, on the listener that it reaches without TLS from within its pod. A
//! server behind a relay reads the same document from the public listener, where a certificate vouches for it.

use super::Observed;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use tollward_policy::config::LOCAL_ASSERTION_KEYS;

/// The route's path.
pub(super) fn path() -> String {
    format!("{LOCAL_ASSERTION_KEYS}/{{namespace}}/{{name}}")
}

pub(super) async fn answer(
    State(observed): State<Observed>,
    Path((namespace, name)): Path<(String, String)>,
) -> Response {
    let snapshot = observed.state.last_good();
    let mut routes = snapshot.routes().iter();
    let found = routes.find(|route| route.server.namespace == namespace && route.server.name == name);
    match found.and_then(|route| route.identity.key_set()) {
        Some(keys) => ([(header::CONTENT_TYPE, "application/jwk-set+json")], keys).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
