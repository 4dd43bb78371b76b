//! A server's status: computed purely, written if it differs, told as events where a condition changed.

use super::conclude::{Outcome, Running, Trusted};
use crate::cache::Server;
use crate::condition::{Verdict, merge};
use crate::context::Context;
use crate::status;
use crate::subject::Subject;
use jiff::Timestamp;
use kube::{Resource as _, ResourceExt as _};
use tollward_api::MCPServer;
use tollward_api::mcpserver::{EndpointStatus, MCPServerStatus, ProviderStatus, ReplicaStatus};

/// Most replicas in a status, as the schema has it.
const MAX_REPLICAS: usize = 100;

/// Writes the status if it differs. False if that failed.
pub(super) async fn write(server: &Server, outcome: &Outcome, verdicts: &[Verdict], context: &Context) -> bool {
    let before = server.0.as_ref().ok().and_then(|server| server.status.clone()).unwrap_or_default();
    let generation = server.meta().generation;
    let after = compute(&before, outcome, verdicts, generation, context.clock.now());
    let subject = Subject::of::<MCPServer>(&server.namespace().unwrap_or_default(), &server.name_any(), server.uid());
    if after == before {
        return true;
    }
    let written = status::write::<MCPServer>(&subject, &after, context).await;
    if written {
        context.events.tell(&subject, &before.conditions, &after.conditions).await;
    }
    written
}

fn compute(
    before: &MCPServerStatus,
    outcome: &Outcome,
    verdicts: &[Verdict],
    generation: Option<i64>,
    now: Timestamp,
) -> MCPServerStatus {
    let conditions = merge(&before.conditions, verdicts, generation, now);
    match outcome {
        // What runs is not looked at, and stays as it was.
        Outcome::Unreadable(_) | Outcome::Refused(_) | Outcome::Unwritten(_) => {
            MCPServerStatus { observed_generation: generation, conditions, ..before.clone() }
        }
        Outcome::Written(running) => of_running(running, generation, conditions),
    }
}

fn of_running(
    running: &Running,
    observed_generation: Option<i64>,
    conditions: tollward_api::condition::Conditions,
) -> MCPServerStatus {
    MCPServerStatus {
        observed_generation,
        conditions,
        endpoints: vec![EndpointStatus { url: running.url.clone(), audience: running.audience.clone() }],
        identity_providers: running
            .providers
            .iter()
            .map(|Trusted { name, issuer, generation }| ProviderStatus {
                name: name.clone(),
                issuer: issuer.clone(),
                generation: Some(*generation),
            })
            .collect(),
        policy_digest: Some(running.digest.clone()),
        replicas: running
            .replicas
            .iter()
            .take(MAX_REPLICAS)
            .map(|replica| ReplicaStatus {
                pod: replica.pod.clone(),
                policy_digest: replica.digest().map(str::to_owned),
            })
            .collect(),
    }
}
