//! The catalog example as inputs, and ways to change one thing of it.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tollward_api::condition::ConditionReason;
use tollward_desired::{Desired, Inputs, InstallSettings, desired, manifests, validate};

const FILES: [(&str, &str); 3] = [
    ("mcpserver.yaml", include_str!("../../../../examples/catalog/mcpserver.yaml")),
    ("ratelimitpolicy.yaml", include_str!("../../../../examples/catalog/ratelimitpolicy.yaml")),
    ("identityprovider.yaml", include_str!("../../../../examples/catalog/identityprovider.yaml")),
];

/// The catalog example in a plain installation.
pub(crate) fn catalog() -> Inputs {
    let mut manifests = manifests::read(FILES).unwrap();
    let mut server = manifests.servers.remove(0);
    server.metadata.uid = Some("7d9f2c1e-0000-4000-8000-000000000001".into());
    Inputs {
        server,
        namespace_labels: [("team".to_owned(), "shop".to_owned())].into(),
        providers: manifests.providers,
        policies: manifests.policies,
        siblings: Vec::new(),
        generation: 7,
        install: InstallSettings::plain("ghcr.io/tollward/sidecar:0.1.0", "tollward-system"),
    }
}

/// The example in front of an existing Service.
pub(crate) fn relay() -> Inputs {
    let mut inputs = catalog();
    let source = json!({"type": "Service", "service": {"name": "legacy", "port": 8080, "path": "/mcp"}});
    inputs.server = change(&inputs.server, "/spec/source", source);
    inputs
}

/// An object with a value at a JSON pointer; `null` removes the field.
pub(crate) fn change<T: Serialize + DeserializeOwned>(object: &T, path: &str, value: Value) -> T {
    let mut json = serde_json::to_value(object).unwrap();
    let (parent, field) = path.rsplit_once('/').unwrap();
    match json.pointer_mut(parent).unwrap_or_else(|| panic!("{path}")) {
        Value::Object(fields) if value.is_null() => drop(fields.remove(field)),
        Value::Object(fields) => drop(fields.insert(field.to_owned(), value)),
        Value::Array(items) => items[field.parse::<usize>().unwrap()] = value,
        other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => panic!("{path}: {other}"),
    }
    serde_json::from_value(json).unwrap()
}

/// True if [`change`] has a place for the pointer.
pub(crate) fn has_place<T: Serialize>(object: &T, path: &str) -> bool {
    let json = serde_json::to_value(object).unwrap();
    path.rsplit_once('/').is_some_and(|(parent, _)| json.pointer(parent).is_some())
}

/// The example's server with one change.
pub(crate) fn with(path: &str, value: Value) -> Inputs {
    let mut inputs = catalog();
    inputs.server = change(&inputs.server, path, value);
    inputs
}

/// What should exist.
pub(crate) fn build(inputs: &Inputs) -> Desired {
    let validated = validate(inputs).unwrap_or_else(|findings| panic!("{findings:#?}"));
    desired(&validated).unwrap_or_else(|findings| panic!("{findings:#?}"))
}

/// Asserts that the inputs are refused for a reason, with a text in the message.
pub(crate) fn refused(inputs: &Inputs, reason: ConditionReason, expected: &str) {
    let findings = validate(inputs).err().unwrap_or_else(|| panic!("accepted, expected {reason}: {expected}"));
    let found = findings.iter().any(|finding| finding.reason == reason && finding.message.contains(expected));
    assert!(found, "{reason}: {expected}: {findings:#?}");
}
