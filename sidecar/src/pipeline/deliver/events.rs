//! Ids of events: where in a stream a client goes on is for its owner alone.
//!
//! In the legacy era they go out sealed for the caller, the server and its session, and come back as `Last-Event-ID`
//! ([`super::super::resume`]). The modern era resumes no streams, so that its events have none.

use super::super::forward::Answered;
use super::super::resume::SESSION_ID;
use super::body::SealedIds;
use crate::response::EventIds;
use crate::state::State;
use std::sync::Arc;
use tollward_policy::operation::{Era, Method};

/// Seals the ids of an answer's events.
pub(super) fn ids(answered: &Answered, state: Arc<State>) -> SealedIds {
    let resumed = &answered.charged.permitted.resumed;
    let message = &resumed.understood.message;
    match message.era() {
        Era::Modern => return EventIds::new(Box::new(|_: &str| None)),
        Era::Legacy => {}
    }
    // The answer to `initialize` is of the session that begins with it.
    let begun = answered.response.headers().get(SESSION_ID).and_then(|id| id.to_str().ok());
    let begun = begun.filter(|_| message.operation().method == Method::Initialize);
    let session = resumed.session.as_ref().map(|session| session.upstream.as_str()).or(begun);
    let binding = resumed.binding.of_events(session);
    let route = resumed.understood.route.clone();
    EventIds::new(Box::new(move |id: &str| route.sealer.seal_event(id, &binding, state.clock().unix_seconds()).ok()))
}
