//! Of several operators, one writes.

use crate::world::{Requests, World, eventually, server};
use kube::api::{Patch, PatchParams};
use serde_json::json;
use tollward_operator::leadership::ByLease;
use tollward_operator::run::RunError;

async fn candidate(world: &World<'_>, name: &str) -> Box<ByLease> {
    let client = world.operator_client(&Requests::default());
    Box::new(ByLease::join(client, &format!("{}-system", world.namespace), name).await.unwrap())
}

#[tokio::test]
async fn a_standby_takes_over_when_the_leader_ends() {
    let world = World::shared("turns").await;
    let first = world.operator_led(candidate(&world, "first").await).await;
    first.ready().await;
    world.put(&server("catalog")).await;
    world.condition("MCPServer", "catalog", "Programmed", "False", "Pending").await;
    let second = world.operator_led(candidate(&world, "second").await).await;
    second.ready().await;
    assert_eq!(second.reconciles("MCPServer"), 0, "a standby only watches");
    first.stop().await;
    world.put(&server("other")).await;
    world.condition("MCPServer", "other", "Programmed", "False", "Pending").await;
    assert!(second.reconciles("MCPServer") > 0);
    second.stop().await;
}

#[tokio::test]
async fn an_operator_that_lost_its_lease_ends_with_an_error() {
    let world = World::shared("thieves").await;
    let operator = world.operator_led(candidate(&world, "first").await).await;
    operator.more("MCPServer", 0).await;
    world.put(&server("catalog")).await;
    world.condition("MCPServer", "catalog", "Programmed", "False", "Pending").await;
    let lease = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": "tollward-operator", "namespace": "thieves-system"},
        "spec": {"holderIdentity": "thief", "renewTime": "2999-01-01T00:00:00.000000Z", "leaseDurationSeconds": 30}});
    let api = crate::cluster::api_of(&world.admin, &lease);
    api.patch("tollward-operator", &PatchParams::default(), &Patch::Merge(&lease)).await.unwrap();
    eventually("the operator ends", || async { operator.task.is_finished().then_some(()) }).await;
    let result = operator.task.await.unwrap();
    assert!(matches!(result, Err(RunError::LeaseLost)), "{result:?}");
}
