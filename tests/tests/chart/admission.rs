//! The chart's policies and roles on a real API server.

use serde_json::{Value, json};

use super::api_server::{
    ADMINISTRATOR, DEPLOYER, MESH, OPERATOR, RESTRICTED, SANDBOX, SERVER, SHOP, TENANT, mcp_server,
};
use super::helm::{self, NAMESPACE};

const CREATE: &[&str] = &["create", "--filename=-"];
const MERGE: &str = "--type=merge";

/// One that needs no right to create Deployments.
fn in_front_of_a_service(namespace: &str) -> Value {
    let mut server = mcp_server(namespace, "catalog");
    server["spec"]["source"] = json!({"type": "Service", "service": {"name": "backend", "port": 80}});
    server
}

fn anonymous(namespace: &str) -> Value {
    let mut server = in_front_of_a_service(namespace);
    server["spec"]["auth"] = json!({"mode": "None"});
    server
}

fn plain(namespace: &str) -> Value {
    let mut server = in_front_of_a_service(namespace);
    server["spec"]["endpoint"] = json!({"tls": {"mode": "Off"}});
    server
}

fn object(kind: &str, namespace: &str, name: &str, metadata: &Value) -> Value {
    let mut object = json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": namespace}});
    let fields = object["metadata"].as_object_mut().expect("metadata");
    fields.extend(metadata.as_object().expect("metadata").clone());
    object
}

#[test]
fn the_api_server_accepts_the_chart_in_every_variant() {
    let variants = [
        &[][..],
        &["replicas=2"],
        &[r#"watchNamespaces=["shop","sandbox"]"#],
        &["guardrails.enabled=false"],
        &[
            r#"otlp.endpoint="http://collector:4317""#,
            r#"dial.allow=[{"cidr":"10.96.0.0/12","scheme":"https"}]"#,
            r#"networkPolicy.metricsFrom=[{"podSelector":{}}]"#,
            "crds.keep=false",
        ],
        &[
            "valkey.enabled=true",
            r#"valkey.namespaces={"shop":["catalog"]}"#,
            r#"valkey.service.clusterIP="10.96.0.50""#,
            "valkey.persistence.enabled=true",
        ],
    ];
    for settings in variants {
        let objects: Vec<Value> = helm::render(settings).into_iter().map(|object| object.value).collect();
        // Fields that the server does not know are refused, too.
        SERVER.acceptance(ADMINISTRATOR, &["apply", "--server-side", "--force-conflicts", "--filename=-"], &objects);
    }
}

#[test]
fn the_operator_s_pod_is_admitted_where_only_restricted_pods_are() {
    let objects = helm::render(&[]);
    let template = &helm::find(&objects, "Deployment", "tollward-operator").value["spec"]["template"];
    let mut pod = object("Pod", RESTRICTED, "operator", &json!({}));
    pod["spec"] = template["spec"].clone();
    SERVER.acceptance(ADMINISTRATOR, CREATE, &[pod.clone()]);
    pod["spec"]["containers"][0]["securityContext"] = json!({});
    SERVER.refusal(ADMINISTRATOR, CREATE, &[pod], "violates PodSecurity");
}

#[test]
fn the_examples_of_the_catalogue_entry_are_accepted() {
    let chart: Value = serde_saphyr::from_str(&helm::text("charts/tollward/Chart.yaml")).expect("YAML");
    let text = chart["annotations"]["artifacthub.io/crdsExamples"].as_str().expect("a text");
    let mut examples: Vec<Value> = serde_saphyr::from_str(text).expect("YAML");
    assert!(!examples.is_empty());
    for example in &mut examples {
        example["metadata"]["namespace"] = SHOP.into();
    }
    SERVER.acceptance(DEPLOYER, CREATE, &examples);
}

#[test]
fn a_server_for_anybody_is_refused_outside_of_the_named_namespaces() {
    let reason = "guardrails.anonymous.allowedNamespaces";
    for user in [TENANT, DEPLOYER, ADMINISTRATOR] {
        SERVER.refusal(user, CREATE, &[anonymous(SHOP)], reason);
    }
    SERVER.refusal(TENANT, CREATE, &[anonymous(MESH)], reason);
    SERVER.acceptance(TENANT, CREATE, &[anonymous(SANDBOX)]);
    SERVER.acceptance(TENANT, CREATE, &[in_front_of_a_service(SHOP)]);
}

#[test]
fn plain_http_is_refused_outside_of_the_named_namespaces() {
    let reason = "guardrails.plaintext.allowedNamespaces";
    SERVER.refusal(TENANT, CREATE, &[plain(SHOP)], reason);
    SERVER.refusal(TENANT, CREATE, &[plain(SANDBOX)], reason);
    SERVER.acceptance(TENANT, CREATE, &[plain(MESH)]);
}

#[test]
fn a_guardrail_can_not_be_passed_by_a_later_change() {
    let mut server = in_front_of_a_service(SHOP);
    server["metadata"]["name"] = "later".into();
    SERVER.kubectl(TENANT, CREATE, &[server]).expect("it breaks no rule");
    let patch = |change: &Value| format!("--patch={change}");
    let table = [
        (json!({"spec": {"auth": {"mode": "None", "identityProviders": null}}}), "guardrails.anonymous"),
        (json!({"spec": {"endpoint": {"tls": {"mode": "Off"}}}}), "guardrails.plaintext"),
        (json!({"spec": {"source": mcp_server(SHOP, "x")["spec"]["source"]}}), "the right to create Deployments"),
    ];
    for (mut change, reason) in table {
        if reason.starts_with("the right") {
            change["spec"]["source"]["service"] = Value::Null;
        }
        let arguments = ["patch", "mcps", "later", "--namespace=shop", MERGE, &patch(&change)];
        SERVER.refusal(TENANT, &arguments, &[], reason);
    }
}

#[test]
fn a_workload_needs_the_right_to_create_deployments_there() {
    let reason = "tenant does not have it";
    SERVER.refusal(TENANT, CREATE, &[mcp_server(SHOP, "catalog")], reason);
    SERVER.acceptance(DEPLOYER, CREATE, &[mcp_server(SHOP, "catalog")]);
    SERVER.acceptance(TENANT, CREATE, &[in_front_of_a_service(SHOP)]);
}

#[test]
fn what_was_there_before_the_guardrails_can_be_changed_and_released_but_runs_nothing_new() {
    let change = |patch: &Value| {
        ["patch", "mcps", "old", "--namespace=shop", MERGE, &format!("--patch={patch}")].map(str::to_owned)
    };
    let image = change(&json!({"spec": {"source": {"workload": {"image": "registry.example.com/miner:1"}}}}));
    SERVER.refusal(TENANT, &image.each_ref().map(String::as_str), &[], "tenant does not have it");
    for allowed in [
        json!({"metadata": {"finalizers": ["example.com/wait"]}}),
        json!({"spec": {"auth": {"mode": "OAuth", "identityProviders": [{"name": "company"}]}}}),
    ] {
        SERVER.acceptance(TENANT, &change(&allowed).each_ref().map(String::as_str), &[]);
    }
}

#[test]
fn the_operator_may_change_one_annotation_of_pods_and_nothing_else() {
    let mut pod =
        object("Pod", SHOP, "catalog", &json!({"annotations": {"kept": "yes"}, "labels": {"app": "catalog"}}));
    pod["spec"] = json!({"containers": [{"name": "server", "image": "registry.example.com/catalog:1"}]});
    SERVER.kubectl(ADMINISTRATOR, CREATE, &[pod.clone()]).expect("a pod");
    let patch = |kind: &str, change: &Value| {
        ["patch", "pod", "catalog", "--namespace=shop", kind, &format!("--patch={change}")].map(str::to_owned)
    };
    let digest = "tollward.dev/config-digest";
    let one = format!("no annotation of a pod but {digest}");
    let nothing = format!("nothing of a pod but the annotation {digest}");
    let table = [
        (json!({"metadata": {"annotations": {"other": "x"}}}), &one),
        (json!({"metadata": {"annotations": {"kept": "no"}}}), &one),
        (json!({"metadata": {"annotations": {"kept": null}}}), &one),
        (json!({"metadata": {"annotations": {"prometheus.io/scrape": "true", digest: "x"}}}), &one),
        (json!({"metadata": {"labels": {"app": "other"}}}), &nothing),
        (json!({"metadata": {"finalizers": ["example.com/wait"]}}), &nothing),
        (json!({"spec": {"activeDeadlineSeconds": 1}}), &nothing),
        (json!({"spec": {"containers": [{"name": "server", "image": "registry.example.com/miner:1"}]}}), &nothing),
    ];
    for (change, reason) in table {
        let kind = if change.get("spec").is_some() { "--type=strategic" } else { MERGE };
        SERVER.refusal(OPERATOR, &patch(kind, &change).each_ref().map(String::as_str), &[], reason);
    }
    for change in [json!({digest: "sha256:1"}), json!({digest: "sha256:2"}), json!({digest: null})] {
        let change = json!({"metadata": {"annotations": change}});
        SERVER.acceptance(OPERATOR, &patch(MERGE, &change).each_ref().map(String::as_str), &[]);
    }
}

#[test]
fn the_operator_deletes_and_changes_only_what_is_its_own() {
    let owner = json!({"apiVersion": "tollward.dev/v1alpha1", "kind": "MCPServer", "name": "old", "uid": "1"});
    let foreign_owner = json!({"apiVersion": "example.com/v1", "kind": "MCPServer", "name": "old", "uid": "1"});
    let marked = json!({"labels": {"app.kubernetes.io/managed-by": "tollward-operator"}});
    let objects = [
        object("ConfigMap", SHOP, "foreign", &json!({"labels": {"app.kubernetes.io/managed-by": "Helm"}})),
        object("ConfigMap", SHOP, "alike", &json!({"ownerReferences": [foreign_owner]})),
        object("ConfigMap", SHOP, "labelled", &marked),
        object("ConfigMap", SHOP, "owned", &json!({"ownerReferences": [owner]})),
        object("Secret", SHOP, "foreign", &json!({})),
        object("Secret", SHOP, "labelled", &marked),
        object("ConfigMap", NAMESPACE, "tollward-ca", &json!({})),
        object("ConfigMap", NAMESPACE, "foreign", &json!({})),
    ];
    SERVER.kubectl(ADMINISTRATOR, CREATE, &objects).expect("objects");
    let delete = |kind, name| ["delete", kind, name, "--namespace=shop"];
    for (kind, name) in [("configmap", "foreign"), ("configmap", "alike"), ("secret", "foreign")] {
        SERVER.refusal(OPERATOR, &delete(kind, name), &[], "it is not its own");
    }
    for (kind, name) in [("configmap", "labelled"), ("configmap", "owned"), ("secret", "labelled")] {
        SERVER.acceptance(OPERATOR, &delete(kind, name), &[]);
    }
    let change = |name, namespace| ["patch", "configmap", name, namespace, MERGE, r#"--patch={"data":{"a":"b"}}"#];
    SERVER.refusal(OPERATOR, &change("foreign", "--namespace=shop"), &[], "it is not its own");
    SERVER.refusal(OPERATOR, &change("foreign", "--namespace=tollward-system"), &[], "it is not its own");
    SERVER.acceptance(OPERATOR, &change("owned", "--namespace=shop"), &[]);
    SERVER.acceptance(OPERATOR, &change("tollward-ca", "--namespace=tollward-system"), &[]);
    // Others are not the policy's business.
    SERVER.acceptance(ADMINISTRATOR, &delete("configmap", "foreign"), &[]);
}

#[test]
fn the_api_server_reads_the_operator_s_roles_as_we_do() {
    let table = [
        ("yes", "create", "deployments.apps", "", SHOP),
        ("yes", "patch", "mcpservers.tollward.dev", "status", SHOP),
        ("yes", "create", "secrets", "", SHOP),
        ("yes", "get", "secrets/tollward-root", "", NAMESPACE),
        ("yes", "update", "leases.coordination.k8s.io/tollward-operator", "", NAMESPACE),
        ("no", "list", "secrets", "", SHOP),
        ("no", "list", "secrets", "", NAMESPACE),
        ("no", "get", "secrets/other", "", NAMESPACE),
        ("no", "patch", "secrets", "", SHOP),
        ("no", "create", "pods", "exec", SHOP),
        ("no", "create", "pods", "", SHOP),
        ("no", "create", "pods", "eviction", SHOP),
        ("no", "patch", "pods", "ephemeralcontainers", SHOP),
        ("no", "patch", "mcpservers.tollward.dev", "", SHOP),
        ("no", "update", "leases.coordination.k8s.io/other", "", NAMESPACE),
        ("no", "create", "rolebindings.rbac.authorization.k8s.io", "", SHOP),
        ("no", "create", "serviceaccounts", "token", SHOP),
    ];
    for (expected, verb, resource, part, namespace) in table {
        let (namespace, part) = (format!("--namespace={namespace}"), format!("--subresource={part}"));
        // The command fails to say no.
        let answer = SERVER
            .kubectl(OPERATOR, &["auth", "can-i", verb, resource, &namespace, &part], &[])
            .unwrap_or_else(|no| no);
        assert!(answer.starts_with(expected), "{verb} {resource} {part} {namespace}: {answer}");
    }
}
