//! Writes what differs from what should exist, and removes what should exist no more.
//!
//! # Guarantees
//! - One server-side apply per object that differs, none for others: an unchanged server costs no request.
//! - An object is made only where there is none, and changed only while it is the one that was seen: neither a foreign object
//!   nor one that took its place meanwhile is overwritten.
//! - The order of `ChildKind::ALL`: protection first, exposure last.
//!
//! # Why the resource version of a new object is set
//! An apply with a resource version changes only an object of just that version, and makes one where there is none. `"1"` is
//! no object's version, so this makes or fails: one request where a look before would take two, and leave a gap.

mod decide;
mod error;
mod prune;

pub use error::ApplyError;

use super::want::Wanted;
use crate::child::{ChildKind, controller};
use crate::context::{Context, FIELD_MANAGER};
use decide::{Decision, decide, marked};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Patch, PatchParams, PostParams};
use kube::core::DynamicObject;
use kube::{Api, ResourceExt as _};
use serde::Serialize;
use serde_json::{Value, json};
use tollward_desired::names::{CONFIG_KEY, POLICY_DIGEST};
use tollward_desired::{Children, Configuration};

/// The volume with keys.
const KEYS_VOLUME: &str = "tollward-keys";

/// What was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    /// Kinds and names of what was made or changed.
    pub changed: Vec<String>,
    /// Whether the configuration was among it.
    pub configuration: bool,
}

/// One object that should exist.
struct Step {
    kind: ChildKind,
    name: String,
    object: Value,
}

/// Writes what differs.
pub(super) async fn apply(wanted: &Wanted, context: &Context) -> Result<Written, ApplyError> {
    let steps = steps(&wanted.children)?;
    let (namespace, uid) = (wanted.server.identity().namespace(), wanted.server.identity().uid());
    let place = Place { namespace, uid, context };
    let mut written = Written::default();
    for step in &steps {
        if place.write(step).await? {
            written.changed.push(format!("{} {}", step.kind.name(), step.name));
            written.configuration |= step.kind == ChildKind::ConfigMap;
        }
        // Keys come right after the identity: pods can't start without them.
        if step.kind == ChildKind::ServiceAccount && place.make_keys(wanted).await? {
            written.changed.push("Secret with keys".to_owned());
        }
    }
    let names: Vec<_> = steps.iter().map(|step| (step.kind, step.name.as_str())).collect();
    prune::prune(&place, &names).await?;
    Ok(written)
}

/// Writes a changed configuration into the object that has the former one, and changes nothing else.
pub(super) async fn rewrite(
    live: &DynamicObject,
    configuration: &Configuration,
    uid: &str,
    context: &Context,
) -> Result<(), ApplyError> {
    let (kind, name, namespace) = (ChildKind::ConfigMap, live.name_any(), live.namespace().unwrap_or_default());
    let owners = live.metadata.owner_references.iter().flatten().filter(|owner| owner.uid == uid);
    let object = json!({
        "apiVersion": "v1",
        "kind": kind.name(),
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": live.metadata.labels,
            "annotations": {POLICY_DIGEST: configuration.digest()},
            "ownerReferences": owners.collect::<Vec<_>>(),
        },
        "data": {CONFIG_KEY: configuration.text()},
    });
    let place = Place { namespace: &namespace, uid, context };
    place.write(&Step { kind, name, object: marked(object) }).await.map(drop)
}

/// Every child as JSON, in the order in which they are written. A new field of `Children` must be dealt with here.
fn steps(children: &Children) -> Result<Vec<Step>, ApplyError> {
    let Children { service_account, config_map, keys: _, deployment, service, network_policy, pod_disruption_budget } =
        children;
    let mut steps = vec![
        step(ChildKind::ServiceAccount, service_account)?,
        step(ChildKind::ConfigMap, config_map)?,
        step(ChildKind::NetworkPolicy, network_policy)?,
    ];
    if let Some(budget) = pod_disruption_budget {
        steps.push(step(ChildKind::PodDisruptionBudget, budget)?);
    }
    steps.push(step(ChildKind::Deployment, deployment)?);
    steps.push(step(ChildKind::Service, service)?);
    Ok(steps)
}

fn step<K: Serialize + kube::Resource>(kind: ChildKind, object: &K) -> Result<Step, ApplyError> {
    let name = object.name_any();
    let value = serde_json::to_value(object)
        .map_err(|error| ApplyError::Refused { what: format!("{} {name}", kind.name()), message: error.to_string() })?;
    Ok(Step { kind, name, object: marked(value) })
}

/// Whose objects, and how they are written.
struct Place<'a> {
    namespace: &'a str,
    uid: &'a str,
    context: &'a Context,
}

impl Place<'_> {
    fn api(&self, kind: ChildKind) -> Api<DynamicObject> {
        Api::namespaced_with(self.context.client.clone(), self.namespace, &kind.resource())
    }

    /// Writes one object if it differs. True if it did.
    async fn write(&self, step: &Step) -> Result<bool, ApplyError> {
        let live = self.context.caches.child(step.kind, self.namespace, &step.name);
        match decide(&step.object, live.as_deref(), self.uid) {
            Decision::Keep => Ok(false),
            Decision::Foreign => Err(ApplyError::foreign(step.kind, live.as_deref(), &step.name)),
            Decision::Going => Err(ApplyError::going(step.kind, &step.name)),
            Decision::Change { uid } => self.patch(step, json!({"uid": uid})).await.map(|()| true),
            Decision::Make => match self.patch(step, json!({"resourceVersion": "1"})).await {
                Err(error @ (ApplyError::Moved { .. } | ApplyError::Refused { .. })) => {
                    self.occupied(step, error).await
                }
                result => result.map(|()| true),
            },
        }
    }

    async fn patch(&self, step: &Step, fence: Value) -> Result<(), ApplyError> {
        let mut object = step.object.clone();
        if let (Some(Value::Object(metadata)), Value::Object(fence)) = (object.get_mut("metadata"), fence) {
            metadata.extend(fence);
        }
        let parameters = PatchParams::apply(FIELD_MANAGER).force();
        let result = self.api(step.kind).patch(&step.name, &parameters, &Patch::Apply(&object)).await;
        result.map(drop).map_err(|error| ApplyError::of(&format!("{} {}", step.kind.name(), step.name), error))
    }

    /// Perhaps something stands where an object was to be made: our own, which the cache does not have yet, or a foreign one,
    /// which an admission policy may keep from being touched.
    async fn occupied(&self, step: &Step, refusal: ApplyError) -> Result<bool, ApplyError> {
        let what = format!("{} {}", step.kind.name(), step.name);
        let live = self.api(step.kind).get_opt(&step.name).await.map_err(|error| ApplyError::of(&what, error))?;
        match live {
            Some(live) if controller(&live) == Some(self.uid) => {
                let uid = live.uid().unwrap_or_default();
                self.patch(step, json!({"uid": uid})).await.map(|()| true)
            }
            Some(live) => Err(ApplyError::foreign(step.kind, Some(&live), &step.name)),
            None => Err(refusal),
        }
    }

    /// Makes the Secret with keys, unless pods use it already: it was made before they were told to.
    async fn make_keys(&self, wanted: &Wanted) -> Result<bool, ApplyError> {
        let name = &wanted.keys.secret.name;
        let deployment = &wanted.children.deployment.name_any();
        let live = self.context.caches.child(ChildKind::Deployment, self.namespace, deployment);
        let ours = live.as_deref().filter(|live| controller(live) == Some(self.uid));
        // Pods that wait for something may wait for a Secret that somebody deleted.
        let waiting = ours.is_some_and(is_waiting) && self.context.attempts.count(self.uid) > 0;
        self.context.retiring.keep(self.uid, name);
        for old in ours.iter().flat_map(|live| keys_of(live)).filter(|old| old != name) {
            self.context.retiring.begin(self.uid, &old);
        }
        if ours.is_some_and(|live| keys_of(live).contains(name)) && !waiting {
            return Ok(false);
        }
        let secret = wanted.keys.make(&self.context.authority, self.context.clock.now());
        let secret = secret.map_err(|error| ApplyError::keys(&error))?;
        let api: Api<Secret> = Api::namespaced(self.context.client.clone(), self.namespace);
        match api.create(&PostParams::default(), &secret).await {
            Ok(_) => Ok(true),
            // Only this operator can foresee the name, so it is its own.
            Err(kube::Error::Api(status)) if status.code == 409 && status.reason == "AlreadyExists" => Ok(false),
            Err(error) => Err(ApplyError::of("Secret with keys", error)),
        }
    }
}

/// The Secrets with keys that the pods of a Deployment mount.
fn keys_of(deployment: &DynamicObject) -> Vec<String> {
    let volumes = deployment.data.pointer("/spec/template/spec/volumes").and_then(Value::as_array);
    let ours = |volume: &&Value| volume.get("name").and_then(Value::as_str) == Some(KEYS_VOLUME);
    let named = |volume: &Value| volume.pointer("/secret/secretName").and_then(Value::as_str).map(str::to_owned);
    volumes.into_iter().flatten().filter(ours).filter_map(named).collect()
}

fn is_waiting(deployment: &DynamicObject) -> bool {
    let number = |path| deployment.data.pointer(path).and_then(Value::as_i64).unwrap_or_default();
    number("/status/replicas") > number("/status/availableReplicas")
}
