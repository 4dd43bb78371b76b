//! What counts as a difference, and whose object it is.

use super::{Decision, decide, marked, same_quantity};
use kube::core::DynamicObject;
use serde_json::{Value, json};

const SERVER: &str = "uid-of-server";

fn owned(uid: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "a-tollward", "namespace": "shop", "ownerReferences": [{
            "apiVersion": "tollward.dev/v1alpha1", "kind": "MCPServer", "name": "a", "uid": uid, "controller": true,
        }]},
        "spec": spec,
    })
}

/// The object as the API server would have it after it was applied.
fn live(object: &Value, change: impl FnOnce(&mut Value)) -> DynamicObject {
    let mut object = marked(object.clone());
    object["metadata"]["uid"] = json!("uid-of-child");
    object["metadata"]["resourceVersion"] = json!("7");
    object["status"] = json!({"replicas": 1});
    change(&mut object);
    serde_json::from_value(object).unwrap()
}

fn spec() -> Value {
    json!({
        "replicas": 2,
        "selector": {"matchLabels": {"app": "a"}},
        "template": {"spec": {
            "automountServiceAccountToken": false,
            "containers": [{"name": "server", "args": ["a", "b"], "resources": {"limits": {"cpu": "0.5"}}}],
        }},
    })
}

fn decided(change: impl FnOnce(&mut Value)) -> Decision {
    let desired = owned(SERVER, &spec());
    decide(&marked(desired.clone()), Some(&live(&desired, change)), SERVER)
}

#[test]
fn what_was_applied_is_kept_with_all_that_the_api_server_adds() {
    let decision = decided(|live| {
        live["spec"]["progressDeadlineSeconds"] = json!(600);
        live["spec"]["template"]["spec"]["containers"][0]["terminationMessagePath"] = json!("/dev/termination-log");
        live["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["cpu"] = json!("500m");
        live["spec"]["template"]["spec"].as_object_mut().unwrap().remove("automountServiceAccountToken");
        live["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = json!("1");
        live["metadata"]["ownerReferences"].as_array_mut().unwrap().push(json!({
            "apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "y"
        }));
    });
    assert_eq!(decision, Decision::Keep);
}

#[test]
fn an_object_out_of_a_list_is_kept_although_it_carries_no_kind() {
    let decision = decided(|live| {
        let live = live.as_object_mut().unwrap();
        live.remove("apiVersion");
        live.remove("kind");
    });
    assert_eq!(decision, Decision::Keep);
}

#[test]
fn a_field_that_somebody_changed_is_changed_back() {
    let changes: [fn(&mut Value); 6] = [
        |live| live["spec"]["replicas"] = json!(0),
        |live| live["spec"]["template"]["spec"]["containers"][0]["args"] = json!(["a"]),
        |live| live["spec"]["template"]["spec"]["containers"][0]["args"] = json!(["a", "c"]),
        |live| live["spec"]["selector"]["matchLabels"]["more"] = json!("b"),
        |live| live["spec"]["template"]["spec"]["automountServiceAccountToken"] = json!(true),
        |live| {
            let containers = live["spec"]["template"]["spec"]["containers"].as_array_mut().unwrap();
            containers.push(json!({"name": "intruder"}));
        },
    ];
    for (index, change) in changes.into_iter().enumerate() {
        let expected = Decision::Change { uid: "uid-of-child".into() };
        assert_eq!(decided(change), expected, "{index}");
    }
}

#[test]
fn a_field_that_is_no_longer_wanted_is_a_difference() {
    let before = owned(SERVER, &spec());
    let mut after = before.clone();
    after["spec"]["template"]["spec"]["containers"][0].as_object_mut().unwrap().remove("resources");
    let decision = decide(&marked(after), Some(&live(&before, |_| {})), SERVER);
    assert_eq!(decision, Decision::Change { uid: "uid-of-child".into() });
}

#[test]
fn what_is_not_the_servers_own_is_foreign_whatever_it_holds() {
    let desired = marked(owned(SERVER, &spec()));
    let foreign: [fn(&mut Value); 4] = [
        |live| drop(live["metadata"].as_object_mut().unwrap().remove("ownerReferences")),
        |live| live["metadata"]["ownerReferences"][0]["uid"] = json!("another-server"),
        |live| live["metadata"]["ownerReferences"][0]["controller"] = json!(false),
        |live| live["metadata"]["ownerReferences"][0]["apiVersion"] = json!("example.com/v1"),
    ];
    for (index, change) in foreign.into_iter().enumerate() {
        let live = live(&owned(SERVER, &spec()), change);
        assert_eq!(decide(&desired, Some(&live), SERVER), Decision::Foreign, "{index}");
    }
    assert_eq!(decide(&desired, None, SERVER), Decision::Make);
    let going =
        live(&owned(SERVER, &spec()), |live| live["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z"));
    assert_eq!(decide(&desired, Some(&going), SERVER), Decision::Going);
}

#[test]
fn quantities_are_compared_by_value() {
    for (one, other) in [("0.5", "500m"), ("1", "1000m"), ("1Gi", "1024Mi"), ("1.5Gi", "1536Mi"), ("2k", "2000")] {
        assert!(same_quantity(one, other), "{one} {other}");
    }
    for (one, other) in [("0.5", "501m"), ("1G", "1Gi"), ("a", "b"), ("", "a"), ("1e3", "1000")] {
        assert!(!same_quantity(one, other), "{one} {other}");
    }
}
