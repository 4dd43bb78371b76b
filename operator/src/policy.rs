//! Reconciles one `RateLimitPolicy`: what became of it at each of its targets.
//!
//! # Flow
//! targets -> their servers, out of the caches -> [`crate::judge`] each (pure) -> what it says about this policy, and what the
//! replicas say about its store ([`exact`]) -> status.
//!
//! The limits themselves are enforced by the reconcile of each server.

mod exact;

use crate::backoff;
use crate::cache::Policy;
use crate::condition::{Verdict, merge};
use crate::context::Context;
use crate::events::tollward_controller;
use crate::judge::judge_server;
use crate::status;
use crate::subject::Subject;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::ListParams;
use kube::core::{ApiResource, DynamicObject};
use kube::{Api, Resource as _, ResourceExt as _};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tollward_api::RateLimitPolicy;
use tollward_api::condition::{ConditionReason, ConditionType};
use tollward_api::ratelimitpolicy::{AncestorStatus, RateLimitPolicyStatus, TargetKind, TargetReference};
use tollward_desired::{Finding, Subject as Fault, compiled_name};

/// Most entries of a status, as the schema has it.
const MAX_ANCESTORS: usize = 16;

/// Looks at one policy. `None` if there is nothing to come back for.
pub async fn reconcile(policy: Arc<Policy>, context: Arc<Context>) -> (Option<Duration>, &'static str) {
    if policy.meta().deletion_timestamp.is_some() {
        return (None, "deleted");
    }
    let (namespace, name) = (policy.namespace().unwrap_or_default(), policy.name_any());
    let uid = policy.uid().unwrap_or_default();
    let (targets, result) = match &policy.0 {
        Ok(readable) => {
            let targets = readable.spec.target_refs.iter();
            let judged = targets.map(|target| (target.clone(), verdicts(readable, target, &context)));
            (judged.collect(), "done")
        }
        Err(invalid) => (unreadable(&namespace, &name, &invalid.error, &context).await, "unreadable"),
    };
    let before = policy.0.as_ref().ok().and_then(|policy| policy.status.clone()).unwrap_or_default();
    let after = compute(&before, targets, policy.meta().generation, &context);
    if after != before {
        let subject = Subject::of::<RateLimitPolicy>(&namespace, &name, Some(uid.clone()));
        if !status::write::<RateLimitPolicy>(&subject, &after, &context).await {
            return (Some(context.attempts.failed(&uid)), "failed");
        }
        context.events.tell(&subject, &all(&before), &all(&after)).await;
    }
    context.attempts.forget(&uid);
    (Some(backoff::resync(&uid, 0)), result)
}

/// What became of a policy at one target. Pure but for the caches and reports.
fn verdicts(policy: &RateLimitPolicy, target: &TargetReference, context: &Context) -> Vec<Verdict> {
    let (namespace, policy_name) = (policy.namespace().unwrap_or_default(), policy.name_any());
    let kind = ConditionType::Accepted;
    let found = match target.kind {
        TargetKind::MCPServer => context.caches.server(&namespace, &target.name),
    };
    let Some(server) = found else {
        let message = format!("spec.targetRefs: MCPServer `{}` does not exist in this namespace", target.name);
        return vec![Verdict::no(kind, ConditionReason::TargetNotFound, message)];
    };
    let Ok(server) = &server.0 else {
        let message = format!("MCPServer `{}` can't be read by this operator; see its status", target.name);
        return vec![Verdict::no(kind, ConditionReason::Unsupported, message)];
    };
    let about = |finding: &Finding| matches!(&finding.subject, Fault::Policy(name) if *name == policy_name);
    let accepted = Verdict::yes(kind, ConditionReason::Accepted, ConditionReason::Accepted.meaning());
    match judge_server(server, &context.caches, &context.install) {
        Ok(judged) => {
            let known_as = compiled_name(&policy_name, target.section_name.as_deref());
            let states = context.book.about_store(judged.validated.identity().uid(), &known_as);
            vec![accepted, exact::exact(&policy.spec, judged.validated.replicas(), &states)]
        }
        Err(findings) => vec![match findings.into_iter().find(about) {
            Some(finding) => Verdict::no(kind, finding.reason, finding.message),
            None => accepted,
        }],
    }
}

fn compute(
    before: &RateLimitPolicyStatus,
    targets: Vec<(TargetReference, Vec<Verdict>)>,
    generation: Option<i64>,
    context: &Context,
) -> RateLimitPolicyStatus {
    let earlier = |target: &TargetReference| -> &[Condition] {
        let same = before.ancestors.iter().find(|ancestor| ancestor.ancestor_ref == *target);
        same.map_or(&[], |ancestor| ancestor.conditions.as_slice())
    };
    let ancestors = targets.into_iter().take(MAX_ANCESTORS).map(|(target, verdicts)| AncestorStatus {
        conditions: merge(earlier(&target), &verdicts, generation, context.clock.now()),
        ancestor_ref: target,
        controller_name: tollward_controller().to_owned(),
    });
    RateLimitPolicyStatus { observed_generation: generation, ancestors: ancestors.collect() }
}

fn all(status: &RateLimitPolicyStatus) -> Vec<Condition> {
    status.ancestors.iter().flat_map(|ancestor| ancestor.conditions.iter().cloned()).collect()
}

/// A policy that this operator can't read is asked for once more, for the names of its targets: that is where its status
/// says so.
async fn unreadable(
    namespace: &str,
    name: &str,
    error: &str,
    context: &Context,
) -> Vec<(TargetReference, Vec<Verdict>)> {
    let resource = ApiResource::erase::<RateLimitPolicy>(&());
    let api: Api<DynamicObject> = Api::namespaced_with(context.client.clone(), namespace, &resource);
    let only = ListParams::default().fields(&format!("metadata.name={name}"));
    let found = api.list(&only).await.ok().and_then(|list| list.items.into_iter().next());
    let targets = found.as_ref().and_then(|object| object.data.pointer("/spec/targetRefs")).and_then(Value::as_array);
    let message =
        format!("this operator can't read the specification: {error}; upgrade the operator, or correct the field");
    let entry = |target: &Value| {
        let reference = TargetReference {
            group: tollward_api::GROUP.to_owned(),
            kind: TargetKind::MCPServer,
            name: target.get("name")?.as_str()?.to_owned(),
            section_name: None,
        };
        let verdict = Verdict::no(ConditionType::Accepted, ConditionReason::Unsupported, message.clone());
        Some((reference, vec![verdict]))
    };
    targets.into_iter().flatten().filter_map(entry).collect()
}
