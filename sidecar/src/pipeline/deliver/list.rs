//! Lists show a caller what the rules would let it use, no more.

use super::super::authorize::held;
use super::super::forward::Answered;
use super::body::{Collected, EventFilter, Predicate};
use super::denied;
use crate::denial::Denial;
use crate::response::list::filter;
use crate::response::{ListKind, Observer, SseFilter, media};
use crate::snapshot::Route;
use crate::state::State;
use http_body_util::{BodyExt as _, Limited};
use std::sync::Arc;
use tollward_policy::condition::{Facts, LIST_STEPS};
use tollward_policy::operation::{Operation, Target};

/// Longest list that is read.
const MAX_LIST: usize = 8 * 1024 * 1024;

/// Reads a list that came as one document, and filters it.
pub(super) async fn collect(answered: Answered, kind: ListKind, state: Arc<State>) -> Result<Collected, Denial> {
    let mut predicate = predicate(&answered, state);
    let Answered { charged, presented: _, response } = answered;
    let idle = charged.permitted.resumed.understood.route.upstream.idle_timeout;
    let mut observer = Observer::new(media(response.headers()));
    let bytes = match tokio::time::timeout(idle, Limited::new(response.into_body(), MAX_LIST).collect()).await {
        Ok(Ok(collected)) => collected.to_bytes(),
        Ok(Err(_)) => return Err(denied(&charged, "the MCP server's list broke off or is too long")),
        Err(_) => return Err(denied(&charged, "the MCP server paused for too long in a list")),
    };
    observer.push(&bytes);
    match filter(kind, &bytes, &mut predicate) {
        Ok(filtered) => Ok(Collected {
            bytes: filtered.body,
            outcome: observer.finish(),
            place: charged.permitted.resumed.understood.place,
        }),
        Err(error) => {
            tracing::warn!(%error, server = %charged.permitted.resumed.understood.route.name, "a list was withheld");
            Err(denied(&charged, "the MCP server's list can't be read"))
        }
    }
}

/// Filters lists that come as events: of one kind, or of any.
pub(super) fn event_filter(answered: &Answered, kind: Option<ListKind>, state: Arc<State>) -> EventFilter {
    let predicate: Predicate = Box::new(predicate(answered, state));
    match kind {
        Some(kind) => SseFilter::new(kind, predicate),
        None => SseFilter::resumed(predicate),
    }
}

/// True for what this caller may see, by the rules in force when the list comes: a stream may outlive those by which it was
/// opened. Names that the server lists become known on the way. Conditions that ask for arguments count as those of a call that could
/// pass: the call itself is judged again.
fn predicate(answered: &Answered, state: Arc<State>) -> impl FnMut(ListKind, &Target) -> bool + Send + 'static {
    let resumed = &answered.charged.permitted.resumed;
    let understood = &resumed.understood;
    let mut route: Arc<Route> = understood.route.clone();
    let principal = understood.principal.clone();
    let revision = understood.message.revision().as_str();
    let (mut scopes, now, owner) = (answered.charged.permitted.held, resumed.now, resumed.binding.clone());
    let (mut version, mut steps) = (None, LIST_STEPS);
    move |kind, target| {
        let snapshot = state.last_good();
        if version.replace(snapshot.version) != Some(snapshot.version) {
            let Some(current) = snapshot.route(&route.server.uid) else {
                version = None;
                return false;
            };
            route = current.clone();
            scopes = held(&route, &principal);
        }
        let is_template = kind == ListKind::ResourceTemplates;
        if let Target::Task(task) = target {
            if !route.tasks.is_of(task, &owner) {
                return false;
            }
        } else if !is_template {
            route.known.add(target.name().map(str::to_owned));
        }
        let operation = Operation { method: kind.used_by(), target: target.clone() };
        let facts = Facts::of_listed(&principal, revision, is_template, now, steps);
        let shows = route.rules.shows(&operation, &scopes, &facts);
        steps = facts.steps_left();
        shows
    }
}
