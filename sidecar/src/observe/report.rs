//! `/v1/report`: what the operator needs to know to write a truthful status.

use super::Observed;
use crate::authenticate::ProviderStatus;
use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use std::sync::atomic::Ordering;
use tollward_policy::config::VERSION;
use tollward_policy::report::{PATH, ProviderReport, Rejection, Report, RouteReport};

/// The route.
pub fn report(observed: Observed) -> Router {
    Router::new().route(PATH, get(answer)).with_state(observed)
}

async fn answer(State(observed): State<Observed>) -> Json<Report> {
    let snapshot = observed.state.last_good();
    let rejected = observed.state.rejected();
    Json(Report {
        reader: VERSION,
        digest: snapshot.digest.clone(),
        generation: snapshot.generation,
        rejected: rejected.map(|it| Rejection { digest: it.digest, message: it.message, since: it.since }),
        restart_required: observed.restart_required.load(Ordering::Relaxed),
        unready: observed.unready(),
        routes: snapshot
            .routes()
            .iter()
            .map(|route| RouteReport { server: route.name.clone(), seen: route.known.names() })
            .collect(),
        providers: observed.parts.providers.statuses().into_iter().map(provider).collect(),
        limit_stores: Vec::new(),
    })
}

fn provider(status: ProviderStatus) -> ProviderReport {
    let keys = status.keys.into_iter().map(|key| key.id.unwrap_or(key.thumbprint)).collect();
    ProviderReport {
        name: status.name,
        ready: status.ready,
        keys,
        last_fetch: status.last_fetch,
        last_error: status.last_error,
        introspection_error: status.introspection.and_then(|introspection| introspection.last_error),
    }
}
