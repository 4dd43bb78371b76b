//! `/livez`, `/readyz`, `/metrics`, and the keys of assertions.

use super::{Observed, assertion_keys};
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tollward_telemetry::PROMETHEUS_CONTENT_TYPE;

/// The routes. Live means that the event loop runs; ready, that requests would be served.
pub fn probes(observed: Observed) -> Router {
    Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route(&assertion_keys::path(), get(assertion_keys::answer))
        .with_state(observed)
}

async fn ready(State(observed): State<Observed>) -> impl IntoResponse {
    let reasons = observed.unready();
    if reasons.is_empty() {
        (StatusCode::OK, "ok\n".to_owned())
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, reasons.join("\n") + "\n")
    }
}

async fn metrics(State(observed): State<Observed>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, PROMETHEUS_CONTENT_TYPE)], observed.telemetry.prometheus_text())
}
