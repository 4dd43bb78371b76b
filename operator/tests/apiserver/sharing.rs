//! Limits are divided among the replicas that live, as the configuration says that pods are given.

use crate::world::{World, eventually, policy, server};
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use tollward_operator::sharing::CALM;

/// Makes a ready pod of the server as the controller manager and a kubelet would.
async fn pod(world: &World<'_>, name: &str, address: &str) {
    let deployment =
        eventually("pods are wanted", || async { world.get("apps/v1", "Deployment", "catalog-tollward").await }).await;
    let labels = &deployment["spec"]["template"]["metadata"]["labels"];
    let object = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels},
        "spec": {"containers": [{"name": "server", "image": "x"}]}});
    world.put(&object).await;
    runs(world, name, address).await;
}

async fn runs(world: &World<'_>, name: &str, address: &str) {
    let status = json!({"status": {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}],
        "conditions": [{"type": "Ready", "status": "True"}]}});
    world.api("v1", "Pod").patch_status(name, &PatchParams::default(), &Patch::Merge(&status)).await.unwrap();
}

/// The number in the configuration; one is not written.
async fn number(world: &World<'_>) -> Option<u64> {
    let object = world.get("v1", "ConfigMap", "catalog-tollward").await?;
    let config: Value = serde_json::from_str(object["data"]["config-v1.json"].as_str()?).ok()?;
    Some(config["routes"][0]["replicas"].as_u64().unwrap_or(1))
}

async fn becomes(world: &World<'_>, wanted: u64, what: &str) {
    eventually(what, || async { (number(world).await? == wanted).then_some(()) }).await;
}

#[tokio::test]
async fn the_replicas_that_live_share_the_limits() {
    let world = World::shared("sharing").await;
    let operator = world.operator().await;
    let with = |replicas: u32| {
        let mut object = server("catalog");
        object["spec"]["source"]["workload"]["replicas"] = json!(replicas);
        object
    };
    world.put(&policy("limit", "catalog", 100)).await;
    world.put(&with(2)).await;
    becomes(&world, 2, "the specification's number, before there are pods").await;
    pod(&world, "catalog-tollward-0", "192.0.2.10").await;
    operator.more("MCPServer", 2).await;
    assert_eq!(number(&world).await, Some(2), "the other one may be about to come");

    world.clock.advance(i64::try_from(CALM.as_secs()).unwrap() + 1);
    runs(&world, "catalog-tollward-0", "192.0.2.11").await;
    becomes(&world, 1, "the one that lives has the whole limit").await;
    pod(&world, "catalog-tollward-1", "192.0.2.12").await;
    becomes(&world, 2, "the other one came back").await;

    // The specification's number is in force before it makes pods, and for as long as they live.
    world.put(&with(4)).await;
    becomes(&world, 4, "more are wanted").await;
    pod(&world, "catalog-tollward-2", "192.0.2.13").await;
    world.put(&with(1)).await;
    eventually("the deployment is told", || async {
        let deployment = world.get("apps/v1", "Deployment", "catalog-tollward").await?;
        (deployment["spec"]["replicas"] == json!(1)).then_some(())
    })
    .await;
    operator.more("MCPServer", 1).await;
    assert_eq!(number(&world).await, Some(4), "three still have their parts");
    operator.stop().await;
}
