//! The operator's rights, as the chart gives them. What is not here, it can't do: a test that needs more fails.

use crate::cluster::OPERATOR;
use serde_json::{Value, json};

/// What there is once.
pub(crate) fn cluster() -> Vec<Value> {
    let may = |group: &str, resources: &[&str], verbs: &[&str]| json!({"apiGroups": [group], "resources": resources, "verbs": verbs});
    let child = ["get", "list", "watch", "create", "patch", "delete"];
    let ours = "tollward.dev";
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": OPERATOR},
        "rules": [
            may(ours, &["mcpservers", "ratelimitpolicies", "identityproviders"], &["list", "watch"]),
            may(ours, &["mcpservers/status", "ratelimitpolicies/status", "identityproviders/status"], &["patch"]),
            may(ours, &["mcpservers/finalizers"], &["update"]),
            may("", &["serviceaccounts", "configmaps", "services"], &child),
            may("", &["secrets"], &["create", "delete"]),
            may("", &["pods"], &["list", "watch", "patch"]),
            may("", &["namespaces"], &["list", "watch"]),
            may("apps", &["deployments"], &child),
            may("networking.k8s.io", &["networkpolicies"], &child),
            may("policy", &["poddisruptionbudgets"], &child),
            may("discovery.k8s.io", &["endpointslices"], &["list", "watch"]),
            may("events.k8s.io", &["events"], &["create", "patch"]),
        ],
    });
    vec![role, binding("ClusterRoleBinding", "ClusterRole", None)]
}

/// What the operator has in its own namespace.
pub(crate) fn own(namespace: &str) -> Vec<Value> {
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
        "metadata": {"name": OPERATOR, "namespace": namespace},
        "rules": [
            {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["tollward-root"], "verbs": ["get"]},
            {"apiGroups": [""], "resources": ["secrets"], "verbs": ["create"]},
            {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["tollward-ca"], "verbs": ["patch"]},
            {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["create"]},
            {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "resourceNames": ["tollward-operator"],
             "verbs": ["get", "list", "watch", "update", "patch"]},
            {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["create"]},
        ],
    });
    vec![role, binding("RoleBinding", "Role", Some(namespace))]
}

fn binding(kind: &str, role: &str, namespace: Option<&str>) -> Value {
    let mut binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": {"name": OPERATOR},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": role, "name": OPERATOR},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": OPERATOR}],
    });
    if let Some(namespace) = namespace {
        binding["metadata"]["namespace"] = json!(namespace);
    }
    binding
}
