//! A place among the sessions and streams that are open at the server, before the call goes there.
//!
//! What is bounded here is what stays after the call: sessions that the MCP server keeps in memory, and streams that have no end
//! of their own. The place of a session is settled by the answer: it begins, or gives its place back.

use super::authorize::Permitted;
use super::capacity::Place;
use crate::denial::Denial;
use crate::session::{Full, counted_as};
use http::StatusCode;
use tollward_policy::operation::Method;
use tollward_policy::reason::Reason;

/// Takes the places that the call needs.
pub(super) fn occupy(permitted: &mut Permitted) -> Result<(), Denial> {
    let resumed = &mut permitted.resumed;
    let understood = &mut resumed.understood;
    let method = understood.message.operation().method;
    let begins = method == Method::Initialize;
    if !begins && !method.is_open_ended() && resumed.session.is_none() {
        return Ok(());
    }
    let (route, now) = (&understood.route, resumed.now);
    let client = counted_as(&resumed.binding, &understood.principal, &understood.address);
    let bounds = &route.session_bounds;
    let id = understood.message.id().map(|id| id.as_json().to_owned());
    let (refused_session, refused_stream) =
        (|full| refused(full, "sessions", id.clone()), |full| refused(full, "streams", id.clone()));
    let place: &mut Place = &mut understood.place;
    if begins {
        place.opening = Some(route.sessions.open(&client, bounds, now).map_err(refused_session)?);
    } else if let Some(session) = &resumed.session {
        let in_use = route.sessions.resume(&session.sealed, &client, bounds, now);
        place.session = Some(in_use.map_err(refused_session)?);
    }
    if method.is_open_ended() {
        place.stream = Some(route.sessions.stream(&client, bounds).map_err(refused_stream)?);
    }
    Ok(())
}

fn refused(full: Full, what: &str, id: Option<String>) -> Denial {
    let (reason, whose) = match full {
        Full::Client => (Reason::SessionsLimited, "the caller has"),
        Full::Server => (Reason::SessionsExhausted, "the server has"),
    };
    Denial::new(reason).detail(format!("{whose} as many {what} open as allowed")).retry_after(Full::RETRY).id(id)
}

/// What the answer says about sessions: one began under this sealed id; or the one that the call was made in has ended. 404 is how an MCP
/// server says that it does not know a session (MCP 2025-11-25 basic/transports "Session Management").
pub(super) fn settle(permitted: &mut Permitted, status: StatusCode, sealed: Option<&str>) {
    let resumed = &mut permitted.resumed;
    let understood = &mut resumed.understood;
    let sessions = &understood.route.sessions;
    if let (Some(opening), Some(sealed)) = (understood.place.opening.take(), sealed) {
        sessions.began(sealed, opening, resumed.now);
    }
    let ends = understood.message.operation().method == Method::SessionEnd && status.is_success();
    if let Some(session) = understood.place.session.as_ref().filter(|_| ends || status == StatusCode::NOT_FOUND) {
        sessions.ended(session);
    }
}
