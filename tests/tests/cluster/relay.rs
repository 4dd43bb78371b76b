//! A relay in front of a server that somebody else deployed.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Service;
use serde_json::{Value, json};
use tollward_policy::reason::Reason;
use tollward_tests::cluster::{LIMIT, SERVER, Tenant, condition};
use tollward_tests::deadline::eventually_within;

/// The example server as a team had it before Tollward: a Deployment and a Service.
fn existing(namespace: &str, image: &Value) -> [Value; 2] {
    let labels = json!({"app": "legacy"});
    let security = json!({
        "runAsNonRoot": true, "runAsUser": 65532, "allowPrivilegeEscalation": false,
        "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"},
    });
    let host = format!("legacy.{namespace}.svc.cluster.local:8080");
    let container = json!({
        "name": "catalog", "image": image, "securityContext": security,
        "env": [{"name": "HOST", "value": "0.0.0.0"}, {"name": "PORT", "value": "3000"}, {"name": "ALLOWED_HOSTS", "value": host}],
        "readinessProbe": {"tcpSocket": {"port": 3000}, "periodSeconds": 1},
    });
    [
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "legacy", "namespace": namespace},
            "spec": {
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {"automountServiceAccountToken": false, "containers": [container]},
                },
            },
        }),
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "legacy", "namespace": namespace},
            "spec": {"selector": labels, "ports": [{"port": 8080, "targetPort": 3000}]},
        }),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_guards_an_existing_service_and_leaves_it_when_it_goes() {
    let tenant = Tenant::new("e2e-relay").await;
    let mut manifests = tenant.catalog();
    let image = manifests.server["spec"]["source"]["workload"]["image"].clone();
    manifests = manifests.with("/spec/source", json!({"type": "Service", "service": {"name": "legacy", "port": 8080}}));
    manifests.server["spec"]["sealing"] = json!({"mode": "BestEffort"});

    // The server is declared first: it waits for the Service, and says so.
    tenant.apply(manifests.objects()).await;
    let lost = |server: &tollward_api::MCPServer| {
        condition(server, "ResolvedRefs")
            .is_some_and(|(status, reason, _)| status == "False" && reason == "TargetNotFound")
    };
    tenant.server("the Service is missed", SERVER, lost).await;
    tenant.apply(&existing(&tenant.namespace, &image)).await;
    let server = tenant.ready(SERVER).await;
    let (status, reason, _) = condition(&server, "Sealed").expect("it says whether it is sealed");
    assert_eq!((status.as_str(), reason.as_str()), ("False", "UpstreamReachable"));

    let door = tenant.door(SERVER).await;
    let reader = door.token().mint();
    let found = door.tool(&reader, "get_product", json!({"sku": "TEA-001"})).await;
    assert!(found.status == 200 && found.text().contains("Assam Breakfast"), "{} {}", found.status, found.text());
    let refused = door.tool(&reader, "add_to_cart", json!({"sku": "TEA-001", "quantity": 1})).await;
    assert_eq!(refused.reason(), Reason::ScopeInsufficient.code(), "{}", refused.text());
    assert_eq!(door.tool("no-token", "get_product", json!({})).await.status, 401);

    tenant.delete(SERVER).await;
    eventually_within(LIMIT, "the relay is gone", async || {
        !tenant.inventory().await.keys().any(|name| name.contains("-tollward"))
    })
    .await;
    tenant.api::<Deployment>().get("legacy").await.expect("the Deployment is not Tollward's to delete");
    tenant.api::<Service>().get("legacy").await.expect("nor is the Service");
    tenant.end().await;
}
