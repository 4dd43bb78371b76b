//! The custom resource definitions that the chart brings are those that the code generates.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use super::helm;

fn files(folder: &Path) -> BTreeMap<String, String> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let files: BTreeMap<String, String> = entries
        .map(|entry| entry.expect("an entry").path())
        .map(|path| {
            let name = path.file_name().and_then(|name| name.to_str()).expect("UTF-8").to_owned();
            (name, std::fs::read_to_string(&path).expect("definitions are text"))
        })
        .collect();
    assert!(!files.is_empty(), "{} is empty", folder.display());
    files
}

/// The rendered definitions by name.
fn rendered(settings: &[&str]) -> BTreeMap<String, Value> {
    helm::render(settings)
        .into_iter()
        .filter(|object| object.kind == "CustomResourceDefinition")
        .map(|object| (object.name, object.value))
        .collect()
}

fn generated() -> BTreeMap<String, Value> {
    let texts = files(&helm::root().join("crds"));
    let parse = |text: &String| serde_saphyr::from_str::<Value>(text).expect("definitions are YAML");
    let name = |value: &Value| value.pointer("/metadata/name").and_then(Value::as_str).expect("a name").to_owned();
    texts.values().map(parse).map(|value| (name(&value), value)).collect()
}

#[test]
fn the_chart_s_copies_are_the_generated_definitions() {
    let copies = files(&helm::chart().join("files/crds"));
    assert!(
        copies == files(&helm::root().join("crds")),
        "charts/tollward/files/crds differs from crds: run `cargo xtask generate`"
    );
}

#[test]
fn definitions_are_rendered_as_they_are_and_kept_by_default() {
    let mut expected = generated();
    assert!(rendered(&["crds.keep=false"]) == expected, "a definition is changed by the template");
    for definition in expected.values_mut() {
        let metadata = definition.pointer_mut("/metadata").and_then(Value::as_object_mut).expect("metadata");
        metadata.insert("annotations".into(), json!({"helm.sh/resource-policy": "keep"}));
    }
    assert!(rendered(&[]) == expected, "a definition is not marked to be kept, or changed otherwise");
}

#[test]
fn definitions_can_be_left_to_somebody_else() {
    assert!(rendered(&["crds.enabled=false"]).is_empty());
}

#[test]
fn the_catalogue_entry_lists_every_definition() {
    let chart: Value = serde_saphyr::from_str(&helm::text("charts/tollward/Chart.yaml")).expect("YAML");
    let listed = chart["annotations"]["artifacthub.io/crds"].as_str().expect("a text");
    let listed: Vec<Value> = serde_saphyr::from_str(listed).expect("YAML");
    let listed: BTreeMap<&str, &str> = listed
        .iter()
        .map(|entry| (entry["name"].as_str().expect("a name"), entry["kind"].as_str().expect("a kind")))
        .collect();
    let generated = generated();
    let expected: BTreeMap<&str, &str> = generated
        .iter()
        .map(|(name, value)| (name.as_str(), value["spec"]["names"]["kind"].as_str().expect("a kind")))
        .collect();
    assert_eq!(listed, expected);
}
