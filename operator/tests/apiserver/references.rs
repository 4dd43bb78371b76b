//! Targets of policies, and Services behind relays.

use crate::world::{World, eventually, policy, server};
use serde_json::{Value, json};

#[tokio::test]
async fn a_policy_says_of_each_target_what_became_of_it() {
    let world = World::shared("targets").await;
    let operator = world.operator().await;
    world.put(&server("there")).await;
    let mut both = policy("limit", "there", 10);
    both["spec"]["targetRefs"] = json!([{"name": "there"}, {"name": "missing"}]);
    world.put(&both).await;
    let ancestors = eventually("both targets are judged", || async {
        let object = world.get("tollward.dev/v1alpha1", "RateLimitPolicy", "limit").await?;
        let ancestors = object["status"]["ancestors"].as_array()?.clone();
        let reason = |index: usize| ancestors.get(index).map(|it| it["conditions"][0]["reason"].clone());
        (reason(0) == Some(json!("Accepted")) && reason(1) == Some(json!("TargetNotFound"))).then_some(ancestors)
    })
    .await;
    assert_eq!(ancestors[0]["controllerName"], "tollward.dev/operator");
    world.put(&server("missing")).await;
    eventually("both targets accept it", || async {
        let object = world.get("tollward.dev/v1alpha1", "RateLimitPolicy", "limit").await?;
        let ancestors = object["status"]["ancestors"].as_array()?.clone();
        ancestors.iter().all(|it| it["conditions"][0]["status"] == "True").then_some(())
    })
    .await;
    world.condition("RateLimitPolicy", "limit", "Exact", "True", "OneReplica").await;
    let mut two = server("there");
    two["spec"]["source"]["workload"]["replicas"] = json!(2);
    world.put(&two).await;
    let shared = world.condition("RateLimitPolicy", "limit", "Exact", "False", "SharedByReplicas").await;
    assert!(shared["message"].as_str().unwrap().contains("spec.store"), "{shared}");
    operator.stop().await;
}

#[tokio::test]
async fn a_policy_that_can_not_be_enforced_holds_its_server_back() {
    let world = World::shared("sections").await;
    let operator = world.operator().await;
    let mut section = policy("limit", "catalog", 10);
    section["spec"]["targetRefs"] = json!([{"name": "catalog", "sectionName": "nowhere"}]);
    world.put(&section).await;
    world.put(&server("catalog")).await;
    let refused = world.condition("RateLimitPolicy", "limit", "Accepted", "False", "TargetNotFound").await;
    assert!(refused["message"].as_str().unwrap().contains("nowhere"), "{refused}");
    world.condition("MCPServer", "catalog", "Accepted", "False", "InvalidLimit").await;
    assert!(world.get("v1", "Service", "catalog-tollward").await.is_none(), "without its limit it is not exposed");
    world.remove("tollward.dev/v1alpha1", "RateLimitPolicy", "limit").await;
    world.condition("MCPServer", "catalog", "Accepted", "True", "Accepted").await;
    operator.stop().await;
}

fn service(spec: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "legacy"}, "spec": spec})
}

#[tokio::test]
async fn a_relay_stands_only_in_front_of_a_service_that_selects_pods() {
    let world = World::shared("relays").await;
    let operator = world.operator().await;
    let mut relay = server("legacy-relay");
    relay["spec"]["source"] = json!({"type": "Service", "service": {"name": "legacy", "port": 8080}});
    world.put(&relay).await;
    world.condition("MCPServer", "legacy-relay", "ResolvedRefs", "False", "TargetNotFound").await;
    world.put(&service(&json!({"ports": [{"port": 8080}]}))).await;
    let refused = world.condition("MCPServer", "legacy-relay", "ResolvedRefs", "False", "Invalid").await;
    assert!(refused["message"].as_str().unwrap().contains("no selector"), "{refused}");
    world.put(&service(&json!({"selector": {"app": "legacy"}, "ports": [{"port": 8080}]}))).await;
    world.condition("MCPServer", "legacy-relay", "ResolvedRefs", "True", "ResolvedRefs").await;
    let map =
        eventually("a configuration", || async { world.get("v1", "ConfigMap", "legacy-relay-tollward").await }).await;
    let config = tollward_policy::config::load(map["data"]["config-v1.json"].as_str().unwrap().as_bytes()).unwrap();
    assert!(config.routes[0].upstream.url.starts_with("http://legacy.relays.svc"), "{:?}", config.routes[0].upstream);
    let slice = json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {"name": "legacy-stolen", "labels": {"kubernetes.io/service-name": "legacy"}},
        "addressType": "IPv4", "endpoints": [{"addresses": ["203.0.113.7"]}], "ports": [{"port": 8080, "name": ""}]});
    world.put(&slice).await;
    let refused = world.condition("MCPServer", "legacy-relay", "ResolvedRefs", "False", "Invalid").await;
    assert!(refused["message"].as_str().unwrap().contains("legacy-stolen"), "{refused}");
    operator.stop().await;
}
