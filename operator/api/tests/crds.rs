//! The definitions as a whole: committed files are current, and no schema has what would weaken it.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed expectation is how a test fails, in its helpers too"
)]

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::Value;
use std::path::Path;
use tollward_api::{crds, generated, yaml};

fn schemas() -> Vec<(String, Value)> {
    crds()
        .unwrap()
        .into_iter()
        .map(|crd| {
            let name = crd.metadata.name.clone().unwrap();
            let version = serde_json::to_value(&crd.spec.versions[0]).unwrap();
            (name, version["schema"]["openAPIV3Schema"].clone())
        })
        .collect()
}

/// Calls `look` with every schema within, and its path.
fn walk(path: &str, schema: &Value, look: &mut dyn FnMut(&str, &Value)) {
    look(path, schema);
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        walk(&format!("{path}.{name}"), property, look);
    }
    for inner in ["items", "additionalProperties"] {
        if schema[inner].is_object() {
            walk(&format!("{path}[]"), &schema[inner], look);
        }
    }
}

fn problems(judge: impl Fn(&Value) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for (name, schema) in schemas() {
        walk(&name, &schema, &mut |path, node| {
            if judge(node) {
                found.push(path.to_owned());
            }
        });
    }
    found
}

#[test]
fn the_committed_definitions_are_current() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let write = std::env::var("TOLLWARD_GENERATE").is_ok_and(|mode| mode == "write");
    for (path, content) in generated().unwrap() {
        let file = root.join(&path);
        if write {
            std::fs::write(&file, &content).unwrap();
        }
        let committed = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(committed == content, "{path} is out of date; run `cargo xtask generate`");
    }
}

#[test]
fn a_definition_survives_being_written_as_yaml() {
    for crd in crds().unwrap() {
        let text = yaml(&crd).unwrap();
        let read: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
        let read: CustomResourceDefinition = serde_json::from_value(read).unwrap();
        assert_eq!(read, crd);
    }
}

#[test]
fn texts_for_people_are_not_broken_where_the_source_file_is() {
    let ours = |node: &Value| {
        node["description"].as_str().is_some_and(|text| text.contains('\n') && text.contains("Tollward"))
    };
    assert_eq!(problems(ours), Vec::<String>::new());
}

#[test]
fn nothing_is_nullable_so_that_an_explicit_null_can_not_step_around_a_default() {
    assert_eq!(problems(|node| node.get("nullable").is_some()), Vec::<String>::new());
    let alternatives = |node: &Value| ["anyOf", "oneOf", "allOf"].iter().any(|key| node.get(key).is_some());
    assert_eq!(problems(alternatives), Vec::<String>::new());
}

#[test]
fn every_text_list_and_map_is_bounded() {
    let unbounded = |node: &Value| {
        let bound = match node["type"].as_str() {
            Some("string") if node.get("enum").is_none() && node["format"] != "date-time" => "maxLength",
            Some("array") => "maxItems",
            Some("object") if node.get("additionalProperties").is_some() => "maxProperties",
            None if node["x-kubernetes-int-or-string"] == true => "maxLength",
            _ => return false,
        };
        node.get(bound).is_none()
    };
    assert_eq!(problems(unbounded), Vec::<String>::new());
}

#[test]
fn every_node_has_a_type_and_numbers_have_formats_that_kubernetes_knows() {
    let untyped = |node: &Value| node.get("type").is_none() && node["x-kubernetes-int-or-string"] != true;
    assert_eq!(problems(untyped), Vec::<String>::new());
    let odd = |node: &Value| match (node["type"].as_str(), node["format"].as_str()) {
        (Some("integer"), format) => !matches!(format, Some("int32" | "int64")),
        (Some("number"), _) => true,
        (_, Some(format)) => format != "date-time",
        (_, None) => false,
    };
    assert_eq!(problems(odd), Vec::<String>::new());
}

#[test]
fn every_field_of_ours_is_explained() {
    let unexplained = |node: &Value| {
        node["properties"].as_object().is_some_and(|properties| {
            properties.iter().any(|(name, property)| {
                !matches!(name.as_str(), "metadata" | "spec" | "status") && property.get("description").is_none()
            })
        })
    };
    assert_eq!(problems(unexplained), Vec::<String>::new());
}

#[test]
fn every_rule_has_a_message_and_no_line_break() {
    let silent = |node: &Value| {
        node["x-kubernetes-validations"].as_array().is_some_and(|rules| {
            rules.iter().any(|rule| {
                let told = rule.get("message").or(rule.get("messageExpression"));
                told.is_none() || rule["rule"].as_str().unwrap().contains('\n')
            })
        })
    };
    assert_eq!(problems(silent), Vec::<String>::new());
}

#[test]
fn conditions_are_a_map_by_type() {
    let other = |node: &Value| {
        let conditions = &node["properties"]["conditions"];
        conditions.is_object()
            && (conditions["x-kubernetes-list-type"] != "map" || conditions["x-kubernetes-list-map-keys"][0] != "type")
    };
    assert_eq!(problems(other), Vec::<String>::new());
}

#[test]
fn a_definition_fits_into_the_object_size_that_etcd_takes() {
    for (path, content) in generated().unwrap() {
        assert!(content.len() < 400_000, "{path} has {} bytes", content.len());
    }
}
