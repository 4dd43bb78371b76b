//! What is kept of each object, and what of it counts as a change.
//!
//! A kind without a fingerprint has every event count.

use super::CONFIG_DIGEST;
use k8s_openapi::api::core::v1::{Pod, PodStatus};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::{Resource, ResourceExt as _};
use std::hash::{DefaultHasher, Hash, Hasher as _};

/// Drops who manages which field, which is longer than the object.
pub(super) fn unmanaged<K: Resource>(object: &mut K) {
    object.meta_mut().managed_fields = None;
}

/// A pod's name, labels, address and readiness.
pub(super) fn pod(pod: &mut Pod) {
    unmanaged(pod);
    pod.metadata.annotations = pod
        .metadata
        .annotations
        .take()
        .map(|annotations| annotations.into_iter().filter(|(key, _)| key == CONFIG_DIGEST).collect());
    pod.spec = None;
    pod.status = pod.status.take().map(|status| PodStatus {
        phase: status.phase,
        pod_ip: status.pod_ip,
        conditions: status
            .conditions
            .map(|conditions| conditions.into_iter().filter(|condition| condition.type_ == "Ready").collect()),
        ..PodStatus::default()
    });
}

/// Our own kinds change when their specification does, not when their status is written.
pub(super) fn specification<K: Resource>(object: &K) -> u64 {
    let meta = object.meta();
    hash((&meta.uid, meta.generation, meta.deletion_timestamp.is_some()))
}

/// Namespaces matter by their labels.
pub(super) fn labels<K: Resource>(object: &K) -> u64 {
    hash(object.meta().labels.as_ref())
}

/// Pods matter by address and readiness.
pub(super) fn pod_state(pod: &Pod) -> u64 {
    let status = pod.status.as_ref();
    let ready = status
        .and_then(|status| status.conditions.as_ref())
        .map(|conditions| conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True"));
    hash((
        pod.uid(),
        status.and_then(|status| status.pod_ip.as_ref()),
        status.and_then(|status| status.phase.as_ref()),
        ready,
        pod.metadata.deletion_timestamp.is_some(),
    ))
}

/// Slices matter by what they lead to, not by whether that is ready.
pub(super) fn targets(slice: &EndpointSlice) -> u64 {
    let targets: Vec<_> = slice
        .endpoints
        .iter()
        .flatten()
        .map(|endpoint| endpoint.target_ref.as_ref().map(|target| (&target.kind, &target.namespace, &target.name)))
        .collect();
    hash((slice.labels(), targets))
}

fn hash(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
