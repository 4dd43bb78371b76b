//! Stores that replicas share: what stands in the configuration, what is mounted for it, and what is refused.

use crate::fixture::{build, catalog, change, refused};
use serde_json::{Value, json};
use tollward_api::condition::ConditionReason as Reason;
use tollward_desired::{Desired, Inputs, LocalPlace, Place, configuration, validate};

fn store() -> Value {
    json!({"url": "rediss://valkey.shop.svc:6379", "credentialsSecret": {"name": "limits-store"}, "deadline": "50ms"})
}

fn with(store: Value, on_failure: Value) -> Inputs {
    let mut inputs = catalog();
    inputs.policies[0] = change(&inputs.policies[0], "/spec/store", store);
    inputs.policies[0] = change(&inputs.policies[0], "/spec/onStoreFailure", on_failure);
    inputs
}

fn within(path: &str, value: Value) -> Inputs {
    let mut inputs = with(store(), json!(null));
    inputs.policies[0] = change(&inputs.policies[0], &format!("/spec/store{path}"), value);
    inputs
}

fn compiled(inputs: &Inputs) -> Value {
    serde_json::to_value(&build(inputs).configuration.config().routes[0].rate_limits[0].store).unwrap()
}

/// Volumes of stores, their mounts in the sidecar, and in the server.
fn mounted(desired: &Desired) -> [Vec<Value>; 3] {
    let pod = serde_json::to_value(&desired.children.deployment.spec.template.spec).unwrap();
    [&pod["volumes"], &pod["initContainers"][0]["volumeMounts"], &pod["containers"][0]["volumeMounts"]].map(|list| {
        let all = list.as_array().cloned().unwrap_or_default();
        all.into_iter().filter(|one| one["name"].as_str().unwrap().starts_with("tollward-store-")).collect()
    })
}

#[test]
fn a_policy_without_a_store_changes_nothing() {
    let desired = build(&catalog());
    assert!(!desired.configuration.text().contains("\"store\""), "{}", desired.configuration.text());
    assert_eq!(mounted(&desired), [const { Vec::<Value>::new() }; 3]);
}

#[test]
fn a_store_reaches_the_data_plane_with_paths_and_without_secrets() {
    let folder = "/etc/tollward/stores/catalog/limits-store/store.catalog";
    let expected = json!({
        "url": "rediss://valkey.shop.svc:6379", "mode": "Standalone", "deadlineMillis": 50, "onFailure": "Local",
        "usernameFile": format!("{folder}.username"), "passwordFile": format!("{folder}.password"), "caFile": format!("{folder}.ca.crt"),
    });
    assert_eq!(compiled(&with(store(), json!(null))), expected, "what is not said does not let calls pass");
    assert_eq!(compiled(&with(store(), json!("Deny")))["onFailure"], "Deny");
    assert_eq!(compiled(&with(store(), json!("Allow")))["onFailure"], "Allow");
    let bare = json!({"url": "rediss://valkey", "mode": "Cluster"});
    let expected = json!({"url": "rediss://valkey", "mode": "Cluster", "deadlineMillis": 30, "onFailure": "Local"});
    assert_eq!(compiled(&with(bare, json!(null))), expected);
}

#[test]
fn only_the_keys_made_for_the_policy_are_mounted_and_only_in_the_sidecar() {
    let desired = build(&with(store(), json!(null)));
    let [volumes, mounts, servers] = mounted(&desired);
    let item = |part: &str| json!({"key": format!("store.catalog.{part}"), "path": format!("store.catalog.{part}")});
    // Optional: a mistake in a policy must not keep a server from starting.
    let secret = json!({"secretName": "limits-store", "defaultMode": 0o440, "optional": true,
        "items": [item("username"), item("password"), item("ca.crt")]});
    assert_eq!(volumes, [json!({"name": "tollward-store-0", "secret": secret})]);
    let path = "/etc/tollward/stores/catalog/limits-store";
    assert_eq!(mounts, [json!({"name": "tollward-store-0", "mountPath": path, "readOnly": true})]);
    assert!(servers.is_empty());

    let keys = |keys: Value| {
        let [volumes, ..] = mounted(&build(&within("/credentialsSecret/keys", keys)));
        volumes[0]["secret"]["items"].clone()
    };
    assert_eq!(keys(json!(["ca.crt"])), json!([item("ca.crt")]));
    assert_eq!(keys(json!(["username", "password"])), json!([item("username"), item("password")]));
    let [plain, ..] = mounted(&build(&within("/url", json!("redis://valkey"))));
    assert_eq!(
        plain[0]["secret"]["items"],
        json!([item("username"), item("password")]),
        "nothing looks at an authority"
    );
}

#[test]
fn two_sections_of_a_policy_share_a_mount_and_two_policies_do_not() {
    let mut inputs = with(store(), json!(null));
    let targets = json!([{"name": "catalog", "sectionName": "cart"}, {"name": "catalog", "sectionName": "read"}]);
    let limits = json!([{"name": "calls", "rates": [{"tier": "basic", "requests": 60, "window": "1m"}]}]);
    inputs.policies[0] = change(&inputs.policies[0], "/spec/targetRefs", targets);
    inputs.policies[0] = change(&inputs.policies[0], "/spec/limits", limits);
    assert_eq!(mounted(&build(&inputs))[0].len(), 1);
    inputs.policies.push(change(&inputs.policies[0], "/metadata/name", json!("other")));
    let [volumes, mounts, _] = mounted(&build(&inputs));
    assert_eq!((volumes.len(), mounts.len()), (2, 2));
    assert_ne!(mounts[0]["mountPath"], mounts[1]["mountPath"]);
}

#[test]
fn a_store_that_can_not_be_used_is_refused_with_what_to_do() {
    // What an API server with older definitions would let through.
    for (inputs, expected) in vec![
        (within("/url", json!("http://valkey")), "must be redis://host"),
        (within("/url", json!("rediss://user:password@valkey")), "user and password are files"),
        (within("/url", json!("rediss://VALKEY")), "lower case"),
        (within("/deadline", json!("2s")), "deadlineMillis must be 5 to 1000"),
        (within("/deadline", json!("1m")), "spec.store.deadline: `1m` is no duration"),
        (within("/credentialsSecret/name", json!("catalog-tollward")), "belongs to Tollward"),
        (within("/credentialsSecret/name", json!("../other")), "letters, digits"),
        (within("/credentialsSecret/keys", json!(["password"])), "both, or neither"),
        (with(json!(null), json!("Deny")), "onStoreFailure must be set only"),
    ] {
        refused(&inputs, Reason::InvalidLimit, expected);
        let findings = validate(&inputs).unwrap_err();
        assert!(!format!("{findings:?}").contains("user:password"), "{findings:?}");
    }
    let mut plain = within("/url", json!("redis://valkey"));
    plain.policies[0] = change(&plain.policies[0], "/spec/store/credentialsSecret/keys", json!(["ca.crt"]));
    refused(&plain, Reason::InvalidLimit, "keys must not name ca.crt with redis://");
    let mut nothing = with(store(), json!(null));
    let open = json!([{"name": "a", "counts": "Calls", "most": [{"tier": "basic", "open": 1}]}]);
    nothing.policies[0] = change(&nothing.policies[0], "/spec/concurrency", open);
    nothing.policies[0] = change(&nothing.policies[0], "/spec/limits", json!(null));
    refused(&nothing, Reason::InvalidLimit, "has a store but no limits");
}

#[test]
fn on_this_machine_one_process_counts_for_itself() {
    let place = |port: u16| std::net::SocketAddr::from(([127, 0, 0, 1], port));
    let local = LocalPlace::loopback(place(1), place(2), "http://127.0.0.1:3000/mcp");
    let server = validate(&with(store(), json!("Deny"))).unwrap();
    let config = configuration(&server, &Place::Local(local)).unwrap();
    assert!(config.config().routes[0].rate_limits.iter().all(|limits| limits.store.is_none()));
}
