//! What tenants may not write, with the cluster's own roles: `edit`, to which the chart adds, and less than that.

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, Config};
use serde_json::{Value, json};
use tollward_tests::cluster::{NAMESPACE, OPERATOR, SERVER, Tenant, kubectl, kubectl_as};
use tollward_tests::deadline::eventually;

/// Binds a user to a `ClusterRole` in the namespace.
fn binding(namespace: &str, user: &str, role: &str) -> Value {
    let group = "rbac.authorization.k8s.io";
    json!({
        "apiVersion": format!("{group}/v1"), "kind": "RoleBinding",
        "metadata": {"name": user, "namespace": namespace},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": group, "kind": "User", "name": user}],
    })
}

/// Writes as that user without storing anything; the API server's complaint.
fn complaint(user: &str, object: &Value) -> Option<String> {
    kubectl_as(user, &["create", "--dry-run=server", "-f", "-"], std::slice::from_ref(object)).err()
}

async fn refused_for(user: &str, object: &Value, reason: &str) {
    // Policies and bindings take effect some seconds after they were written.
    eventually(&format!("{user} is told `{reason}`"), async || {
        complaint(user, object).is_some_and(|complaint| complaint.contains(reason))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants_are_kept_to_what_the_installer_allows() {
    let tenant = Tenant::new("e2e-guardrails").await;
    let namespace = tenant.namespace.as_str();
    // The chart's own role is all that the writer has.
    tenant.apply([&binding(namespace, "developer", "edit"), &binding(namespace, "writer", "tollward-edit")]).await;
    let server = tenant.catalog().server;
    let anonymous = tenant
        .catalog()
        .with("/spec/auth", json!({"mode": "None", "rules": [{"name": "all", "match": {"tools": ["*"]}}]}));
    let plain = tenant.catalog().with("/spec/endpoint", json!({"tls": {"mode": "Off"}}));
    refused_for("developer", &anonymous.server, "guardrails.anonymous.allowedNamespaces").await;
    refused_for("developer", &plain.server, "guardrails.plaintext.allowedNamespaces").await;
    refused_for("writer", &server, "needs the right to create Deployments there; writer does not have it").await;
    assert_eq!(complaint("developer", &server), None, "who may run containers may run them behind Tollward");
    let mut relay = server.clone();
    relay["spec"]["source"] = json!({"type": "Service", "service": {"name": "existing", "port": 80}});
    assert_eq!(complaint("writer", &relay), None, "a relay runs nothing of the tenant's");
    refused_for("stranger", &server, "cannot create resource").await;
    tenant.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operators_rights_end_where_the_chart_says() {
    let tenant = Tenant::new("e2e-rights").await;
    tenant.serve(&tenant.catalog()).await;
    let operator = format!("--as=system:serviceaccount:{NAMESPACE}:{OPERATOR}");
    let rights = [
        ("get", "secrets", ""),
        ("list", "secrets", ""),
        ("watch", "secrets", ""),
        ("patch", "secrets", ""),
        ("create", "pods", ""),
        ("delete", "pods", ""),
        ("create", "pods", "exec"),
        ("create", "pods", "attach"),
        ("create", "serviceaccounts", "token"),
        ("patch", "mcpservers.tollward.dev", ""),
        ("delete", "mcpservers.tollward.dev", ""),
        ("create", "rolebindings.rbac.authorization.k8s.io", ""),
        ("impersonate", "serviceaccounts", ""),
    ];
    for (verb, resource, part) in rights {
        let part = format!("--subresource={part}");
        let question = ["auth", "can-i", verb, resource, &part, "--namespace", &tenant.namespace, &operator];
        assert_eq!(kubectl(&question), Err("no".to_owned()), "{verb} {resource} {part}");
    }
    let rights = kubectl(&["auth", "can-i", "--list", "--no-headers", "--namespace", &tenant.namespace, &operator]);
    let rights = rights.expect("the rights are listed");
    let wildcard = rights.lines().find(|line| line.starts_with("*.") || line.ends_with("[*]"));
    assert_eq!(wildcard, None, "{rights}");
    pod_is_out_of_reach(&tenant, &operator).await;
    tenant.end().await;
}

/// Roles let the operator patch pods; a policy keeps it to its one annotation.
async fn pod_is_out_of_reach(tenant: &Tenant, operator: &str) {
    let pods = tenant.pods(SERVER).await;
    let name = pods[0].metadata.name.as_deref().expect("a pod has a name");
    let mut config = Config::infer().await.expect("KUBECONFIG is that of a cluster");
    config.auth_info.impersonate = Some(operator.trim_start_matches("--as=").to_owned());
    let client = Client::try_from(config).expect("a client");
    let pods: Api<Pod> = Api::namespaced(client, &tenant.namespace);
    let dry = PatchParams { dry_run: true, ..PatchParams::default() };
    let patch = async |annotation: &str| {
        let body = json!({"metadata": {"annotations": {annotation: "x"}}});
        pods.patch(name, &dry, &Patch::Merge(&body)).await
    };
    patch("tollward.dev/config-digest").await.expect("the one annotation may be written");
    let error = patch("example.com/other").await.expect_err("no other may").to_string();
    assert!(error.contains("tollward.dev/config-digest"), "{error}");
}
