//! Whom a provider denies reaches the replicas, also those that nobody can ask.

use crate::programmed::{pod, says};
use crate::world::{World, eventually, server};
use serde_json::{Value, json};

const OURS: &str = "tollward.dev/v1alpha1";

fn provider(deny: &Value) -> Value {
    json!({"apiVersion": OURS, "kind": "IdentityProvider", "metadata": {"name": "idp"},
        "spec": {"type": "External", "external": {"issuer": "https://idp.example"}, "deny": deny}})
}

#[tokio::test]
async fn a_replica_that_does_not_answer_is_told_of_a_revocation_and_named() {
    let world = World::shared("denied").await;
    let operator = world.operator().await;
    world.put(&provider(&json!([]))).await;
    let mut trusting = server("catalog");
    trusting["spec"]["auth"] = json!({"mode": "OAuth", "identityProviders": [{"name": "idp"}]});
    world.put(&trusting).await;
    pod(&world, "192.0.2.77").await;
    world.condition("MCPServer", "catalog", "Programmed", "False", "DataPlaneUnreachable").await;

    let entry = json!([{"name": "laptop", "subject": "ada", "reason": "it was stolen"}]);
    let changed = world.put(&provider(&entry)).await;
    let told = eventually("the pod is told although it does not answer", || async {
        let pod = world.get("v1", "Pod", "catalog-tollward-0").await?;
        pod["metadata"]["annotations"]["tollward.dev/config-digest"].as_str().map(str::to_owned)
    })
    .await;
    let object = eventually("the status is about the revocation", || async {
        let object = world.get(OURS, "MCPServer", "catalog").await?;
        let provider = &object["status"]["identityProviders"][0];
        (provider["generation"] == json!(changed.metadata.generation)).then_some(object)
    })
    .await;
    assert_eq!(object["status"]["policyDigest"], json!(told));
    assert_eq!(object["status"]["replicas"], json!([{"pod": "catalog-tollward-0"}]), "nobody knows what it enforces");
    let map = world.get("v1", "ConfigMap", "catalog-tollward").await.unwrap();
    let text = map["data"].to_string();
    assert!(text.contains("laptop") && !text.contains("stolen"), "{text}");
    let programmed = world.condition("MCPServer", "catalog", "Programmed", "False", "DataPlaneUnreachable").await;
    assert!(programmed["message"].as_str().unwrap().contains("catalog-tollward-0 does not answer"), "{programmed}");
    operator.stop().await;
}

/// What the server's author got wrong is no reason to let somebody in whom the provider denies.
#[tokio::test]
async fn a_revocation_reaches_a_server_whose_newer_specification_is_refused() {
    let world = World::shared("denied-refused").await;
    let operator = world.operator().await;
    world.put(&provider(&json!([]))).await;
    let mut trusting = server("catalog");
    trusting["spec"]["auth"] = json!({"mode": "OAuth", "identityProviders": [{"name": "idp"}]});
    world.put(&trusting).await;
    pod(&world, "192.0.2.78").await;
    let before =
        eventually("a configuration is in force", || async { world.get("v1", "ConfigMap", "catalog-tollward").await })
            .await;
    // The newer specification names another provider, which does not exist: nothing of it is in force.
    trusting["spec"]["auth"]["identityProviders"] = json!([{"name": "gone"}]);
    world.put(&trusting).await;
    world.condition("MCPServer", "catalog", "ResolvedRefs", "False", "TargetNotFound").await;

    let changed = world.put(&provider(&json!([{"name": "laptop", "subject": "ada"}]))).await;
    let map = eventually("the entry is in force", || async {
        let map = world.get("v1", "ConfigMap", "catalog-tollward").await?;
        map["data"].to_string().contains("laptop").then_some(map)
    })
    .await;
    let text = |map: &Value| map["data"]["config-v1.json"].as_str().unwrap().to_owned();
    let config = |map: &Value| serde_json::from_str::<Value>(&text(map)).unwrap();
    let (old, new) = (config(&before), config(&map));
    assert_eq!(new["identityProviders"][0]["deny"], json!([{"name": "laptop", "subject": "ada"}]));
    assert_eq!(old["routes"], new["routes"], "nothing else of it changes");
    assert_eq!(map["metadata"]["ownerReferences"], before["metadata"]["ownerReferences"]);
    let digest = map["metadata"]["annotations"]["tollward.dev/policy-digest"].clone();
    eventually("the pod is told", || async {
        let pod = world.get("v1", "Pod", "catalog-tollward-0").await?;
        (pod["metadata"]["annotations"]["tollward.dev/config-digest"] == digest).then_some(())
    })
    .await;

    // Whether the replica enforces it is asked until it says so.
    let status = async |expected: Value| {
        eventually("the status says what the replica enforces", || async {
            let object = world.get(OURS, "MCPServer", "catalog").await?;
            (object["status"]["replicas"] == json!([expected])).then_some(object["status"].clone())
        })
        .await
    };
    let silent = status(json!({"pod": "catalog-tollward-0"})).await;
    assert_eq!(silent["conditions"][0]["status"], "True", "what is wrong is the reference: {silent}");
    says(&world, "192.0.2.78", digest.as_str().unwrap());
    let enforced = status(json!({"pod": "catalog-tollward-0", "policyDigest": digest})).await;
    assert_eq!(enforced["policyDigest"], digest);
    let trusted = &enforced["identityProviders"];
    assert_eq!(trusted[0]["name"], "denied-refused/idp", "the one in force, not the one that is named now: {trusted}");
    assert_eq!(trusted[0]["denyGeneration"], json!(changed.metadata.generation));
    assert_eq!(trusted[0]["generation"], json!(1), "nothing else of it was compiled: {trusted}");
    assert!(trusted.as_array().unwrap().len() == 1 && changed.metadata.generation > Some(1), "{trusted}");

    world.put(&provider(&json!([]))).await;
    eventually("it is taken back", || async {
        let map = world.get("v1", "ConfigMap", "catalog-tollward").await?;
        (!text(&map).contains("laptop")).then_some(())
    })
    .await;
    operator.stop().await;
}
