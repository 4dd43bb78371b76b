//! Whether an object has to be written. Pure.
//!
//! An object is as it should be if it carries the digest of what was applied last and that is what should be applied now
//! (so nothing has to be removed), and if every field that should be applied stands in it (so nobody changed one).

use crate::child::controller;
use kube::ResourceExt as _;
use kube::core::DynamicObject;
use serde_json::{Map, Value, json};
use tollward_policy::digest;

/// Annotation with the digest of what was applied.
pub(super) const APPLIED: &str = "tollward.dev/applied-digest";

/// What to do about an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Decision {
    /// Nothing.
    Keep,
    /// It does not exist.
    Make,
    /// It is ours and differs.
    Change {
        /// The one that was seen.
        uid: String,
    },
    /// It is not ours.
    Foreign,
    /// It is ours and being deleted.
    Going,
}

/// The object with the digest of itself.
pub(super) fn marked(mut object: Value) -> Value {
    let mark = digest::of(object.to_string().as_bytes());
    if let Some(Value::Object(metadata)) = object.get_mut("metadata") {
        let annotations = metadata.entry("annotations").or_insert_with(|| json!({}));
        if let Value::Object(annotations) = annotations {
            annotations.insert(APPLIED.to_owned(), Value::String(mark));
        }
    }
    object
}

/// Compares what should be with what is.
pub(super) fn decide(desired: &Value, live: Option<&DynamicObject>, server: &str) -> Decision {
    let Some(live) = live else {
        return Decision::Make;
    };
    if controller(live) != Some(server) {
        return Decision::Foreign;
    }
    if live.metadata.deletion_timestamp.is_some() {
        return Decision::Going;
    }
    let mark = desired.pointer("/metadata/annotations").and_then(|annotations| annotations.get(APPLIED));
    let same = mark.and_then(Value::as_str) == live.annotations().get(APPLIED).map(String::as_str);
    let stands = serde_json::to_value(live).is_ok_and(|live| fields_stand_in(desired, &live));
    if same && stands { Decision::Keep } else { Decision::Change { uid: live.uid().unwrap_or_default() } }
}

/// Compares all but version and kind, which objects out of a list don't carry.
fn fields_stand_in(desired: &Value, live: &Value) -> bool {
    let fields =
        desired.as_object().into_iter().flatten().filter(|(key, _)| !matches!(key.as_str(), "apiVersion" | "kind"));
    fields.into_iter().all(|(key, value)| live.get(key).map_or(is_empty(value), |live| stands_in(value, live, key)))
}

/// Maps that mean something else with one entry more.
const EXACT: [&str; 4] = ["selector", "matchLabels", "podSelector", "nodeSelector"];

/// Whether every field of `desired` stands in `live`, which may have more that the API server or others added.
fn stands_in(desired: &Value, live: &Value, field: &str) -> bool {
    match (desired, live) {
        (Value::Object(desired), Value::Object(live)) => {
            let missing = |(key, value): (&String, &Value)| {
                !live.get(key).map_or(is_empty(value), |live| stands_in(value, live, key))
            };
            let more = EXACT.contains(&field) && has_more(live, desired);
            !more && !desired.iter().any(missing)
        }
        (Value::Array(desired), Value::Array(live)) => {
            let found = |wanted: &Value| live.iter().any(|live| stands_in(wanted, live, ""));
            // Others may add themselves as owners.
            (field == "ownerReferences" || desired.len() == live.len()) && desired.iter().all(found)
        }
        (Value::String(desired), Value::String(live)) => desired == live || same_quantity(desired, live),
        (desired, live) => desired == live || (is_empty(desired) && is_empty(live)),
    }
}

fn has_more(live: &Map<String, Value>, desired: &Map<String, Value>) -> bool {
    live.iter().any(|(key, value)| !desired.contains_key(key) && !is_empty(value))
}

/// What the API server leaves out when it is not set to anything else.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) => false,
        Value::Number(number) => number.as_i64() == Some(0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
    }
}

/// The API server writes quantities its own way: `0.5` comes back as `500m`.
fn same_quantity(one: &str, other: &str) -> bool {
    matches!((quantity(one), quantity(other)), (Some(one), Some(other)) if one == other)
}

/// A quantity in thousandths.
fn quantity(text: &str) -> Option<i128> {
    let end = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end)?;
    let factor: i128 = match unit {
        "m" => 1,
        "" => 1000,
        "k" => 1_000_000,
        "M" => 1_000_000_000,
        "G" => 1_000_000_000_000,
        "T" => 1_000_000_000_000_000,
        "Ki" => 1000 << 10,
        "Mi" => 1000 << 20,
        "Gi" => 1000 << 30,
        "Ti" => 1000 << 40,
        _ => return None,
    };
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let digits = part.len().min(9);
    let part: i128 = if digits == 0 { 0 } else { part.get(..digits)?.parse().ok()? };
    let whole: i128 = if whole.is_empty() { 0 } else { whole.get(..whole.len().min(18))?.parse().ok()? };
    let scale = 10_i128.checked_pow(u32::try_from(digits).ok()?)?;
    whole.checked_mul(factor)?.checked_add(part.checked_mul(factor)? / scale)
}

#[cfg(test)]
mod tests;
