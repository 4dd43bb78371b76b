//! Which session of the legacy era the message belongs to, and where in a stream it goes on. Neither is ever a credential.

use super::understand::Understood;
use crate::clock::Clock;
use crate::denial::Denial;
use crate::session::Binding;
use http::{HeaderMap, HeaderName, HeaderValue};
use tollward_policy::operation::{Era, Method};
use tollward_policy::reason::Reason;

/// `Mcp-Session-Id`.
pub(super) const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");
/// Resumption of a stream: by GET only, which only the legacy era has.
pub(super) const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// A message with what it resumes.
pub(super) struct Resumed {
    pub(super) understood: Understood,
    pub(super) binding: Binding,
    pub(super) session: Option<Session>,
    /// The upstream's own id of the event after which a stream goes on.
    pub(super) upstream_event: Option<HeaderValue>,
    /// When it was judged, in seconds since the epoch.
    pub(super) now: i64,
}

/// A session, by both its ids.
pub(super) struct Session {
    /// As the client knows it.
    pub(super) sealed: String,
    /// As the upstream knows it.
    pub(super) upstream: String,
}

/// Opens the sealed ids. Unknown, foreign, forged and expired ones are all the same 404.
pub(super) fn resume(understood: Understood, clock: &dyn Clock) -> Result<Resumed, Denial> {
    let now = clock.unix_seconds();
    let binding = Binding::new(&understood.principal, &understood.route.server);
    let session = session(&understood, &binding, now)?;
    let upstream_event = event(&understood, &binding, session.as_ref(), now)?;
    Ok(Resumed { understood, binding, session, upstream_event, now })
}

fn session(understood: &Understood, binding: &Binding, now: i64) -> Result<Option<Session>, Denial> {
    let message = &understood.message;
    // Modern requests have no session, and `initialize` starts a new one whatever the client proposes.
    if message.era() == Era::Modern || message.operation().method == Method::Initialize {
        return Ok(None);
    }
    let Some(sealed) = only(&understood.headers, &SESSION_ID).map_err(|Twice| twice(understood, "Mcp-Session-Id"))?
    else {
        return Ok(None);
    };
    let opened = sealed.to_str().ok().and_then(|sealed| {
        let upstream = understood.route.sealer.open(sealed, binding, now).ok()?;
        Some(Session { sealed: sealed.to_owned(), upstream })
    });
    opened.map(Some).ok_or_else(|| denied(understood, Reason::SessionUnknown))
}

/// An id that this caller never got in this session leads to no events: the MCP server is not even asked.
fn event(
    understood: &Understood,
    binding: &Binding,
    session: Option<&Session>,
    now: i64,
) -> Result<Option<HeaderValue>, Denial> {
    if understood.message.operation().method != Method::StreamOpen {
        return Ok(None);
    }
    let Some(sealed) = only(&understood.headers, &LAST_EVENT_ID).map_err(|Twice| twice(understood, "Last-Event-ID"))?
    else {
        return Ok(None);
    };
    let binding = binding.of_events(session.map(|session| session.upstream.as_str()));
    let opened = sealed.to_str().ok().and_then(|sealed| understood.route.sealer.open(sealed, &binding, now).ok());
    let value = opened.and_then(|id| HeaderValue::from_bytes(id.as_bytes()).ok());
    let unknown = || denied(understood, Reason::SessionUnknown).detail("Last-Event-ID is unknown in this session");
    value.map(Some).ok_or_else(unknown)
}

/// A header stands there more than once.
struct Twice;

fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h HeaderValue>, Twice> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        (_, Some(_)) => Err(Twice),
    }
}

fn denied(understood: &Understood, reason: Reason) -> Denial {
    Denial::new(reason).id(understood.message.id().map(|id| id.as_json().to_owned()))
}

fn twice(understood: &Understood, name: &str) -> Denial {
    denied(understood, Reason::RequestMalformed).detail(format!("{name} stands twice"))
}
