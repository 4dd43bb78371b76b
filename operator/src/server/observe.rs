//! What runs: the pods' controller as the cache has it, and each replica's own report, whether what should run is new or kept.
//!
//! Pods are told of a new configuration by an annotation: the kubelet looks at a pod's volumes when the pod changes, instead
//! of once in a minute. A pod that can't be asked is told as well, and none waits for another: a change may be a revocation.

use super::apply::Written;
use super::conclude::{Replica, Running, Trusted};
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
use std::time::Duration;
use tollward_desired::names::report_name;
use tollward_desired::validate::ProviderPlan;

/// Most replicas that are asked at once.
const AT_ONCE: usize = 8;
/// How long an answer may take before the pod is told without it.
const PATIENCE: Duration = Duration::from_millis(300);
/// Looks after which a pod that is still behind is told again, doubled each time: its kubelet may have looked before the new
/// configuration had reached it.
const FIRST_REMINDER: u32 = 4;

/// Looks at what runs.
pub(super) async fn observe(wanted: &Wanted, written: Written, context: &Context) -> Running {
    let identity = wanted.server.identity();
    let digest = wanted.configuration.digest();
    let replicas = Asking {
        namespace: identity.namespace(),
        name: identity.name(),
        uid: identity.uid(),
        digest,
        news: written.configuration,
        context,
    }
    .all()
    .await;
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
        providers: providers(wanted.server.providers()),
        upstream_auth: Box::new(wanted.server.upstream_auth().clone()),
        shape: wanted.server.shape().clone(),
        sealing: wanted.server.sealing(),
        shares_counts: wanted.server.rate_limits().iter().any(|limits| limits.store.is_some()),
        wanted: i64::from(wanted.children.deployment.spec.replicas.unwrap_or(1)),
        updated: count("/status/updatedReplicas"),
        available: count("/status/availableReplicas"),
        total: count("/status/replicas"),
        seen: generation.is_some() && generation == number("/status/observedGeneration"),
        replicas,
    }
}

/// Names and issuers. A provider with several tenants is named once, with the issuer that clients are told of first.
fn providers(plans: &[ProviderPlan]) -> Vec<Trusted> {
    let trusted = |plan: &ProviderPlan| Trusted {
        name: plan.key().to_owned(),
        issuer: plan.issuer().to_owned(),
        generation: plan.generation(),
    };
    let mut list: Vec<_> = plans.iter().map(trusted).collect();
    list.dedup_by(|later, earlier| later.name == earlier.name);
    list
}

fn is_running(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    pod.metadata.deletion_timestamp.is_none() && !matches!(phase, Some("Succeeded" | "Failed"))
}

/// What is asked of each replica of a server.
pub(super) struct Asking<'a> {
    pub(super) namespace: &'a str,
    pub(super) name: &'a str,
    pub(super) uid: &'a str,
    /// The digest that it should enforce.
    pub(super) digest: &'a str,
    /// Whether this look wrote the configuration.
    pub(super) news: bool,
    pub(super) context: &'a Context,
}

impl Asking<'_> {
    /// Asks every replica, and notes what they say about providers and policies.
    pub(super) async fn all(&self) -> Vec<Replica> {
        let asked = stream::iter(self.pods()).map(|pod| self.look(pod)).buffer_unordered(AT_ONCE);
        let mut replicas: Vec<Replica> = asked.collect().await;
        replicas.sort_by(|one, other| one.pod.cmp(&other.pod));
        let reports = replicas.iter().filter_map(|replica| Some((replica.pod.as_str(), replica.answer.as_ref().ok()?)));
        let changed = self.context.book.put(self.uid, reports);
        for (namespace, name) in changed.providers.iter().filter_map(|provider| provider.split_once('/')) {
            self.context.queues.providers.push(namespace, name);
        }
        for policy in &changed.policies {
            self.context.queues.policies.push(self.namespace, policy);
        }
        replicas
    }

    /// The replicas where there is nothing to ask them about.
    pub(super) fn none(&self) -> Vec<Replica> {
        let unasked = |pod: Arc<Pod>| Replica { pod: pod.name_any(), answer: Err(ReportError::NotStarted) };
        self.pods().into_iter().map(unasked).collect()
    }

    fn pods(&self) -> Vec<Arc<Pod>> {
        let pods = self.context.caches.pods_of(self.namespace, self.uid);
        pods.into_iter().filter(|pod| is_running(pod)).collect()
    }

    /// Asks a replica, and tells it if it is behind, or does not answer at once and may be.
    async fn look(&self, pod: Arc<Pod>) -> Replica {
        let address =
            pod.status.as_ref().and_then(|status| status.pod_ip.as_ref()).and_then(|address| address.parse().ok());
        let name = pod.name_any();
        let Some(address) = address else {
            return Replica { pod: name, answer: Err(ReportError::NotStarted) };
        };
        let told = pod.annotations().get(CONFIG_DIGEST).map(String::as_str);
        let target = ReportTarget { address, name: report_name(self.namespace, self.name) };
        let mut answer = self.context.reports.fetch(&target);
        let at_once = tokio::time::timeout(PATIENCE, &mut answer).await.ok();
        let unknown = !matches!(at_once, Some(Ok(_)));
        let tell_unseen = unknown && self.may_be_behind(told);
        if tell_unseen {
            tell(self.context, self.namespace, &name, self.digest).await;
        }
        let answer = match at_once {
            Some(answer) => answer,
            None => answer.await,
        };
        let replica = Replica { pod: name, answer };
        if replica.answer.is_ok() && !replica.enforces(self.digest) && !tell_unseen {
            self.remind(&replica.pod, told).await;
        }
        replica
    }

    /// Whether a pod that does not answer should be told. One that starts needs not: it begins with what is there.
    fn may_be_behind(&self, told: Option<&str>) -> bool {
        self.news || told.is_some_and(|told| !self.is_about(told))
    }

    /// Once for each configuration, and again in growing distances while that does not help.
    async fn remind(&self, pod: &str, told: Option<&str>) {
        if !told.is_some_and(|told| self.is_about(told)) {
            tell(self.context, self.namespace, pod, self.digest).await;
            return;
        }
        // How many looks found replicas behind since the configuration was new.
        let looks = self.context.attempts.count(self.uid);
        if looks >= FIRST_REMINDER && looks.is_power_of_two() {
            tell(self.context, self.namespace, pod, &format!("{}#{looks}", self.digest)).await;
        }
    }

    fn is_about(&self, told: &str) -> bool {
        told.split('#').next() == Some(self.digest)
    }
}

/// Changes a pod, so that its kubelet looks.
async fn tell(context: &Context, namespace: &str, pod: &str, text: &str) {
    let api: Api<Pod> = Api::namespaced(context.client.clone(), namespace);
    let patch = json!({"metadata": {"annotations": {CONFIG_DIGEST: text}}});
    let result = api.patch_metadata(pod, &PatchParams::default(), &Patch::Merge(&patch)).await;
    if let Err(error) = result {
        // The kubelet looks by itself within a minute or two.
        tracing::debug!(pod, %error, "a pod could not be told of its configuration");
    }
}
