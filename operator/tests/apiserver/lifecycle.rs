//! What exists because of a server, from its first moment to its last, and what that costs.

use crate::world::{World, eventually, policy, server};
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

const SERVER: &str = "tollward.dev/v1alpha1";

/// Every child that can be looked at: version and kind.
const CHILDREN: [(&str, &str); 5] = [
    ("v1", "ServiceAccount"),
    ("v1", "ConfigMap"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
    ("apps/v1", "Deployment"),
    ("v1", "Service"),
];

async fn versions(world: &World<'_>, name: &str) -> Vec<String> {
    let mut versions = Vec::new();
    for (version, kind) in CHILDREN {
        let child = world.get(version, kind, &format!("{name}-tollward")).await.unwrap_or_else(|| panic!("no {kind}"));
        versions.push(format!("{kind} {}", child["metadata"]["resourceVersion"]));
    }
    versions
}

#[tokio::test]
async fn a_new_server_costs_eight_requests_and_an_unchanged_one_none() {
    let world = World::shared("costs").await;
    let operator = world.operator().await;
    operator.requests.take();
    world.put(&server("catalog")).await;
    world.condition("MCPServer", "catalog", "Programmed", "False", "Pending").await;
    // Its own writes come back as news, and it looks again while no pod answers.
    operator.more("MCPServer", 2).await;
    let requests = operator.requests.take();
    let keys = requests.iter().position(|request| request == "POST costs/secrets");
    assert_eq!(keys, Some(1), "{requests:?}");
    let expected = [
        "PATCH serviceaccounts/catalog-tollward",
        "POST costs/secrets",
        "PATCH configmaps/catalog-tollward",
        "PATCH networkpolicies/catalog-tollward",
        "PATCH deployments/catalog-tollward",
        "PATCH services/catalog-tollward",
        "PATCH catalog/status",
        "POST costs/events",
    ];
    assert_eq!(requests, expected);
    operator.more("MCPServer", 2).await;
    assert_eq!(operator.requests.take(), Vec::<String>::new(), "a resync costs nothing");
    operator.stop().await;
}

#[tokio::test]
async fn a_restarted_operator_writes_nothing() {
    let world = World::shared("restarts").await;
    let operator = world.operator().await;
    world.put(&server("catalog")).await;
    world.put(&policy("limit", "catalog", 10)).await;
    world.condition("MCPServer", "catalog", "Programmed", "False", "Pending").await;
    world.condition("RateLimitPolicy", "limit", "Accepted", "True", "Accepted").await;
    operator.more("MCPServer", 2).await;
    operator.stop().await;
    let before = versions(&world, "catalog").await;

    let operator = world.operator().await;
    operator.more("MCPServer", 2).await;
    operator.more("RateLimitPolicy", 0).await;
    let requests = operator.requests.take();
    // Root keys are read, and their certificate is published again, once for each start.
    assert_eq!(requests, ["GET secrets/tollward-root", "PATCH configmaps/tollward-ca"]);
    assert_eq!(versions(&world, "catalog").await, before);
    operator.stop().await;
}

#[tokio::test]
async fn children_belong_to_their_server_and_carry_no_secret() {
    let world = World::shared("children").await;
    let operator = world.operator().await;
    let made = world.put(&server("catalog")).await;
    world.condition("MCPServer", "catalog", "Accepted", "True", "Accepted").await;
    operator.more("MCPServer", 1).await;
    for (version, kind) in CHILDREN {
        let child = world.get(version, kind, "catalog-tollward").await.unwrap();
        let owner = &child["metadata"]["ownerReferences"][0];
        assert_eq!(owner["uid"], json!(made.metadata.uid), "{kind}");
        assert_eq!((&owner["controller"], &owner["blockOwnerDeletion"]), (&json!(true), &json!(true)), "{kind}");
    }
    let map = world.get("v1", "ConfigMap", "catalog-tollward").await.unwrap();
    let text = map["data"]["config-v1.json"].as_str().unwrap();
    tollward_policy::config::load(text.as_bytes()).unwrap();
    assert!(!text.contains("PRIVATE"), "{text}");

    let deployment = world.get("apps/v1", "Deployment", "catalog-tollward").await.unwrap();
    let volumes = deployment["spec"]["template"]["spec"]["volumes"].as_array().unwrap();
    let keys = volumes.iter().find(|volume| volume["name"] == "tollward-keys").unwrap();
    let name = keys["secret"]["secretName"].as_str().unwrap();
    assert!(name.starts_with("catalog-keys-") && tollward_api::owned::is_owned(name), "{name}");
    let secret = world.get("v1", "Secret", name).await.unwrap();
    let entries: Vec<_> = secret["data"].as_object().unwrap().keys().cloned().collect();
    for entry in ["tls.crt", "tls.key", "report.crt", "report.key", "report-ca.crt"] {
        assert!(entries.iter().any(|found| found == entry), "{entries:?}");
    }
    assert_eq!(secret["metadata"]["ownerReferences"][0]["uid"], json!(made.metadata.uid));
    assert_eq!(secret["immutable"], true);
    operator.stop().await;
}

#[tokio::test]
async fn an_edit_of_a_policy_changes_the_configuration_only() {
    let world = World::shared("policies").await;
    let operator = world.operator().await;
    world.put(&server("catalog")).await;
    world.put(&policy("limit", "catalog", 10)).await;
    world.condition("RateLimitPolicy", "limit", "Accepted", "True", "Accepted").await;
    eventually("the limit is in the configuration", || async {
        let map = world.get("v1", "ConfigMap", "catalog-tollward").await?;
        map["data"]["config-v1.json"].as_str()?.contains("\"requests\":10").then_some(())
    })
    .await;
    operator.more("MCPServer", 2).await;
    let before = versions(&world, "catalog").await;
    world.put(&policy("limit", "catalog", 20)).await;
    let map = eventually("the new limit is in the configuration", || async {
        let map = world.get("v1", "ConfigMap", "catalog-tollward").await?;
        map["data"]["config-v1.json"].as_str()?.contains("\"requests\":20").then_some(map)
    })
    .await;
    operator.more("MCPServer", 2).await;
    let after = versions(&world, "catalog").await;
    let changed: Vec<_> = after.iter().filter(|version| !before.contains(version)).collect();
    assert_eq!(changed.len(), 1, "{changed:?}");
    assert!(changed[0].starts_with("ConfigMap"), "{changed:?}");
    let digest = tollward_policy::digest::of(map["data"]["config-v1.json"].as_str().unwrap().as_bytes());
    let object = world.get(SERVER, "MCPServer", "catalog").await.unwrap();
    assert_eq!(object["status"]["policyDigest"], json!(digest));
    let load = |map: &Value| {
        let text = map["data"]["config-v1.json"].as_str().unwrap().to_owned();
        tollward_policy::config::load(text.as_bytes()).unwrap()
    };
    assert!(load(&map).generation >= 2, "the generation grows");
    operator.stop().await;
}

#[tokio::test]
async fn an_edit_that_is_not_accepted_leaves_what_runs_alone() {
    let world = World::shared("edits").await;
    let operator = world.operator().await;
    world.put(&server("catalog")).await;
    world.condition("MCPServer", "catalog", "Programmed", "False", "Pending").await;
    operator.more("MCPServer", 2).await;
    let before = versions(&world, "catalog").await;
    let mut broken = server("catalog");
    broken["spec"]["auth"] = json!({"mode": "OAuth", "identityProviders": [{"name": "missing"}]});
    broken["spec"]["source"]["workload"]["image"] = json!("registry.example/catalog:2");
    world.put(&broken).await;
    let resolved = world.condition("MCPServer", "catalog", "ResolvedRefs", "False", "TargetNotFound").await;
    assert!(resolved["message"].as_str().unwrap().contains("edits/missing"), "{resolved}");
    world.condition("MCPServer", "catalog", "Programmed", "False", "TargetNotFound").await;
    world.condition("MCPServer", "catalog", "Ready", "False", "TargetNotFound").await;
    assert_eq!(versions(&world, "catalog").await, before);
    world.put(&server("catalog")).await;
    world.condition("MCPServer", "catalog", "ResolvedRefs", "True", "ResolvedRefs").await;
    assert_eq!(versions(&world, "catalog").await, before, "back where it was");
    operator.stop().await;
}

#[tokio::test]
async fn what_somebody_changes_is_changed_back() {
    let world = World::shared("drift").await;
    let operator = world.operator().await;
    world.put(&server("catalog")).await;
    world.condition("MCPServer", "catalog", "Programmed", "False", "Pending").await;
    let api = world.api("networking.k8s.io/v1", "NetworkPolicy");
    let open = json!({"spec": {"ingress": [{}]}});
    api.patch("catalog-tollward", &PatchParams::default(), &Patch::Merge(&open)).await.unwrap();
    eventually("the network policy is closed again", || async {
        let policy = world.get("networking.k8s.io/v1", "NetworkPolicy", "catalog-tollward").await?;
        (policy["spec"]["ingress"].as_array()?.len() == 2).then_some(())
    })
    .await;
    world.remove("v1", "Service", "catalog-tollward").await;
    eventually("the service is there again", || async { world.get("v1", "Service", "catalog-tollward").await }).await;
    operator.stop().await;
}

#[tokio::test]
async fn what_is_no_longer_wanted_is_removed() {
    let world = World::shared("prune").await;
    let operator = world.operator().await;
    let mut two = server("catalog");
    two["spec"]["source"]["workload"]["replicas"] = json!(2);
    world.put(&two).await;
    let budget = || async { world.get("policy/v1", "PodDisruptionBudget", "catalog-tollward").await };
    eventually("a disruption budget", budget).await;
    let foreign = json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "foreign",
        "labels": {"app.kubernetes.io/managed-by": "tollward-operator", "app.kubernetes.io/instance": "catalog"}},
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"a": "b"}}}});
    world.put(&foreign).await;
    world.put(&server("catalog")).await;
    eventually("no disruption budget", || async { budget().await.is_none().then_some(()) }).await;
    operator.more("MCPServer", 1).await;
    assert!(world.get("policy/v1", "PodDisruptionBudget", "foreign").await.is_some(), "labels make nothing ours");
    operator.stop().await;
}

#[tokio::test]
async fn a_deleted_server_is_not_made_again_and_leaves_only_what_its_owner_takes_along() {
    let world = World::shared("deletion").await;
    let operator = world.operator().await;
    world.put(&server("catalog")).await;
    world.condition("MCPServer", "catalog", "Programmed", "False", "Pending").await;
    operator.more("MCPServer", 2).await;
    operator.requests.take();
    world.remove(SERVER, "MCPServer", "catalog").await;
    // The garbage collector does not run here: what it would remove is what names the server as its owner.
    world.remove("v1", "Service", "catalog-tollward").await;
    world.put(&server("other")).await;
    world.condition("MCPServer", "other", "Programmed", "False", "Pending").await;
    operator.more("MCPServer", 2).await;
    let about: Vec<_> = operator.requests.take().into_iter().filter(|request| request.contains("catalog")).collect();
    assert_eq!(about, Vec::<String>::new());
    assert!(world.get("v1", "Service", "catalog-tollward").await.is_none());
    operator.stop().await;
}

#[tokio::test]
async fn another_host_gets_other_keys_and_rolls_the_pods() {
    let world = World::shared("hosts").await;
    let operator = world.operator().await;
    world.put(&server("catalog")).await;
    let keys = || async {
        let deployment = world.get("apps/v1", "Deployment", "catalog-tollward").await?;
        let volumes = deployment["spec"]["template"]["spec"]["volumes"].as_array()?.clone();
        let keys = volumes.into_iter().find(|volume| volume["name"] == "tollward-keys")?;
        Some(keys["secret"]["secretName"].as_str()?.to_owned())
    };
    let first = eventually("keys", keys).await;
    let mut named = server("catalog");
    named["spec"]["endpoint"] = json!({"url": "https://mcp.example.com/catalog/mcp"});
    world.put(&named).await;
    let second = eventually("other keys", || async { keys().await.filter(|name| *name != first) }).await;
    assert!(world.get("v1", "Secret", &second).await.is_some());
    assert!(world.get("v1", "Secret", &first).await.is_some(), "old pods still use it");
    // As if the new pods were all ready.
    let generation =
        world.get("apps/v1", "Deployment", "catalog-tollward").await.unwrap()["metadata"]["generation"].clone();
    let status = json!({"status": {"observedGeneration": generation, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1,
        "availableReplicas": 1}});
    let api = world.api("apps/v1", "Deployment");
    api.patch_status("catalog-tollward", &PatchParams::default(), &Patch::Merge(&status)).await.unwrap();
    eventually("the old keys are gone", || async { world.get("v1", "Secret", &first).await.is_none().then_some(()) })
        .await;
    assert!(world.get("v1", "Secret", &second).await.is_some());
    operator.stop().await;
}
