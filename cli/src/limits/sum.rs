//! All replicas together. Pure.
//!
//! Each replica enforces a part, so what is left altogether is the sum, and a replica that says nothing of a count has nothing
//! charged to it. A limit that is counted in a store is one for all.

use super::replicas::Replica;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use tollward_policy::inquiry::{Answer, Counts, LimitState};

/// A limit at all replicas that answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Sum {
    #[serde(flatten)]
    pub(super) state: LimitState,
    /// As many replicas' parts it is.
    pub(super) replicas: usize,
}

type Name = (String, String, String);

/// The limits at all replicas that answered.
pub(super) fn sum(replicas: &[Replica]) -> Vec<Sum> {
    let answers: Vec<_> = replicas.iter().filter_map(|replica| replica.answer.as_ref()).collect();
    let name = |state: &LimitState| (state.server.clone(), state.limit.clone(), state.tier.clone());
    let mut abouts: BTreeMap<Name, BTreeSet<Option<String>>> = BTreeMap::new();
    for state in answers.iter().flat_map(|answer| &answer.limits) {
        abouts.entry(name(state)).or_default().insert(state.about.clone());
    }
    let mut sums = Vec::new();
    for (wanted, mut about) in abouts {
        let tells_both = |answer: &&Answer| {
            let of: BTreeSet<_> =
                answer.limits.iter().filter(|it| name(it) == wanted).map(|it| it.about.is_some()).collect();
            of.len() > 1
        };
        if about.len() > 1 && !answers.iter().copied().any(|answer| tells_both(&answer)) {
            // A replica at which nothing was called has nothing to tell apart.
            about.remove(&None);
        }
        for about in about {
            let parts = answers.iter().filter_map(|answer| {
                let mut of = answer.limits.iter().filter(|state| name(state) == wanted);
                let same = of.clone().find(|state| state.about == about);
                same.cloned().or_else(|| of.next().filter(|state| !state.in_store).map(untouched))
            });
            let parts = parts.collect();
            sums.extend(together(parts, about));
        }
    }
    sums
}

/// A part of the same limit from which nothing is taken.
fn untouched(other: &LimitState) -> LimitState {
    LimitState { left: other.left.map(|_| other.most), full_after_millis: 0, retry_after_millis: None, ..other.clone() }
}

/// What the store told any of them is what it says of all; of several answers the one with the least left.
fn of_store(parts: Vec<LimitState>, about: Option<String>) -> Option<Sum> {
    let replicas = parts.len();
    let least = parts.into_iter().min_by_key(|part| (part.left.is_none(), part.left))?;
    Some(Sum { state: LimitState { about, ..least }, replicas })
}

fn together(parts: Vec<LimitState>, about: Option<String>) -> Option<Sum> {
    if parts.iter().any(|part| part.in_store) {
        // A replica that was not told yet of the store counts what it forgets soon.
        return of_store(parts.into_iter().filter(|part| part.in_store).collect(), about);
    }
    let replicas = parts.len();
    let mut parts = parts.into_iter();
    let mut whole = LimitState { about, ..parts.next()? };
    for part in parts {
        whole.most = whole.most.saturating_add(part.most);
        whole.left = whole.left.zip(part.left).map(|(one, other)| one.saturating_add(other));
        whole.full_after_millis = whole.full_after_millis.max(part.full_after_millis);
        whole.retry_after_millis =
            whole.retry_after_millis.zip(part.retry_after_millis).map(|(one, other)| one.min(other));
        if let (Counts::Requests { requests, .. }, Counts::Requests { requests: more, .. }) =
            (&mut whole.counts, part.counts)
        {
            *requests = requests.saturating_add(more);
        }
    }
    Some(Sum { state: whole, replicas })
}

#[cfg(test)]
mod tests {
    use super::{Sum, sum};
    use crate::limits::replicas::Replica;
    use serde_json::{Value, json};

    fn replica(name: &str, limits: &Value) -> Replica {
        Replica { name: name.into(), answer: serde_json::from_value(json!({"limits": limits})).unwrap(), error: None }
    }

    fn state(about: Option<&str>, left: Option<u32>) -> Value {
        json!({"server": "shop/catalog", "limit": "p/calls", "tier": "basic", "about": about, "counts": "Requests",
            "requests": 50, "windowSeconds": 60, "most": 5, "left": left, "fullAfterMillis": 1000 * u64::from(5 - left.unwrap_or(5)),
            "retryAfterMillis": (left == Some(0)).then_some(700)})
    }

    type Short<'a> = (Option<&'a str>, u32, Option<u32>, Option<u64>);

    /// What it is about, the most, what is left and how long to wait.
    fn short(sums: &[Sum]) -> Vec<Short<'_>> {
        sums.iter()
            .map(|Sum { state, replicas: _ }| {
                (state.about.as_deref(), state.most, state.left, state.retry_after_millis)
            })
            .collect()
    }

    #[test]
    fn parts_of_replicas_add_up_and_one_that_has_something_left_refuses_nobody_yet() {
        let some = sum(&[replica("a", &json!([state(None, Some(0))])), replica("b", &json!([state(None, Some(3))]))]);
        assert_eq!(short(&some), [(None, 10, Some(3), None)]);
        let none = sum(&[replica("a", &json!([state(None, Some(0))])), replica("b", &json!([state(None, Some(0))]))]);
        assert_eq!(short(&none), [(None, 10, Some(0), Some(700))]);
    }

    #[test]
    fn a_replica_at_which_a_tool_was_never_called_has_its_whole_part_left() {
        let one = replica("a", &json!([state(Some("x"), Some(1)), state(Some("y"), Some(4))]));
        let sums = sum(&[one, replica("b", &json!([state(None, Some(5))]))]);
        assert_eq!(short(&sums), [(Some("x"), 10, Some(6), None), (Some("y"), 10, Some(9), None)]);
    }

    #[test]
    fn a_count_in_a_store_is_one_for_all() {
        let stored = |about, left| {
            let mut stored = state(about, left);
            stored["inStore"] = json!(true);
            stored
        };
        let (silent, told) = (stored(None, None), stored(None, Some(2)));
        let sums = sum(&[replica("a", &json!([silent])), replica("b", &json!([told.clone()]))]);
        assert_eq!(short(&sums), [(None, 5, Some(2), None)], "one that could be asked tells for all");
        let sums = sum(&[replica("a", &json!([silent.clone()])), replica("b", &json!([silent]))]);
        assert_eq!(short(&sums), [(None, 5, None, None)]);
        let sums = sum(&[replica("a", &json!([told.clone()])), replica("b", &json!([stored(None, Some(1))]))]);
        assert_eq!(short(&sums), [(None, 5, Some(1), None)]);
        // A replica that knows none of the names has nothing to add.
        let sums = sum(&[replica("a", &json!([told])), replica("b", &json!([stored(Some("x"), Some(3))]))]);
        assert_eq!(short(&sums), [(Some("x"), 5, Some(3), None)]);
        assert!(sum(&[Replica { name: "a".into(), answer: None, error: Some("gone".into()) }]).is_empty());
    }
}
