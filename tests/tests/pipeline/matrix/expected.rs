//! What must become of a cell, from what the manual says and not from how the product comes to it: each rule is about one property of the
//! request, and the first that speaks decides.

use super::cells::{Cell, Place, Sender};
use http::Method;
use tollward_policy::reason::Reason;

/// How far a request gets. What a record and the MCP server know of it must be exactly that much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// Refused before a server was found for it.
    Head,
    /// It is for a known server.
    Routed,
    /// The caller is known.
    Identified,
    /// What is asked is known.
    Understood,
    /// Limits were asked.
    Charged,
    /// It reached the MCP server.
    Forwarded,
}

/// The end of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Expected {
    pub(super) status: u16,
    pub(super) reason: Reason,
    pub(super) stage: Stage,
}

type Rule = fn(&Cell) -> Option<(u16, Reason, Stage)>;

/// In the order in which requests are looked at.
const RULES: [Rule; 9] =
    [method_at_all, place, page, answered_here, caller, method_of_the_endpoint, message, permission, limits];

/// What becomes of it.
pub(super) fn of(cell: &Cell) -> Expected {
    let (status, reason, stage) = RULES.iter().find_map(|rule| rule(cell)).unwrap_or_else(|| passes(cell));
    Expected { status, reason, stage }
}

fn passes(cell: &Cell) -> (u16, Reason, Stage) {
    (if cell.method == Method::DELETE { 204 } else { 200 }, Reason::Allowed, Stage::Forwarded)
}

fn method_at_all(cell: &Cell) -> Option<(u16, Reason, Stage)> {
    let served = [Method::GET, Method::HEAD, Method::POST, Method::DELETE, Method::OPTIONS];
    (!served.contains(&cell.method)).then_some((405, Reason::MethodNotAllowed, Stage::Head))
}

fn place(cell: &Cell) -> Option<(u16, Reason, Stage)> {
    if cell.place == Place::Elsewhere {
        return Some((404, Reason::RouteNotFound, Stage::Head));
    }
    (cell.sender == Sender::Rebound).then_some((403, Reason::HostNotAllowed, Stage::Head))
}

fn page(cell: &Cell) -> Option<(u16, Reason, Stage)> {
    let refused = cell.sender == Sender::Page && cell.place != Place::Metadata;
    refused.then_some((403, Reason::OriginNotAllowed, Stage::Routed))
}

fn answered_here(cell: &Cell) -> Option<(u16, Reason, Stage)> {
    if cell.method == Method::OPTIONS {
        return Some((204, Reason::Allowed, Stage::Routed));
    }
    if cell.place != Place::Metadata {
        return None;
    }
    let read = [Method::GET, Method::HEAD].contains(&cell.method);
    Some(if read { (200, Reason::Allowed, Stage::Routed) } else { (405, Reason::MethodNotAllowed, Stage::Routed) })
}

fn caller(cell: &Cell) -> Option<(u16, Reason, Stage)> {
    (cell.sender == Sender::Unknown).then_some((401, Reason::CredentialsMissing, Stage::Routed))
}

fn method_of_the_endpoint(cell: &Cell) -> Option<(u16, Reason, Stage)> {
    let modern = cell.version == Some("2026-07-28");
    let refused = cell.method == Method::HEAD || cell.method != Method::POST && modern;
    refused.then_some((405, Reason::MethodNotAllowed, Stage::Identified))
}

fn message(cell: &Cell) -> Option<(u16, Reason, Stage)> {
    let json = cell.media.is_some_and(|media| media.starts_with("application/json"));
    if cell.method == Method::POST && !json {
        return Some((415, Reason::MediaTypeRefused, Stage::Identified));
    }
    let served = [None, Some("2025-03-26"), Some("2025-06-18"), Some("2025-11-25"), Some("2026-07-28")];
    let known = served.contains(&cell.version);
    (!known).then_some((400, Reason::ProtocolVersionUnsupported, Stage::Identified))
}

/// Streams and ends of sessions are mechanics of the protocol, which need no scope.
fn permission(cell: &Cell) -> Option<(u16, Reason, Stage)> {
    let refused = cell.sender == Sender::Powerless && cell.method == Method::POST;
    refused.then_some((403, Reason::ScopeInsufficient, Stage::Understood))
}

fn limits(cell: &Cell) -> Option<(u16, Reason, Stage)> {
    (cell.sender == Sender::Exhausted).then_some((429, Reason::RateLimited, Stage::Charged))
}
