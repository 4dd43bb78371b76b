//! `/livez`, `/readyz` and `/metrics` of the egress proxy.

use super::lists::Lists;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tollward_telemetry::{PROMETHEUS_CONTENT_TYPE, Telemetry};

/// What the probes look at.
#[derive(Clone)]
pub(crate) struct Observed {
    pub(crate) lists: Arc<Lists>,
    pub(crate) telemetry: Arc<Telemetry>,
    pub(crate) draining: CancellationToken,
}

/// The routes. Live means that the event loop runs; ready, that tunnels would be judged.
pub(crate) fn probes(observed: Observed) -> Router {
    Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(observed)
}

async fn ready(State(observed): State<Observed>) -> impl IntoResponse {
    if observed.draining.is_cancelled() {
        (StatusCode::SERVICE_UNAVAILABLE, "the process is ending\n")
    } else if observed.lists.is_stale() {
        (StatusCode::SERVICE_UNAVAILABLE, "newer lists could not be read for too long\n")
    } else {
        (StatusCode::OK, "ok\n")
    }
}

async fn metrics(State(observed): State<Observed>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, PROMETHEUS_CONTENT_TYPE)], observed.telemetry.prometheus_text())
}
