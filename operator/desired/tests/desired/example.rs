//! The whole of what exists because of the catalog example, and of the same behind a relay.

use crate::fixture::{build, catalog, relay};
use serde_json::{Value, json};
use tollward_desired::Desired;
use tollward_policy::config::load;
use tollward_policy::digest;

fn objects(desired: &Desired) -> Value {
    let children = &desired.children;
    let mut config_map = serde_json::to_value(&children.config_map).unwrap();
    config_map["data"] = json!({"config-v1.json": "(see the configuration)"});
    config_map["metadata"]["annotations"] = json!({"tollward.dev/policy-digest": "(see the configuration)"});
    json!({
        "serviceAccount": children.service_account,
        "configMap": config_map,
        "deployment": children.deployment,
        "service": children.service,
        "networkPolicy": children.network_policy,
        "podDisruptionBudget": children.pod_disruption_budget,
    })
}

#[test]
fn the_objects_of_the_example_are_as_reviewed() {
    let desired = build(&catalog());
    insta::assert_yaml_snapshot!("catalog_objects", objects(&desired));
    insta::assert_debug_snapshot!("catalog_keys", desired.children.keys);
}

#[test]
fn the_objects_of_a_relay_are_as_reviewed() {
    insta::assert_yaml_snapshot!("relay_objects", objects(&build(&relay())));
}

#[test]
fn the_configuration_of_the_example_is_as_reviewed() {
    insta::assert_json_snapshot!("catalog_configuration", build(&catalog()).configuration.config());
}

#[test]
fn the_config_map_holds_the_very_bytes_that_the_digest_is_about() {
    let desired = build(&catalog());
    let data = desired.children.config_map.data.unwrap();
    let text = &data["config-v1.json"];
    assert_eq!(digest::of(text.as_bytes()), desired.configuration.digest());
    assert_eq!(&load(text.as_bytes()).unwrap(), desired.configuration.config());
    let annotations = desired.children.config_map.metadata.annotations.unwrap();
    assert_eq!(annotations["tollward.dev/policy-digest"], desired.configuration.digest());
}

#[test]
fn nothing_in_the_config_map_is_a_secret() {
    let text = build(&catalog()).configuration.text().to_owned();
    for word in ["PRIVATE KEY", "password", "secret"] {
        assert!(!text.contains(word), "{word}");
    }
}
