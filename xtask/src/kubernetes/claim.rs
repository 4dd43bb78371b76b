//! Namespaces that we make, use and remove. A label tells them from those of others, also after a run that was killed: what
//! does not carry it is never touched.

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use super::Kubernetes;
use super::release::{self, CUSTOM_RESOURCES, NAMESPACE};
use crate::say;

/// Who made a namespace.
const LABEL: &str = "app.kubernetes.io/managed-by";
const OWNER: &str = "cargo-xtask";

/// Makes the namespaces anew, the chart's own included, after removing what an earlier run left in them.
pub(crate) fn take(kubernetes: &Kubernetes, names: &[&str]) -> Result<()> {
    let all: Vec<&str> = names.iter().copied().chain([NAMESPACE]).collect();
    let mut left = false;
    for name in &all {
        match owner(kubernetes, name)? {
            Owner::Nobody => {}
            Owner::Us => left = true,
            Owner::Others => bail!(
                "the namespace `{name}` is there and was not made by this command, so it is left alone; choose another \
                 cluster, or remove it yourself: {}",
                kubernetes.typed(&format!("kubectl delete namespace {name}"))
            ),
        }
    }
    if left {
        say::line("  removing what an earlier run left");
        remove(kubernetes)?;
    }
    if let Some(definition) = kubernetes.find(&["get", "customresourcedefinition", first_definition()])? {
        let release =
            definition.pointer("/metadata/annotations/meta.helm.sh~1release-namespace").and_then(Value::as_str);
        bail!(
            "Tollward's resource definitions are in this cluster already (of a release in {}), so an installation may be \
             in use; it is left alone",
            release.unwrap_or("an unknown namespace")
        );
    }
    let namespaces: Vec<Value> = all.iter().map(|name| namespace(name)).collect();
    kubernetes.apply("namespaces", &namespaces)
}

/// Removes every namespace that is ours, and with the chart's own the installation in it. What is not ours stays.
pub(crate) fn remove(kubernetes: &Kubernetes) -> Result<()> {
    let ours = format!("--selector={LABEL}={OWNER}");
    let found = kubernetes.get(&["get", "namespaces", &ours, "--output=name"])?;
    let (own, others): (Vec<&str>, Vec<&str>) =
        found.lines().filter_map(|line| line.strip_prefix("namespace/")).partition(|name| *name == NAMESPACE);
    // Servers first, while the operator can still tidy up after them; the chart's namespace last, since it says that all
    // of this is ours.
    delete(kubernetes, &others)?;
    kubernetes.get(&["delete", "clusterrolebindings", &ours, "--ignore-not-found"])?;
    if !own.is_empty() {
        release::uninstall(kubernetes)?;
        delete(kubernetes, &own)?;
    }
    Ok(())
}

fn delete(kubernetes: &Kubernetes, names: &[&str]) -> Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    let deleted = kubernetes.get(&[&["delete", "namespace", "--timeout=180s", "--ignore-not-found"], names].concat());
    deleted.map(drop).with_context(|| format!("a namespace does not end: {}", names.join(", ")))
}

enum Owner {
    Nobody,
    Us,
    Others,
}

fn owner(kubernetes: &Kubernetes, name: &str) -> Result<Owner> {
    let found = kubernetes.find(&["get", "namespace", name])?;
    Ok(found.map_or(Owner::Nobody, |found| if is_ours(&found) { Owner::Us } else { Owner::Others }))
}

fn is_ours(object: &Value) -> bool {
    let labels = object.pointer("/metadata/labels");
    labels.and_then(|labels| labels.get(LABEL)).and_then(Value::as_str) == Some(OWNER)
}

/// The label of what is ours.
pub(crate) fn label() -> Value {
    json!({LABEL: OWNER})
}

/// A namespace of the strictest profile for pods.
fn namespace(name: &str) -> Value {
    let labels = json!({LABEL: OWNER, "pod-security.kubernetes.io/enforce": "restricted"});
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
}

fn first_definition() -> &'static str {
    let [first, ..] = CUSTOM_RESOURCES;
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_is_ours_only_with_our_label() {
        assert!(is_ours(&namespace("shop")));
        assert!(!is_ours(&json!({"metadata": {"name": "shop"}})));
        assert!(!is_ours(&json!({"metadata": {"name": "shop", "labels": {LABEL: "Helm"}}})));
    }
}
