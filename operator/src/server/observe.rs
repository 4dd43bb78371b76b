//! What runs: the pods' controller as the cache has it, and each replica's own report.
//!
//! Pods are told of a new configuration by an annotation: the kubelet looks at a pod's volumes when the pod changes, instead
//! of once in a minute.

use super::apply::Written;
use super::conclude::{Replica, Running};
use super::want::Wanted;
use crate::cache::CONFIG_DIGEST;
use crate::child::ChildKind;
use crate::context::Context;
use crate::report::{ReportError, ReportTarget};
use futures_util::stream::{self, StreamExt as _};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Patch, PatchParams};
use kube::core::DynamicObject;
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};
use std::sync::Arc;
use tollward_desired::KeyEntry;

/// Most replicas that are asked at once.
const AT_ONCE: usize = 8;

/// Looks at what runs.
pub(super) async fn observe(wanted: &Wanted, written: Written, context: &Context) -> Running {
    let identity = wanted.server.identity();
    let pods: Vec<_> = context
        .caches
        .pods_of(identity.namespace(), identity.uid())
        .into_iter()
        .filter(|pod| is_running(pod))
        .collect();
    let name = report_name(wanted);
    let asked = stream::iter(pods).map(|pod| ask(pod, name.clone(), context)).buffered(AT_ONCE);
    let replicas: Vec<Replica> = asked.collect().await;
    let digest = wanted.configuration.digest();
    for replica in replicas.iter().filter(|replica| !replica.enforces(digest)) {
        tell(identity.namespace(), replica, digest, context).await;
    }
    let reports = replicas.iter().filter_map(|replica| Some((replica.pod.as_str(), replica.answer.as_ref().ok()?)));
    for provider in context.book.put(identity.uid(), reports) {
        if let Some((namespace, name)) = provider.split_once('/') {
            context.queues.providers.push(namespace, name);
        }
    }
    let deployment = wanted.children.deployment.name_any();
    let deployment = context.caches.child(ChildKind::Deployment, identity.namespace(), &deployment);
    let running = running(wanted, written, replicas, deployment.as_deref());
    if running.is_rolled_out() {
        context.retiring.finish(identity.namespace(), identity.uid(), &context.client).await;
    }
    running
}

fn running(wanted: &Wanted, written: Written, replicas: Vec<Replica>, deployment: Option<&DynamicObject>) -> Running {
    let number = |path: &str| deployment.and_then(|object| object.data.pointer(path)).and_then(Value::as_i64);
    let generation = deployment.and_then(|object| object.metadata.generation);
    let count = |path: &str| number(path).unwrap_or_default();
    Running {
        written,
        digest: wanted.configuration.digest().to_owned(),
        url: wanted.server.endpoint().url().as_str().to_owned(),
        audience: wanted.server.audience().map(str::to_owned),
        providers: wanted
            .server
            .providers()
            .iter()
            .map(|provider| (provider.name().to_owned(), provider.issuer().to_owned()))
            .collect(),
        wanted: i64::from(wanted.children.deployment.spec.replicas.unwrap_or(1)),
        updated: count("/status/updatedReplicas"),
        available: count("/status/availableReplicas"),
        total: count("/status/replicas"),
        seen: generation.is_some() && generation == number("/status/observedGeneration"),
        replicas,
    }
}

fn is_running(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    pod.metadata.deletion_timestamp.is_none() && !matches!(phase, Some("Succeeded" | "Failed"))
}

async fn ask(pod: Arc<Pod>, name: String, context: &Context) -> Replica {
    let address =
        pod.status.as_ref().and_then(|status| status.pod_ip.as_ref()).and_then(|address| address.parse().ok());
    let answer = match address {
        Some(address) => context.reports.fetch(&ReportTarget { address, name }).await,
        None => Err(ReportError::NotStarted),
    };
    Replica { pod: pod.name_any(), told: pod.annotations().get(CONFIG_DIGEST).cloned(), answer }
}

/// Tells a pod's kubelet to look, once for each configuration.
async fn tell(namespace: &str, replica: &Replica, digest: &str, context: &Context) {
    if replica.told.as_deref() == Some(digest) || replica.answer.is_err() {
        return;
    }
    let api: Api<Pod> = Api::namespaced(context.client.clone(), namespace);
    let patch = json!({"metadata": {"annotations": {CONFIG_DIGEST: digest}}});
    let result = api.patch_metadata(&replica.pod, &PatchParams::default(), &Patch::Merge(&patch)).await;
    if let Err(error) = result {
        // The kubelet looks by itself within a minute or two.
        tracing::debug!(pod = replica.pod, %error, "a pod could not be told of its configuration");
    }
}

/// The name in the certificate of a server's report listener.
fn report_name(wanted: &Wanted) -> String {
    let mut certificates = wanted.keys.secret.entries.iter().filter_map(|entry| match entry {
        KeyEntry::Certificate { certificate, private_key: _, names } if certificate == "report.crt" => names.first(),
        KeyEntry::Certificate { .. } | KeyEntry::Session { .. } | KeyEntry::ClientAuthority { .. } => None,
    });
    certificates.next_back().cloned().unwrap_or_default()
}
