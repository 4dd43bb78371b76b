//! Ready means that every replica says so.

use crate::providers::{found, provider, using};
use crate::world::{World, eventually, policy, server};
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use tollward_policy::report::{LimitStoreReport, ProviderReport, Report};

const SERVER: &str = "tollward.dev/v1alpha1";

/// Makes a pod as the controller manager and a kubelet would.
pub(crate) async fn pod(world: &World<'_>, address: &str) {
    let deployment =
        eventually("pods are wanted", || async { world.get("apps/v1", "Deployment", "catalog-tollward").await }).await;
    let template = &deployment["spec"]["template"]["metadata"];
    let object = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "catalog-tollward-0", "labels": template["labels"]},
        "spec": {"containers": [{"name": "server", "image": "x"}]}});
    world.put(&object).await;
    let status = json!({"status": {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}],
        "conditions": [{"type": "Ready", "status": "True"}]}});
    let api = world.api("v1", "Pod");
    api.patch_status("catalog-tollward-0", &PatchParams::default(), &Patch::Merge(&status)).await.unwrap();
    rolled_out(world).await;
}

async fn rolled_out(world: &World<'_>) {
    let deployment = world.get("apps/v1", "Deployment", "catalog-tollward").await.unwrap();
    let status = json!({"status": {"observedGeneration": deployment["metadata"]["generation"], "replicas": 1,
        "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1}});
    let api = world.api("apps/v1", "Deployment");
    api.patch_status("catalog-tollward", &PatchParams::default(), &Patch::Merge(&status)).await.unwrap();
}

fn report(digest: &str, provider: Option<bool>) -> Report {
    let providers = provider.map(|ready| ProviderReport {
        name: "programmed/idp".into(),
        ready,
        keys: Vec::new(),
        last_fetch: None,
        last_error: (!ready).then(|| "the URL could not be fetched".into()),
        introspection_error: None,
    });
    Report {
        reader: 1,
        digest: digest.into(),
        generation: 1,
        rejected: None,
        restart_required: false,
        unready: Vec::new(),
        routes: Vec::new(),
        providers: providers.into_iter().collect(),
        limit_stores: Vec::new(),
        sealing: Some(tollward_policy::report::SealingReport { listeners: Vec::new(), more: 0, error: None }),
    }
}

async fn digest(world: &World<'_>) -> String {
    let object = world.get(SERVER, "MCPServer", "catalog").await.unwrap();
    object["status"]["policyDigest"].as_str().unwrap().to_owned()
}

/// What the replica at that address says from now on.
pub(crate) fn says(world: &World<'_>, address: &str, digest: &str) {
    world.sidecars.0.lock().unwrap().insert(address.to_owned(), report(digest, None));
}

#[tokio::test]
async fn a_server_is_ready_once_its_replicas_enforce_its_configuration() {
    let world = World::shared("programmed").await;
    let operator = world.operator().await;
    world.put(&server("catalog")).await;
    world.condition("MCPServer", "catalog", "Programmed", "False", "Pending").await;
    pod(&world, "192.0.2.1").await;
    let silent = world.condition("MCPServer", "catalog", "Programmed", "False", "DataPlaneUnreachable").await;
    assert!(silent["message"].as_str().unwrap().contains("64432"), "{silent}");
    says(&world, "192.0.2.1", &digest(&world).await);
    world.condition("MCPServer", "catalog", "Ready", "True", "Ready").await;
    let object = world.get(SERVER, "MCPServer", "catalog").await.unwrap();
    let expected = json!([{"pod": "catalog-tollward-0", "policyDigest": digest(&world).await}]);
    assert_eq!(object["status"]["replicas"], expected);
    assert_eq!(object["status"]["endpoints"][0]["url"], "https://catalog-tollward.programmed.svc/mcp");

    // A change is in force once the replica says so, and its kubelet is told to hurry.
    let old = digest(&world).await;
    world.put(&policy("limit", "catalog", 10)).await;
    world.condition("MCPServer", "catalog", "Programmed", "False", "Pending").await;
    let new = digest(&world).await;
    assert_ne!(new, old);
    eventually("the pod is told", || async {
        let pod = world.get("v1", "Pod", "catalog-tollward-0").await?;
        (pod["metadata"]["annotations"]["tollward.dev/config-digest"] == json!(new)).then_some(())
    })
    .await;
    says(&world, "192.0.2.1", &new);
    world.condition("MCPServer", "catalog", "Ready", "True", "Ready").await;
    // Nothing is left to do.
    let requests = operator.requests.take();
    let told = requests.iter().filter(|request| request.contains("pods/")).count();
    assert_eq!(told, 1, "once for each configuration: {requests:?}");
    operator.stop().await;
}

#[tokio::test]
async fn a_policy_says_whether_its_store_counts_and_an_event_that_it_does_not() {
    let world = World::shared("stores").await;
    let operator = world.operator().await;
    world.put(&server("catalog")).await;
    let mut shared = policy("limit", "catalog", 10);
    shared["spec"]["store"] =
        json!({"url": "rediss://valkey.stores.svc", "credentialsSecret": {"name": "limits-store"}});
    shared["spec"]["onStoreFailure"] = json!("Deny");
    world.put(&shared).await;
    world.condition("RateLimitPolicy", "limit", "Exact", "Unknown", "Pending").await;
    pod(&world, "192.0.2.9").await;
    let store = |up: bool| LimitStoreReport {
        server: "stores/catalog".into(),
        policy: "limit".into(),
        up,
        since: 1,
        error: (!up).then(|| "WRONGPASS".into()),
    };
    let says = |report: Report| world.sidecars.0.lock().unwrap().insert("192.0.2.9".to_owned(), report);
    let digest = eventually("the store is in force", || async {
        let map = world.get("v1", "ConfigMap", "catalog-tollward").await?;
        let written = map["metadata"]["annotations"]["tollward.dev/policy-digest"].as_str()?.to_owned();
        let newest = map["data"]["config-v1.json"].as_str()?.contains("valkey.stores.svc");
        (newest && digest(&world).await == written).then_some(written)
    })
    .await;
    says(Report { limit_stores: vec![store(true)], ..report(&digest, None) });
    world.condition("RateLimitPolicy", "limit", "Exact", "True", "SharedStore").await;
    world.condition("MCPServer", "catalog", "Ready", "True", "Ready").await;
    // No watch tells of it: the operator asks again by itself.
    says(Report { limit_stores: vec![store(false)], ..report(&digest, None) });
    let broken = world.condition("RateLimitPolicy", "limit", "Exact", "False", "StoreUnavailable").await;
    let message = broken["message"].as_str().unwrap();
    assert!(message.contains("catalog-tollward-0: WRONGPASS") && message.contains("503"), "{broken}");
    event(&world, "StoreUnavailable", "Warning").await;
    says(Report { limit_stores: vec![store(true)], ..report(&digest, None) });
    world.condition("RateLimitPolicy", "limit", "Exact", "True", "SharedStore").await;
    event(&world, "SharedStore", "Normal").await;
    operator.stop().await;
}

#[tokio::test]
async fn a_provider_tells_nothing_of_a_server_that_is_gone() {
    let world = World::shared("forgotten").await;
    world.issuers.0.lock().unwrap().insert("https://kept.example".into(), found("https://kept.example"));
    let operator = world.operator().await;
    world.put(&provider("idp", "https://kept.example")).await;
    world.put(&using("catalog", "idp", "forgotten")).await;
    pod(&world, "192.0.2.17").await;
    let ready = ProviderReport { name: "forgotten/idp".into(), ..report("", Some(true)).providers.remove(0) };
    let report = Report { providers: vec![ready], ..report(&digest(&world).await, None) };
    world.sidecars.0.lock().unwrap().insert("192.0.2.17".to_owned(), report);
    world.condition("IdentityProvider", "idp", "Programmed", "True", "Programmed").await;
    world.remove(SERVER, "MCPServer", "catalog").await;
    world.condition("IdentityProvider", "idp", "Programmed", "Unknown", "Pending").await;
    operator.stop().await;
}

async fn event(world: &World<'_>, reason: &str, kind: &str) -> Value {
    let event = eventually("an event", || async {
        let api = world.api("events.k8s.io/v1", "Event");
        let list = api.list(&kube::api::ListParams::default()).await.unwrap();
        list.items
            .into_iter()
            .map(|event| serde_json::to_value(event).unwrap())
            .find(|event: &Value| event["reason"] == reason)
    })
    .await;
    assert_eq!(event["type"], kind, "{event}");
    event
}

#[tokio::test]
async fn events_tell_what_changed() {
    let world = World::shared("events").await;
    let operator = world.operator().await;
    let mut broken = server("catalog");
    broken["spec"]["auth"] = json!({"mode": "OAuth", "identityProviders": [{"name": "missing"}]});
    world.put(&broken).await;
    let event = event(&world, "TargetNotFound", "Warning").await;
    assert_eq!(event["regarding"]["name"], "catalog");
    assert!(event["note"].as_str().unwrap().contains("events/missing"), "{event}");
    operator.stop().await;
}
