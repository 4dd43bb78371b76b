//! `/livez`, `/readyz` and `/metrics`: read-only, for the kubelet and Prometheus.
//!
//! A standby is ready too: its caches are filled, so that it takes over at once.

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tollward_telemetry::{PROMETHEUS_CONTENT_TYPE, Telemetry};

/// What the listener looks at.
#[derive(Clone)]
pub struct Observed {
    /// Metrics.
    pub telemetry: Arc<Telemetry>,
    /// Whether the caches are filled and the process is not ending.
    pub ready: Arc<AtomicBool>,
}

/// The routes.
pub fn routes(observed: Observed) -> Router {
    Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(observed)
}

async fn ready(State(observed): State<Observed>) -> impl IntoResponse {
    if observed.ready.load(Ordering::Relaxed) {
        (StatusCode::OK, "ok\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "the caches are not filled, or the process is ending\n")
    }
}

async fn metrics(State(observed): State<Observed>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, PROMETHEUS_CONTENT_TYPE)], observed.telemetry.prometheus_text())
}
