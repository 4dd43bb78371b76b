//! Pods that are replaced, that can't start, and that crash: callers notice none of it, and the policy holds.

use crate::limits::are_shown_after_a_crash;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tollward_policy::reason::Reason;
use tollward_tests::client::Wire;
use tollward_tests::cluster::{Door, LIMIT, SERVER, Tenant, condition, crash, tell, tool};
use tollward_tests::deadline::eventually_within;

/// A caller that never stops, on a new connection for each call.
struct Caller {
    stop: Arc<AtomicBool>,
    calls: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<Vec<String>>,
}

impl Caller {
    fn start(door: Door) -> Self {
        let (stop, calls) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (stopping, counted) = (Arc::clone(&stop), Arc::clone(&calls));
        let task = tokio::spawn(async move {
            let mut lost = Vec::new();
            while !stopping.load(Ordering::Relaxed) {
                let number = counted.fetch_add(1, Ordering::Relaxed);
                // Each as a user of its own, so that no limit comes in between.
                let token = door.token().subject(&format!("caller-{number}")).mint();
                let call = tool(&token, "get_product", &json!({"sku": "TEA-001"}));
                match door.try_send(Wire::ALL[number % 2], call).await {
                    Ok(reply) if reply.status == 200 => {}
                    Ok(reply) => lost.push(format!("call {number}: {} {}", reply.status, reply.text())),
                    Err(error) => lost.push(format!("call {number}: {error}")),
                }
            }
            lost
        });
        Self { stop, calls, task }
    }

    /// How many calls there were, and what became of those that got no good answer.
    async fn end(self) -> (usize, Vec<String>) {
        self.stop.store(true, Ordering::Relaxed);
        let lost = self.task.await.expect("a caller does not panic");
        (self.calls.load(Ordering::Relaxed), lost)
    }
}

/// True once every pod is of the newest template and no other is left.
fn is_rolled_out(deployment: &Deployment, count: i32) -> bool {
    let status = deployment.status.clone().unwrap_or_default();
    let numbers = [status.updated_replicas, status.available_replicas, status.replicas];
    status.observed_generation == deployment.metadata.generation && numbers == [Some(count); 3]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollout_loses_no_call() {
    let tenant = Tenant::new("e2e-rollout").await;
    let manifests = tenant.catalog().replicas(2);
    tenant.serve(&manifests).await;
    let before: Vec<_> = tenant.pods(SERVER).await.iter().filter_map(Pod::uid).collect();
    let caller = Caller::start(tenant.door(SERVER).await);

    let changed = manifests.with("/spec/source/workload/resources/requests/memory", json!("33Mi"));
    tenant.apply([&changed.server]).await;
    let name = format!("{SERVER}-tollward");
    let replaced = |found: Option<&Deployment>| {
        found.is_some_and(|found| found.metadata.generation > Some(1) && is_rolled_out(found, 2))
    };
    tenant.until("the pods are replaced", &name, replaced).await;
    tenant.ready(SERVER).await;
    eventually_within(LIMIT, "the old pods are gone", async || {
        let now = tenant.inventory().await;
        !now.values().any(|object| before.contains(&object.uid))
    })
    .await;
    let (calls, lost) = caller.end().await;
    tell(&format!("calls while two pods were replaced by others: {calls}, of which {} were lost", lost.len()));
    assert!(calls > 20, "{calls} calls");
    assert!(lost.is_empty(), "{} of {calls} calls were lost: {lost:#?}", lost.len());
    tenant.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_can_not_start_leaves_the_old_one_serving() {
    let tenant = Tenant::new("e2e-broken").await;
    let manifests = tenant.catalog();
    tenant.serve(&manifests).await;
    let before: Vec<_> = tenant.pods(SERVER).await.iter().filter_map(Pod::uid).collect();
    let door = tenant.door(SERVER).await;
    let broken = manifests.clone().with("/spec/source/workload/image", json!("ghcr.io/tollward/no-such-image:1"));
    tenant.apply([&broken.server]).await;
    let waits = |server: &tollward_api::MCPServer| {
        let ready = condition(server, "Ready");
        ready.is_some_and(|(status, _, _)| status == "False")
    };
    tenant.server("status says that a replica is missing", SERVER, waits).await;
    let token = door.token().mint();
    assert_eq!(door.tool(&token, "get_product", json!({"sku": "TEA-001"})).await.status, 200);
    let now: Vec<_> = tenant.pods(SERVER).await.iter().filter_map(Pod::uid).collect();
    assert_eq!(now, before);
    tenant.apply([&manifests.server]).await;
    tenant.ready(SERVER).await;
    tenant.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sidecar_that_crashed_comes_back_with_its_policy() {
    let tenant = Tenant::new("e2e-crash").await;
    tenant.serve(&tenant.catalog()).await;
    let pod = tenant.pods(SERVER).await.remove(0);
    let door = tenant.door(SERVER).await;
    crash(&pod, "tollward");
    let restarted = |pod: Option<&Pod>| {
        let status = pod.and_then(|pod| pod.status.clone()).unwrap_or_default();
        let sidecar = status.init_container_statuses.into_iter().flatten().find(|one| one.name == "tollward");
        let server = status.container_statuses.into_iter().flatten().next();
        let again = sidecar.is_some_and(|one| one.restart_count == 1 && one.ready);
        again && server.is_some_and(|one| one.restart_count == 0 && one.ready)
    };
    tenant.until("the sidecar runs again, beside the same server", &pod.name_any(), restarted).await;
    tenant.ready(SERVER).await;
    let door = tenant.door(SERVER).await.at(door.address);
    let token = door.token().mint();
    assert_eq!(door.tool(&token, "get_product", json!({"sku": "TEA-001"})).await.status, 200);
    let refused = door.tool(&token, "add_to_cart", json!({"sku": "TEA-001", "quantity": 1})).await;
    assert_eq!(refused.reason(), Reason::ScopeInsufficient.code(), "{}", refused.text());
    assert_eq!(door.tool("no-token", "get_product", json!({})).await.status, 401);
    are_shown_after_a_crash(&tenant).await;
    tenant.end().await;
}
