//! How often: every limit that matches is charged, or none.

use super::authorize::Permitted;
use crate::address::network_of;
use crate::denial::Denial;
use crate::limiter::Standing;
use tollward_policy::limits::Counted;
use tollward_policy::reason::Reason;

/// A call that was decided, counted and may go upstream.
pub(super) struct Charged {
    pub(super) permitted: Permitted,
    pub(super) standings: Vec<Standing>,
}

impl Charged {
    /// The rule that let it pass.
    pub(super) fn rule(&self) -> Option<&str> {
        self.permitted.rule.as_deref()
    }

    /// How the limits stand.
    pub(super) fn standings(&self) -> &[Standing] {
        &self.standings
    }

    /// The JSON-RPC id as raw JSON.
    pub(super) fn request_id(&self) -> Option<String> {
        self.permitted.resumed.understood.message.id().map(|id| id.as_json().to_owned())
    }
}

/// Counts the call.
pub(super) fn charge(permitted: Permitted) -> Result<Charged, Denial> {
    let understood = &permitted.resumed.understood;
    let route = &understood.route;
    let id = || understood.message.id().map(|id| id.as_json().to_owned());
    let operation = understood.message.operation();
    let address = network_of(understood.peer);
    let counted = Counted {
        principal: &understood.principal,
        operation,
        target_known: route.knows(&operation.target),
        server: &route.name,
        address: &address,
    };
    match route.limiter.charge(&route.limits.charges(&counted)) {
        Ok(standings) => Ok(Charged { permitted, standings }),
        Err(standings) => Err(Denial::new(Reason::RateLimited).standings(standings).id(id())),
    }
}
