//! Objects that more than one command makes, each fit for the strictest profile for pods. Pure.

use serde_json::{Value, json};

/// The pod that tries images out.
pub(super) const TRIAL: &str = "images";

/// What a container must say of itself in a restricted namespace.
pub(crate) fn restricted() -> Value {
    json!({
        "runAsNonRoot": true, "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
        "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"},
    })
}

/// A pod with a container of each image. What the programs do there is of no interest: they get no settings and no rights.
/// `pull` is the policy: after one failed pull a kubelet does not believe in an image that was loaded later, so images that
/// come from files must never be pulled.
pub(super) fn trial<'a>(namespace: &str, pull: &str, images: impl Iterator<Item = (&'a str, &'a str)>) -> Value {
    let containers: Vec<Value> = images
        .map(|(name, image)| {
            json!({"name": name, "image": image, "imagePullPolicy": pull, "securityContext": restricted()})
        })
        .collect();
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": TRIAL, "namespace": namespace},
        "spec": {
            "restartPolicy": "Never", "automountServiceAccountToken": false, "enableServiceLinks": false,
            "terminationGracePeriodSeconds": 0, "containers": containers,
        },
    })
}
