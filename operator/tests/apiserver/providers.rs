//! What people are told about their identity providers.

use crate::world::{World, server};
use serde_json::{Value, json};
use tollward_operator::discovery::Discovered;

fn provider(name: &str, issuer: &str) -> Value {
    json!({"apiVersion": "tollward.dev/v1alpha1", "kind": "IdentityProvider", "metadata": {"name": name},
        "spec": {"type": "External", "external": {"issuer": issuer}}})
}

fn using(name: &str, provider: &str, namespace: &str) -> Value {
    let mut server = server(name);
    server["spec"]["auth"] =
        json!({"mode": "OAuth", "identityProviders": [{"name": provider, "namespace": namespace}]});
    server
}

#[tokio::test]
async fn an_issuer_that_answers_makes_a_ready_provider() {
    let world = World::shared("issuers").await;
    let found = Discovered { keys: 2, pkce: true, registration: false, client_documents: false, introspection: None };
    world.issuers.0.lock().unwrap().insert("https://good.example".into(), found);
    let operator = world.operator().await;
    world.put(&provider("good", "https://good.example")).await;
    world.put(&provider("bad", "https://bad.example")).await;
    let resolved = world.condition("IdentityProvider", "good", "ResolvedRefs", "True", "ResolvedRefs").await;
    let message = resolved["message"].as_str().unwrap();
    assert!(message.contains("2 keys") && message.contains("registration: no"), "{message}");
    world.condition("IdentityProvider", "good", "Ready", "True", "Ready").await;
    world.condition("IdentityProvider", "good", "Programmed", "Unknown", "Pending").await;
    world.condition("IdentityProvider", "bad", "Ready", "False", "DiscoveryFailed").await;
    let object = world.get("tollward.dev/v1alpha1", "IdentityProvider", "good").await.unwrap();
    assert_eq!(object["status"]["issuer"], "https://good.example");
    operator.stop().await;
}

#[tokio::test]
async fn a_server_follows_its_provider() {
    let world = World::shared("following").await;
    let operator = world.operator().await;
    world.put(&using("catalog", "idp", "following")).await;
    world.condition("MCPServer", "catalog", "ResolvedRefs", "False", "TargetNotFound").await;
    world.put(&provider("idp", "https://one.example")).await;
    world.condition("MCPServer", "catalog", "ResolvedRefs", "True", "ResolvedRefs").await;
    let issuer = || async {
        let object = world.get("tollward.dev/v1alpha1", "MCPServer", "catalog").await?;
        object["status"]["identityProviders"][0]["issuer"].as_str().map(str::to_owned)
    };
    assert_eq!(issuer().await.as_deref(), Some("https://one.example"));
    world.put(&provider("idp", "https://two.example")).await;
    crate::world::eventually("the new issuer", || async {
        issuer().await.filter(|issuer| issuer == "https://two.example")
    })
    .await;
    operator.stop().await;
}
