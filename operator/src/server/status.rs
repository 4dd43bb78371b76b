//! A server's status: computed purely, written if it differs, told as events where a condition changed.

use super::conclude::{Outcome, Replica, Running, Trusted};
use super::deny::Kept;
use crate::cache::Server;
use crate::condition::{Verdict, merge};
use crate::context::Context;
use crate::status;
use crate::subject::Subject;
use kube::{Resource as _, ResourceExt as _};
use tollward_api::MCPServer;
use tollward_api::mcpserver::{EndpointStatus, MCPServerStatus, ProviderStatus, ReplicaStatus};
use tollward_desired::DeniedProvider;

/// Most replicas in a status, as the schema has it.
const MAX_REPLICAS: usize = 100;

/// Writes the status if it differs. False if that failed. What is kept is known where nothing new was written.
pub(super) async fn write(
    server: &Server,
    outcome: &Outcome,
    kept: Option<&Kept>,
    verdicts: &[Verdict],
    context: &Context,
) -> bool {
    let before = server.0.as_ref().ok().and_then(|server| server.status.clone()).unwrap_or_default();
    let generation = server.meta().generation;
    let conditions = merge(&before.conditions, verdicts, generation, context.clock.now());
    let after = MCPServerStatus { observed_generation: generation, conditions, ..compute(&before, outcome, kept) };
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

/// All but generation and conditions.
fn compute(before: &MCPServerStatus, outcome: &Outcome, kept: Option<&Kept>) -> MCPServerStatus {
    match outcome {
        Outcome::Unreadable(_) | Outcome::Refused(_) | Outcome::Unwritten(_) => {
            kept.map_or_else(|| before.clone(), |kept| of_kept(before, kept))
        }
        Outcome::Written(running) => of_running(running),
    }
}

/// Where clients reach it, and what else was compiled, is as it was.
fn of_kept(before: &MCPServerStatus, kept: &Kept) -> MCPServerStatus {
    let compiled = |name: &str| before.identity_providers.iter().find(|provider| provider.name == name)?.generation;
    let trusted = |DeniedProvider { name, issuer, generation }: &DeniedProvider| ProviderStatus {
        name: name.clone(),
        issuer: issuer.clone(),
        generation: compiled(name),
        deny_generation: *generation,
    };
    let unknown = |provider: &ProviderStatus| ProviderStatus { deny_generation: None, ..provider.clone() };
    MCPServerStatus {
        identity_providers: match &kept.providers {
            Some(providers) => providers.iter().map(trusted).collect(),
            None => before.identity_providers.iter().map(unknown).collect(),
        },
        policy_digest: kept.digest.clone(),
        replicas: replicas(&kept.replicas, kept.digest.as_deref()),
        ..before.clone()
    }
}

fn of_running(running: &Running) -> MCPServerStatus {
    MCPServerStatus {
        observed_generation: None,
        conditions: Vec::new(),
        endpoints: vec![EndpointStatus { url: running.url.clone(), audience: running.audience.clone() }],
        identity_providers: running
            .providers
            .iter()
            .map(|Trusted { name, issuer, generation }| ProviderStatus {
                name: name.clone(),
                issuer: issuer.clone(),
                generation: Some(*generation),
                deny_generation: Some(*generation),
            })
            .collect(),
        policy_digest: Some(running.digest.clone()),
        replicas: replicas(&running.replicas, Some(&running.digest)),
    }
}

/// Of more than fit, those that are behind come first: who reads that all of these enforce it must not miss one that does not.
fn replicas(all: &[Replica], digest: Option<&str>) -> Vec<ReplicaStatus> {
    let of = |replica: &Replica| ReplicaStatus {
        pod: replica.pod.clone(),
        policy_digest: replica.digest().map(str::to_owned),
    };
    if all.len() <= MAX_REPLICAS {
        return all.iter().map(of).collect();
    }
    let is_behind = |replica: &&Replica| replica.digest() != digest;
    let (behind, done) = (all.iter().filter(is_behind), all.iter().filter(|replica| !is_behind(replica)));
    behind.chain(done).take(MAX_REPLICAS).map(of).collect()
}
