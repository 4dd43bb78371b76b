//! What an operator survives: an API server that goes away, and objects of a version that it does not know.

use crate::cluster::Cluster;
use crate::world::{World, server};
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

#[tokio::test]
async fn an_outage_of_the_api_server_is_survived_without_removing_anything() {
    let cluster = Cluster::start().await;
    let world = World::new(&cluster, "outage").await;
    let operator = world.operator().await;
    world.put(&server("catalog")).await;
    world.condition("MCPServer", "catalog", "Programmed", "False", "Pending").await;
    operator.more("MCPServer", 2).await;
    operator.requests.take();
    cluster.stop_api_server();
    // It looks at its server again while nothing answers.
    operator.more("MCPServer", 1).await;
    cluster.start_api_server();
    cluster.ready().await;
    world.put(&server("other")).await;
    world.condition("MCPServer", "other", "Programmed", "False", "Pending").await;
    let requests = operator.requests.take();
    assert!(!requests.iter().any(|request| request.starts_with("DELETE")), "{requests:?}");
    assert!(!requests.iter().any(|request| request.contains("catalog")), "nothing about it changed: {requests:?}");
    assert!(world.get("v1", "Service", "catalog-tollward").await.is_some());
    operator.stop().await;
}

/// Lets the API server accept what this operator does not know, as a newer definition would.
async fn widen(world: &World<'_>, name: &str, path: &str, value: Value) {
    let definition =
        json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "x"}});
    let api = crate::cluster::api_of(&world.admin, &definition);
    let edit: json_patch::Patch =
        serde_json::from_value(json!([{"op": "replace", "path": path, "value": value}])).unwrap();
    api.patch(name, &PatchParams::default(), &Patch::<Value>::Json(edit)).await.unwrap();
}

#[tokio::test]
async fn an_object_of_a_newer_version_stops_nothing_and_says_so() {
    let cluster = Cluster::start().await;
    let world = World::new(&cluster, "newer").await;
    let root = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties";
    let kinds = format!("{root}/auth/properties/mode/enum");
    widen(&world, "mcpservers.tollward.dev", &kinds, json!(["OAuth", "None", "Certificates"])).await;
    let dimensions = format!("{root}/limits/items/properties/per/items/enum");
    widen(&world, "ratelimitpolicies.tollward.dev", &dimensions, json!(["Client", "Moon"])).await;
    let operator = world.operator().await;
    world.put(&server("catalog")).await;
    world.condition("MCPServer", "catalog", "Accepted", "True", "Accepted").await;

    let mut newer = server("newer");
    newer["spec"]["auth"]["mode"] = json!("Certificates");
    // The wider definition takes a moment to be in force.
    crate::world::eventually("the newer object is accepted", || async {
        let api = world.api("tollward.dev/v1alpha1", "MCPServer");
        let patch = Patch::Apply(&newer);
        api.patch("newer", &PatchParams::apply("test").force(), &patch).await.ok()
    })
    .await;
    let refused = world.condition("MCPServer", "newer", "Accepted", "False", "Unsupported").await;
    assert!(refused["message"].as_str().unwrap().contains("Certificates"), "{refused}");

    let mut limit = crate::world::policy("limit", "catalog", 10);
    limit["spec"]["limits"][0]["per"] = json!(["Moon"]);
    world.put(&limit).await;
    let refused = world.condition("RateLimitPolicy", "limit", "Accepted", "False", "Unsupported").await;
    assert!(refused["message"].as_str().unwrap().contains("Moon"), "{refused}");
    world.condition("MCPServer", "catalog", "Accepted", "False", "InvalidLimit").await;
    assert!(world.get("v1", "Service", "catalog-tollward").await.is_some(), "what runs keeps running");
    operator.stop().await;
}
