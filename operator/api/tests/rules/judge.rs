//! Evaluates the rules of a kind over an object, as an API server would.

use kube::core::cel::Validator;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::LazyLock;
use tollward_api::crds;

static SCHEMAS: LazyLock<BTreeMap<String, Value>> = LazyLock::new(|| {
    let schema =
        |crd: &_| serde_json::to_value(crd).unwrap()["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone();
    crds().unwrap().iter().map(|crd| (crd.spec.names.kind.clone(), schema(crd))).collect()
});

/// The messages of the rules that an object breaks. Reading and writing it as its type fills in the defaults.
pub(crate) fn judge<T: Serialize + DeserializeOwned>(kind: &str, object: Value) -> Vec<String> {
    let typed: T = serde_json::from_value(object).unwrap();
    let written = serde_json::to_value(&typed).unwrap();
    match Validator::new().validate(&SCHEMAS[kind], &written, None) {
        Ok(()) => Vec::new(),
        Err(errors) => errors.iter().map(ToString::to_string).collect(),
    }
}

/// The object with a value at a JSON pointer; `null` removes the field.
pub(crate) fn with(mut object: Value, path: &str, value: Value) -> Value {
    let (parent, field) = path.rsplit_once('/').unwrap();
    let parent = object.pointer_mut(parent).unwrap_or_else(|| panic!("{path}"));
    match (parent, value) {
        (Value::Object(fields), Value::Null) => drop(fields.remove(field)),
        (Value::Object(fields), value) => drop(fields.insert(field.into(), value)),
        (Value::Array(items), value) => items[field.parse::<usize>().unwrap()] = value,
        (other, _) => panic!("{path}: {other}"),
    }
    object
}

/// Each change must be refused with a message that contains the text.
pub(crate) fn refuses<T: Serialize + DeserializeOwned>(kind: &str, good: &Value, table: &[(&str, Value, &str)]) {
    for (path, value, expected) in table {
        let messages = judge::<T>(kind, with(good.clone(), path, value.clone()));
        assert!(messages.iter().any(|message| message.contains(expected)), "{path} = {value}: {messages:?}");
    }
}

/// Each change must be accepted.
pub(crate) fn accepts<T: Serialize + DeserializeOwned>(kind: &str, good: &Value, table: &[(&str, Value)]) {
    assert_eq!(judge::<T>(kind, good.clone()), Vec::<String>::new());
    for (path, value) in table {
        let messages = judge::<T>(kind, with(good.clone(), path, value.clone()));
        assert_eq!(messages, Vec::<String>::new(), "{path} = {value}");
    }
}
