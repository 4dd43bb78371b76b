//! Which session of the legacy era the message belongs to. A session is never a credential.

use super::understand::Understood;
use crate::clock::Clock;
use crate::denial::Denial;
use crate::session::Binding;
use http::HeaderName;
use tollward_policy::operation::{Era, Method};
use tollward_policy::reason::Reason;

/// `Mcp-Session-Id`.
pub(super) const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");

/// A message with the upstream's own session id, if it has a session.
pub(super) struct Resumed {
    pub(super) understood: Understood,
    pub(super) binding: Binding,
    pub(super) upstream_session: Option<String>,
    /// When it was judged, in seconds since the epoch.
    pub(super) now: i64,
}

/// Opens the sealed id. Unknown, foreign, forged and expired ids are all the same 404.
pub(super) fn resume(understood: Understood, clock: &dyn Clock) -> Result<Resumed, Denial> {
    let route = &understood.route;
    let now = clock.unix_seconds();
    let binding = Binding::new(&understood.principal, &route.server);
    let message = &understood.message;
    // Modern requests have no session, and `initialize` starts a new one whatever the client proposes.
    let ignores = message.era() == Era::Modern || message.operation().method == Method::Initialize;
    let denied = |reason| Denial::new(reason).id(message.id().map(|id| id.as_json().to_owned()));
    let mut ids = understood.headers.get_all(SESSION_ID).iter();
    let upstream_session = match (ids.next(), ids.next()) {
        _ if ignores => None,
        (None, _) => None,
        (Some(_), Some(_)) => return Err(denied(Reason::RequestMalformed).detail("Mcp-Session-Id stands twice")),
        (Some(sealed), None) => {
            let sealed = sealed.to_str().map_err(|_| denied(Reason::SessionUnknown))?;
            let opened = route.sealer.open(sealed, &binding, now);
            Some(opened.map_err(|_| denied(Reason::SessionUnknown))?)
        }
    };
    Ok(Resumed { understood, binding, upstream_session, now })
}
