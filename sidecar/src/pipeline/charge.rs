//! How often, and how many at once: every limit that matches is charged, or none.

use super::authorize::Permitted;
use super::occupy::occupy;
use crate::denial::Denial;
use crate::limiter::{Cause, Standing};
use std::time::Duration;
use tollward_policy::limits::Counted;
use tollward_policy::reason::Reason;

/// When to come back to a store that does not count.
const RETRY: Duration = Duration::from_secs(1);

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

/// Counts the call. Places come first: they give themselves back, so that nothing is charged for a call that has none.
pub(super) async fn charge(mut permitted: Permitted) -> Result<Charged, Denial> {
    occupy(&mut permitted)?;
    let understood = &mut permitted.resumed.understood;
    let route = understood.route.clone();
    let mut standings = std::mem::take(&mut understood.before);
    let operation = understood.message.operation();
    let counted = Counted {
        principal: &understood.principal,
        operation,
        target_known: route.knows(&operation.target),
        server: &route.name,
        address: &understood.address,
    };
    let id = || understood.message.id().map(|id| id.as_json().to_owned());
    let held = match route.limiter.hold(&route.limits.holds(&counted)) {
        Ok(held) => held,
        Err(refused) => {
            standings.extend(refused);
            return Err(Denial::new(Reason::RateLimited).standings(standings).id(id()));
        }
    };
    standings.extend(held.standings);
    match route.limiter.charge(&route.limits.charges(&counted)).await {
        Ok(charged) => standings.extend(charged),
        Err(refusal) => {
            standings.extend(refusal.standings);
            let denial = Denial::new(refusal.cause.reason()).standings(standings).id(id());
            return Err(match refusal.cause {
                Cause::Unavailable(class) => denial.record(format!("the store failed: {class}")).retry_after(RETRY),
                Cause::Exceeded | Cause::Full => denial,
            });
        }
    }
    understood.place.keep(held.permits);
    Ok(Charged { permitted, standings })
}
