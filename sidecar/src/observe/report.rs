//! `/v1/report`: what the operator needs to know to write a truthful status.

use super::Observed;
use crate::authenticate::ProviderStatus;
use crate::limiter::StoreStatus;
use crate::snapshot::Route;
use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use std::sync::atomic::Ordering;
use tollward_policy::config::VERSION;
use tollward_policy::report::{LimitStoreReport, PATH, ProviderReport, Rejection, Report, RouteReport};

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
        limit_stores: snapshot.routes().iter().flat_map(|route| stores(route)).collect(),
        sealing: observed.sealing.as_ref().map(|sealing| sealing.report()),
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

/// The stores of a route's policies.
fn stores(route: &Route) -> impl Iterator<Item = LimitStoreReport> {
    route.limits.shared_policies().filter_map(|(policy, used)| {
        let StoreStatus { up, since, error } = route.limiter.store_status(used.store)?;
        Some(LimitStoreReport { server: route.name.clone(), policy: policy.to_owned(), up, since, error })
    })
}
