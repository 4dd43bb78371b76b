//! What a workload may have.

use crate::judge::refuses;
use crate::objects::server;
use serde_json::json;
use tollward_api::MCPServer;

#[test]
fn a_workload_can_not_take_what_belongs_to_the_sidecar() {
    let place = |rest: &str| format!("/spec/source/workload/{rest}");
    let owned = "`catalog-tollward` belongs to Tollward";
    let name = json!({"name": "catalog-tollward"});
    let key = json!({"name": "catalog-tollward", "key": "k"});
    let table = [
        ("transport/port", json!(64430), "Tollward's own"),
        ("transport/port", json!(64439), "Tollward's own"),
        ("runAsUser", json!(64420), "user id 64420"),
        ("env/0", json!({"name": "HOST", "value": "0.0.0.0"}), "environment variable HOST is set by Tollward"),
        ("env/0", json!({"name": "PORT", "value": "1"}), "environment variable PORT is set by Tollward"),
        ("env/0", json!({"name": "A", "valueFrom": {"secretKeyRef": key}}), owned),
        ("env/0", json!({"name": "A", "valueFrom": {"configMapKeyRef": key}}), owned),
        ("envFrom/0", json!({"secretRef": name}), owned),
        ("envFrom/0", json!({"configMapRef": name}), owned),
    ];
    for (rest, value, expected) in table {
        refuses::<MCPServer>("MCPServer", &server(), &[(place(rest).as_str(), value, expected)]);
    }
}

#[test]
fn a_pod_can_not_take_what_belongs_to_the_sidecar() {
    let place = |rest: &str| format!("/spec/source/workload/{rest}");
    let owned = "`catalog-tollward` belongs to Tollward";
    let name = json!({"name": "catalog-tollward"});
    let table = [
        ("volumes/0/name", json!("tollward-keys"), "`tollward-keys` belongs to Tollward"),
        ("volumes/0", json!({"name": "x", "secret": {"secretName": "catalog-tollward"}}), owned),
        ("volumes/0", json!({"name": "x", "configMap": name}), owned),
        ("volumes/0", json!({"name": "x", "persistentVolumeClaim": {"claimName": "catalog-tollward"}}), owned),
        ("volumeMounts/0/name", json!("tollward-keys"), "belongs to Tollward"),
        ("podOptions/labels", json!({"tollward.dev/server": "x"}), "label `tollward.dev/server` is set by Tollward"),
        ("podOptions/labels", json!({"app.kubernetes.io/name": "x"}), "label `app.kubernetes.io/name`"),
        ("podOptions/annotations", json!({"a": "b", "x.tollward.dev/y": "z"}), "annotation `x.tollward.dev/y`"),
        ("podOptions/imagePullSecrets", json!([name]), owned),
    ];
    for (rest, value, expected) in table {
        refuses::<MCPServer>("MCPServer", &server(), &[(place(rest).as_str(), value, expected)]);
    }
    refuses::<MCPServer>(
        "MCPServer",
        &server(),
        &[("/spec/endpoint/tls", json!({"mode": "Secret", "secretName": "catalog-tollward"}), owned)],
    );
}

#[test]
fn a_variable_a_volume_and_a_path_mean_one_thing() {
    let place = |rest: &str| format!("/spec/source/workload/{rest}");
    let table = [
        ("env/0", json!({"name": "A"}), "either value or valueFrom"),
        (
            "env/0",
            json!({"name": "A", "value": "", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}),
            "either value or valueFrom",
        ),
        ("env/0", json!({"name": "A", "valueFrom": {}}), "either secretKeyRef or configMapKeyRef"),
        ("envFrom/0", json!({}), "either secretRef or configMapRef"),
        ("volumes/0", json!({"name": "x"}), "exactly one of configMap"),
        ("volumes/0", json!({"name": "x", "emptyDir": {}, "secret": {"secretName": "s"}}), "exactly one of configMap"),
        ("volumes/1/configMap/items/0/path", json!("../x"), "must not contain .."),
        ("volumes/1/configMap/items/0/path", json!("/x"), "must be relative"),
        ("volumeMounts/0/subPath", json!("a/../../b"), "must not contain .."),
    ];
    for (rest, value, expected) in table {
        refuses::<MCPServer>("MCPServer", &server(), &[(place(rest).as_str(), value, expected)]);
    }
}
