//! What people are told about their identity providers.

use crate::world::{World, server};
use kube::api::ListParams;
use serde_json::{Value, json};
use tollward_api::identityprovider::{IssuerStatus, KeyStatus};

pub(crate) fn provider(name: &str, issuer: &str) -> Value {
    json!({"apiVersion": "tollward.dev/v1alpha1", "kind": "IdentityProvider", "metadata": {"name": name},
        "spec": {"type": "External", "external": {"issuer": issuer}}})
}

pub(crate) fn using(name: &str, provider: &str, namespace: &str) -> Value {
    let mut server = server(name);
    server["spec"]["auth"] =
        json!({"mode": "OAuth", "identityProviders": [{"name": provider, "namespace": namespace}]});
    server
}

pub(crate) fn found(issuer: &str) -> IssuerStatus {
    let key = |id: &str| KeyStatus { id: Some(id.into()), algorithm: "RS256".into() };
    IssuerStatus {
        issuer: issuer.into(),
        issuer_matches: true,
        metadata_url: Some(format!("{issuer}/.well-known/openid-configuration")),
        jwks_url: Some(format!("{issuer}/keys")),
        algorithms: vec!["RS256".into()],
        pkce_methods: vec!["S256".into()],
        dynamic_client_registration: false,
        client_id_metadata_documents: false,
        introspection_endpoint: None,
        introspected_at: None,
        keys: vec![key("one"), key("two")],
    }
}

#[tokio::test]
async fn an_issuer_that_answers_makes_a_ready_provider() {
    let world = World::shared("issuers").await;
    world.issuers.0.lock().unwrap().insert("https://good.example".into(), found("https://good.example"));
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
    let status = &object["status"];
    assert_eq!(status["issuer"], "https://good.example");
    assert_eq!((&status["keyCount"], &status["issuers"][0]["keys"][1]["id"]), (&json!(2), &json!("two")));
    assert_eq!(status["issuers"][0]["issuerMatches"], true);
    assert!(status["lastRefresh"].is_string() && status["nextRefresh"].is_string(), "{status}");
    operator.stop().await;
}

#[tokio::test]
async fn an_issuer_that_breaks_and_recovers_is_told_by_an_event_each_time() {
    let world = World::shared("breaking").await;
    let issuer = "https://weak.example";
    let up = |up: bool| {
        let mut issuers = world.issuers.0.lock().unwrap();
        if up { issuers.insert(issuer.into(), found(issuer)) } else { issuers.remove(issuer) }
    };
    up(true);
    let operator = world.operator().await;
    world.put(&provider("weak", issuer)).await;
    world.condition("IdentityProvider", "weak", "Ready", "True", "Ready").await;
    // Its spec is changed, so that it is looked at now and not when its turn comes.
    let again = async |leeway: &str| {
        world.clock.advance(400);
        let mut object = provider("weak", issuer);
        object["spec"]["external"]["leeway"] = json!(leeway);
        world.put(&object).await;
    };
    up(false);
    again("11s").await;
    world.condition("IdentityProvider", "weak", "Ready", "False", "DiscoveryFailed").await;
    let object = world.get("tollward.dev/v1alpha1", "IdentityProvider", "weak").await.unwrap();
    assert_eq!(object["status"]["keyCount"], 2, "what was there before stays in the status");
    up(true);
    again("12s").await;
    world.condition("IdentityProvider", "weak", "Ready", "True", "Ready").await;
    crate::world::eventually("both events", || async {
        let events = world.api("events.k8s.io/v1", "Event").list(&ListParams::default()).await.unwrap();
        let events: Vec<_> = events.iter().map(|event| serde_json::to_value(event).unwrap()).collect();
        let told = |kind: &str, reason: &str| events.iter().any(|it| it["type"] == kind && it["reason"] == reason);
        (told("Warning", "DiscoveryFailed") && told("Normal", "Ready")).then_some(())
    })
    .await;
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
