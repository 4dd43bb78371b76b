//! What every schema goes through after it was derived: no `nullable`, no formats that Kubernetes does not know, and a
//! bound on everything, also within types that Kubernetes itself defines.

use serde_json::{Map, Value, json};

/// Bound of lists that have none of their own.
const ITEMS: u32 = 64;
/// Bound of maps that have none of their own.
const PROPERTIES: u32 = 64;
/// Bound of texts that have none of their own, in characters.
const LENGTH: u32 = 1024;
/// Bound of a condition's message, as Kubernetes has it.
const MESSAGE_LENGTH: u32 = 32768;

/// Tightens a schema and everything in it.
pub(super) fn tighten(schema: &mut Value) {
    let Some(object) = schema.as_object_mut() else {
        return;
    };
    object.remove("nullable");
    unwrap_description(object);
    tidy_format(object);
    bound(object);
    for (_, property) in object.get_mut("properties").and_then(Value::as_object_mut).into_iter().flatten() {
        tighten(property);
    }
    for key in ["items", "additionalProperties"] {
        if let Some(inner) = object.get_mut(key) {
            tighten(inner);
        }
    }
    tighten_condition(object);
}

/// Joins lines that were broken only because source files are narrow; lists keep theirs.
fn unwrap_description(object: &mut Map<String, Value>) {
    let Some(Value::String(text)) = object.get_mut("description") else {
        return;
    };
    let is_prose = |line: &str| line.starts_with(|first: char| first.is_alphanumeric() || "`(/".contains(first));
    if text.lines().all(is_prose) {
        *text = text.replace('\n', " ");
    }
}

/// Keeps the formats of the API conventions. An unsigned number's format is unknown to Kubernetes.
fn tidy_format(object: &mut Map<String, Value>) {
    let known = ["int32", "int64", "date-time"];
    if object.get("format").and_then(Value::as_str).is_some_and(|format| !known.contains(&format)) {
        object.remove("format");
    }
}

fn bound(object: &mut Map<String, Value>) {
    let is_choice = object.contains_key("enum");
    let is_map = object.contains_key("additionalProperties");
    let int_or_string = object.get("x-kubernetes-int-or-string") == Some(&json!(true));
    let (key, most) = match object.get("type").and_then(Value::as_str) {
        Some("array") => ("maxItems", ITEMS),
        Some("object") if is_map => ("maxProperties", PROPERTIES),
        Some("string") if !is_choice => ("maxLength", LENGTH),
        None if int_or_string => ("maxLength", 64),
        Some(_) | None => return,
    };
    object.entry(key).or_insert_with(|| json!(most));
}

/// Kubernetes allows long messages in conditions, and asks for well-formed types and reasons.
fn tighten_condition(object: &mut Map<String, Value>) {
    let Some(properties) = object.get_mut("properties").and_then(Value::as_object_mut) else {
        return;
    };
    if !properties.contains_key("lastTransitionTime") {
        return;
    }
    let rules = [
        ("type", json!({"maxLength": 316})),
        ("status", json!({"enum": ["True", "False", "Unknown"]})),
        ("reason", json!({"minLength": 1, "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"})),
        ("message", json!({"maxLength": MESSAGE_LENGTH})),
        ("observedGeneration", json!({"minimum": 0})),
    ];
    for (name, extra) in rules {
        let property = properties.get_mut(name).and_then(Value::as_object_mut);
        if let (Some(property), Value::Object(extra)) = (property, extra) {
            property.extend(extra);
        }
    }
}
