//! The operator comes and goes; what it made stays as it is.

use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, ListParams};
use kube::{Api, ResourceExt as _};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Instant;
use tollward_tests::cluster::{LIMIT, NAMESPACE, Object, SERVER, Tenant, tell};
use tollward_tests::deadline::eventually_within;

/// What the operator made, and the pods that came of it.
async fn made(tenant: &Tenant) -> BTreeMap<String, Object> {
    let mut found = tenant.inventory().await;
    found.retain(|_, object| object.manager == "tollward-operator");
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_operator_finds_nothing_to_change() {
    let tenant = Tenant::alone("e2e-restart").await;
    tenant.serve(&tenant.catalog().replicas(2)).await;
    let before = made(&tenant).await;
    for kind in
        ["ServiceAccount", "ConfigMap", "Secret", "Deployment", "Service", "NetworkPolicy", "PodDisruptionBudget"]
    {
        let count = before.keys().filter(|name| name.split_once('/').is_some_and(|(own, _)| own == kind)).count();
        assert_eq!(count, 1, "one {kind}: {before:#?}");
    }
    let door = tenant.door(SERVER).await;

    let pods: Api<Pod> = Api::namespaced(tenant.client.clone(), NAMESPACE);
    let old = pods.list(&ListParams::default()).await.expect("pods are listed").items;
    tenant.installation.nothing_was_forbidden(&tenant.client).await;
    for pod in &old {
        pods.delete(&pod.name_any(), &DeleteParams::default()).await.expect("a pod may be deleted");
    }
    let started = Instant::now();
    eventually_within(LIMIT, "another operator leads", async || {
        let now = pods.list(&ListParams::default()).await.expect("pods are listed").items;
        let fresh = now.iter().all(|pod| old.iter().all(|other| other.uid() != pod.uid()));
        let log = tenant.installation.operator_log(&tenant.client).await;
        fresh && log.iter().any(|line| line.contains("\"leading\""))
    })
    .await;
    tell(&format!(
        "from the end of the operator's pod to another one that leads: {:.1} s",
        started.elapsed().as_secs_f64()
    ));
    let token = door.token().mint();
    assert_eq!(door.tool(&token, "get_product", json!({"sku": "TEA-001"})).await.status, 200);

    // A server that it makes ready shows that it has been through its list.
    let mut other = tenant.catalog();
    for object in [&mut other.server, &mut other.provider, &mut other.limits] {
        let name = format!("other-{}", object["metadata"]["name"].as_str().expect("a name"));
        object["metadata"]["name"] = json!(name);
    }
    other = other.with("/spec/auth/identityProviders", json!([{"name": "other-catalog-idp"}]));
    other.limits["spec"]["targetRefs"] = json!([{"name": "other-catalog"}]);
    tenant.apply(other.objects()).await;
    tenant.ready("other-catalog").await;
    let mut after = made(&tenant).await;
    after.retain(|name, _| !name.contains("/other-catalog"));
    assert_eq!(after, before);
    tenant.end().await;
}
