//! What belongs to others stays theirs.

use crate::world::{World, eventually, server};
use serde_json::{Value, json};

#[tokio::test]
async fn a_foreign_object_of_the_needed_name_is_told_and_never_touched() {
    let world = World::shared("names").await;
    let operator = world.operator().await;
    // One of a kind that the operator sees, one of a kind of which it sees only its own.
    for (name, kind, object) in [
        ("seen", "Service", json!({"spec": {"ports": [{"port": 1}]}})),
        ("unseen", "ConfigMap", json!({"data": {"theirs": "1"}})),
    ] {
        let mut object: Value = object;
        object["apiVersion"] = json!("v1");
        object["kind"] = json!(kind);
        object["metadata"] = json!({"name": format!("{name}-tollward")});
        world.put(&object).await;
        let child = format!("{name}-tollward");
        let before = world.get("v1", kind, &child).await.unwrap();
        world.put(&server(name)).await;
        let condition = world.condition("MCPServer", name, "Programmed", "False", "NameConflict").await;
        let message = condition["message"].as_str().unwrap();
        assert!(message.contains(&format!("{kind} {child}")) && message.contains("belongs to nobody"), "{message}");
        assert_eq!(world.get("v1", kind, &child).await.unwrap(), before);
        world.remove("v1", kind, &child).await;
        world.condition("MCPServer", name, "Programmed", "False", "Pending").await;
        let made = world.get("v1", kind, &child).await.unwrap();
        assert_eq!(made["metadata"]["ownerReferences"][0]["name"], name);
    }
    operator.stop().await;
}

#[tokio::test]
async fn of_two_servers_with_one_address_the_older_keeps_it() {
    let world = World::shared("urls").await;
    let operator = world.operator().await;
    let at = |name: &str| {
        let mut server = server(name);
        server["spec"]["endpoint"] = json!({"url": "https://mcp.example.com/mcp"});
        server
    };
    world.put(&at("older")).await;
    world.condition("MCPServer", "older", "Accepted", "True", "Accepted").await;
    // Ages are told in whole seconds, and names break ties: this one would win a tie.
    let older = world.get("tollward.dev/v1alpha1", "MCPServer", "older").await.unwrap();
    eventually("the next second", || async {
        let name = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "clock"}});
        let clock = world.put(&name).await;
        let time = serde_json::to_value(clock.metadata.creation_timestamp).unwrap();
        world.remove("v1", "ConfigMap", "clock").await;
        (time != older["metadata"]["creationTimestamp"]).then_some(())
    })
    .await;
    world.put(&at("a-younger")).await;
    let refused = world.condition("MCPServer", "a-younger", "Accepted", "False", "EndpointConflict").await;
    assert!(refused["message"].as_str().unwrap().contains("urls/older"), "{refused}");
    assert!(world.get("v1", "Service", "a-younger-tollward").await.is_none());
    world.condition("MCPServer", "older", "Accepted", "True", "Accepted").await;
    world.remove("tollward.dev/v1alpha1", "MCPServer", "older").await;
    world.condition("MCPServer", "a-younger", "Accepted", "True", "Accepted").await;
    operator.stop().await;
}

#[tokio::test]
async fn a_status_that_somebody_else_wrote_is_not_believed() {
    use kube::api::{Patch, PatchParams};
    let world = World::shared("statuses").await;
    world.put(&server("catalog")).await;
    let lie = json!({"status": {"policyDigest": "sha256:00", "conditions": [{"type": "Ready", "status": "True", "reason": "Ready",
        "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}]}});
    let api = world.api("tollward.dev/v1alpha1", "MCPServer");
    api.patch_status("catalog", &PatchParams::default(), &Patch::Merge(&lie)).await.unwrap();
    let operator = world.operator().await;
    world.condition("MCPServer", "catalog", "Ready", "False", "Pending").await;
    operator.stop().await;
}
