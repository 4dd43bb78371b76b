//! The read-only listeners: probes and metrics for the kubelet and Prometheus, the report for the operator.
//!
//! Nothing here changes anything: no reload, no dump of configuration, no quit.

mod assertion_keys;
mod probes;
mod report;

pub use probes::probes;
pub use report::report;

use crate::state::State;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tollward_telemetry::Telemetry;

/// What the listeners look at.
#[derive(Clone)]
pub struct Observed {
    /// The configuration in force.
    pub state: Arc<State>,
    /// Keys of issuers.
    pub parts: Arc<crate::snapshot::Parts>,
    /// Metrics.
    pub telemetry: Arc<Telemetry>,
    /// Cancelled when the process is to end.
    pub draining: CancellationToken,
    /// Whether a change of the process part waits for a new process.
    pub restart_required: Arc<std::sync::atomic::AtomicBool>,
    /// Who else listens in the pod, where there is a server in it.
    pub sealing: Option<Arc<crate::sealing::Sealing>>,
}

impl Observed {
    /// Why requests would not be served well; empty if they would.
    fn unready(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        if self.draining.is_cancelled() {
            reasons.push("the process is ending".to_owned());
        }
        for route in self.state.last_good().routes() {
            let mut providers = route.authenticator.providers().peekable();
            if providers.peek().is_some() && !providers.any(|provider| provider.ready()) {
                reasons.push(format!("no keys of any identity provider of {}", route.name));
            }
        }
        let now = self.state.clock().unix_seconds();
        for route in self.state.last_good().routes() {
            reasons.extend(route.identity.unready(now).map(|reason| format!("{}: {reason}", route.name)));
        }
        if self.state.current().is_err() {
            reasons.push("a newer configuration could not be read for too long".to_owned());
        }
        reasons
    }
}
