//! Reconciles one `MCPServer`.
//!
//! # Flow
//! [`crate::judge`] (whether it makes sense, with what it depends on) -> [`want`] (what should exist, pure) -> [`apply`]
//! (writes what differs) -> [`observe`] (asks the replicas) -> [`conclude`] (conditions, pure) -> [`status`] (writes it) -> [`next`]
//! (when to come back, pure).
//!
//! # Guarantees
//! - Status is written on every path, failures included, and only when it changed.
//! - A specification that is not accepted leaves everything that runs as it is, but for whom its providers deny ([`deny`]).
//! - An object that is not the server's own is never overwritten or deleted.
//! - While nothing changes, nothing is asked of the API server.

mod apply;
mod conclude;
mod deny;
mod keys;
mod next;
mod observe;
mod status;
mod want;

pub use apply::{ApplyError, Written};
pub use conclude::{Outcome, Running};

use crate::backoff;
use crate::cache::Server;
use crate::context::Context;
use crate::judge::judge_server;
use kube::{Resource as _, ResourceExt as _};
use next::Next;
use std::sync::Arc;
use std::time::Duration;
use tollward_api::MCPServer;

/// How long one look may take. What is left is done by the next one.
const DEADLINE: Duration = Duration::from_mins(1);

/// Looks at one server. `None` if there is nothing to come back for.
pub async fn reconcile(server: Arc<Server>, context: Arc<Context>) -> (Option<Duration>, &'static str) {
    let uid = server.uid().unwrap_or_default();
    if server.meta().deletion_timestamp.is_some() {
        // Children go with their owner, and what is remembered once it is gone.
        return (None, "deleted");
    }
    let outcome = match tokio::time::timeout(DEADLINE, look(&server, &context)).await {
        Ok(outcome) => outcome,
        Err(_) => Outcome::Unwritten(ApplyError::Unreachable {
            what: format!("MCPServer {}", server.name_any()),
            message: format!("no end after {} seconds", DEADLINE.as_secs()),
        }),
    };
    let kept = deny::carry(&server, &outcome, &context).await;
    let verdicts = conclude::verdicts(&outcome);
    let written = status::write(&server, &outcome, kept.as_ref(), &verdicts, &context).await;
    let pause = match next::next(&outcome, kept.as_ref(), written) {
        Next::Resync => {
            let round = context.attempts.count(&uid);
            context.attempts.forget(&uid);
            backoff::resync(&uid, round)
        }
        Next::Watch => {
            context.attempts.forget(&uid);
            backoff::watch(&uid)
        }
        Next::Ask { news } => {
            if news {
                // Replicas have something new to do, whatever they were slow with before.
                context.attempts.forget(&uid);
            }
            context.attempts.waits(&uid)
        }
        Next::Retry => context.attempts.failed(&uid),
    };
    // What replicas share may change although nothing happens.
    let share = context.sharing.next_look(&uid, context.clock.now());
    (Some(share.map_or(pause, |share| pause.min(share))), outcome.result())
}

/// The stages. Every way out is an outcome, so that the status can tell it.
async fn look(server: &Server, context: &Context) -> Outcome {
    let server: &MCPServer = match &server.0 {
        Ok(server) => server,
        Err(invalid) => return Outcome::Unreadable(invalid.error.clone()),
    };
    let validated = match judge_server(server, &context.caches, &context.install) {
        Ok(validated) => validated,
        Err(findings) => return Outcome::Refused(findings),
    };
    let wanted = match want::want(validated, context) {
        Ok(wanted) => wanted,
        Err(want::WantError::Findings(findings)) => return Outcome::Refused(findings),
        Err(want::WantError::Keys(error)) => return Outcome::Unwritten(ApplyError::keys(&error)),
    };
    let written = match apply::apply(&wanted, context).await {
        Ok(written) => written,
        Err(error) => return Outcome::Unwritten(error),
    };
    Outcome::Written(observe::observe(&wanted, written, context).await)
}
