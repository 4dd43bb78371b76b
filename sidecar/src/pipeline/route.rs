//! Which MCP server the request is for: by exact path, then by Host.

use super::admit::Admitted;
use crate::audit::Trail;
use crate::denial::Denial;
use crate::snapshot::{Destination, Route, Snapshot};
use crate::source::Source;
use http::request::Parts;
use std::sync::Arc;
use tollward_policy::reason::Reason;

/// A request for something that is served under the name by which it was called.
pub(super) struct Routed {
    pub(super) parts: Parts,
    pub(super) source: Source,
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) destination: Destination,
}

impl Routed {
    /// The route.
    pub(super) fn route(&self) -> &Arc<Route> {
        self.destination.route()
    }
}

/// Finds the destination. A name in Host that is not ours is refused, which stops DNS rebinding.
pub(super) fn route(admitted: Admitted, trail: &mut Trail) -> Result<Routed, Denial> {
    let Admitted { parts, source, snapshot, host } = admitted;
    let candidates = snapshot.at(parts.uri.path());
    if candidates.is_empty() {
        return Err(Denial::new(Reason::RouteNotFound));
    }
    let found = candidates.iter().find(|destination| destination.route().hosts.contains(&host)).cloned();
    let destination = found.ok_or_else(|| Denial::new(Reason::HostNotAllowed))?;
    trail.routed(&destination.route().server, &snapshot.digest);
    Ok(Routed { parts, source, snapshot, destination })
}
