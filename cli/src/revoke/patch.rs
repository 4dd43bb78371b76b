//! A change of `spec.deny` as a JSON patch (RFC 6902). Pure.
//!
//! Each patch begins with a test of the version that was read: whatever somebody else wrote meanwhile makes it fail instead
//! of getting lost, and the caller plans anew.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// The most entries, as the schema has it.
const MAX_ENTRIES: usize = 1000;
/// How long an entry stands after its end before it may be dropped: this machine's clock may be wrong.
const KEPT: SignedDuration = SignedDuration::from_hours(24);

/// What is wanted.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Change {
    /// A new entry.
    Add(Value),
    /// No entry of this name.
    Remove(String),
}

/// Why it can't be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum PlanError {
    /// Nothing to remove.
    #[error("there is no entry `{0}`; --list shows them")]
    Missing(String),
    /// The name is taken.
    #[error("there is an entry `{0}` already; choose another --name, or take it back by --undo")]
    Taken(String),
    /// No place.
    #[error(
        "there are {MAX_ENTRIES} entries, which is the most; take some back by --undo, or refuse by --issued-before alone"
    )]
    Full,
}

/// The patch, and the names of ended entries that it drops.
pub(super) struct Plan {
    pub(super) operations: Vec<Value>,
    pub(super) dropped: Vec<String>,
}

/// The entries of a provider.
pub(super) fn entries(provider: &Value) -> &[Value] {
    provider.pointer("/spec/deny").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// The name of an entry.
pub(super) fn name(entry: &Value) -> &str {
    entry.get("name").and_then(Value::as_str).unwrap_or_default()
}

/// When an entry ends.
pub(super) fn until(entry: &Value) -> Option<Timestamp> {
    entry.get("until")?.as_str()?.parse().ok()
}

/// Plans a change of the provider as it was read.
pub(super) fn plan(provider: &Value, change: &Change, now: Timestamp) -> Result<Plan, PlanError> {
    let present = entries(provider);
    let version = provider.pointer("/metadata/resourceVersion").cloned().unwrap_or_default();
    let mut operations = vec![json!({"op": "test", "path": "/metadata/resourceVersion", "value": version})];
    // Whoever may only add must not fail for trying to tidy up.
    let tidy = matches!(change, Change::Remove(_)) || present.len() >= MAX_ENTRIES;
    let mut dropped = Vec::new();
    // From the end, so that what is removed moves nothing that is still to be.
    for (position, entry) in present.iter().enumerate().rev() {
        let wanted = matches!(change, Change::Remove(unwanted) if unwanted == name(entry));
        let ended = tidy && until(entry).is_some_and(|until| until.duration_until(now) > KEPT);
        if wanted || ended {
            operations.push(json!({"op": "remove", "path": format!("/spec/deny/{position}")}));
        }
        if ended && !wanted {
            dropped.push(name(entry).to_owned());
        }
    }
    let left = present.len() + 1 - operations.len();
    match change {
        Change::Remove(unwanted) if !present.iter().any(|entry| name(entry) == unwanted) => {
            return Err(PlanError::Missing(unwanted.clone()));
        }
        Change::Remove(_) => {}
        Change::Add(entry) => {
            let taken = |other: &&Value| name(other) == name(entry) && !dropped.iter().any(|gone| gone == name(other));
            if present.iter().any(|other| taken(&other)) {
                return Err(PlanError::Taken(name(entry).to_owned()));
            }
            if left >= MAX_ENTRIES {
                return Err(PlanError::Full);
            }
            operations.push(match provider.pointer("/spec/deny") {
                Some(_) => json!({"op": "add", "path": "/spec/deny/-", "value": entry}),
                None => json!({"op": "add", "path": "/spec/deny", "value": [entry]}),
            });
        }
    }
    Ok(Plan { operations, dropped })
}

#[cfg(test)]
mod tests {
    use super::{Change, PlanError, plan};
    use jiff::Timestamp;
    use serde_json::{Value, json};

    fn now() -> Timestamp {
        "2026-11-23T12:00:00Z".parse().unwrap()
    }

    fn provider(deny: &Value) -> Value {
        json!({"metadata": {"resourceVersion": "7"}, "spec": {"deny": deny}})
    }

    fn operations(provider: &Value, change: &Change) -> Vec<Value> {
        plan(provider, change, now()).map(|plan| plan.operations).unwrap()
    }

    fn tested(rest: &[Value]) -> Vec<Value> {
        let test = json!({"op": "test", "path": "/metadata/resourceVersion", "value": "7"});
        [&[test], rest].concat()
    }

    #[test]
    fn the_first_entry_makes_the_list_and_others_are_appended() {
        let entry = json!({"name": "b", "subject": "x"});
        let empty = json!({"metadata": {"resourceVersion": "7"}, "spec": {}});
        let made = tested(&[json!({"op": "add", "path": "/spec/deny", "value": [entry]})]);
        assert_eq!(operations(&empty, &Change::Add(entry.clone())), made);
        let appended = tested(&[json!({"op": "add", "path": "/spec/deny/-", "value": entry})]);
        let one = provider(&json!([{"name": "a", "subject": "x"}]));
        assert_eq!(operations(&one, &Change::Add(entry)), appended);
    }

    #[test]
    fn an_entry_is_removed_by_name_and_those_that_ended_long_ago_go_along() {
        let entries = json!([
            {"name": "old", "until": "2026-11-22T11:59:59Z"},
            {"name": "ended", "until": "2026-11-22T12:00:00Z"},
            {"name": "wanted"},
            {"name": "older", "until": "2026-11-01T00:00:00Z"},
        ]);
        let found = plan(&provider(&entries), &Change::Remove("wanted".into()), now()).unwrap();
        let remove = |position: usize| json!({"op": "remove", "path": format!("/spec/deny/{position}")});
        assert_eq!(found.operations, tested(&[remove(3), remove(2), remove(0)]));
        assert_eq!(found.dropped, ["older", "old"]);
    }

    #[test]
    fn what_can_not_be_had_is_said() {
        let one = provider(&json!([{"name": "a", "subject": "x"}]));
        let error = |provider: &Value, change: Change| plan(provider, &change, now()).err();
        assert_eq!(error(&one, Change::Remove("b".into())), Some(PlanError::Missing("b".into())));
        assert_eq!(error(&one, Change::Add(json!({"name": "a"}))), Some(PlanError::Taken("a".into())));
        let many: Vec<_> = (0..1000).map(|number| json!({"name": format!("e{number}")})).collect();
        assert_eq!(error(&provider(&json!(many)), Change::Add(json!({"name": "a"}))), Some(PlanError::Full));
        let old = json!([{"name": "old", "until": "2026-01-01T00:00:00Z"}]);
        assert!(plan(&provider(&old), &Change::Add(json!({"name": "a"})), now()).unwrap().dropped.is_empty());
        let mut one_ended = many;
        one_ended[5]["until"] = "2026-01-01T00:00:00Z".into();
        assert_eq!(error(&provider(&json!(one_ended)), Change::Add(json!({"name": "e5"}))), None);
    }
}
