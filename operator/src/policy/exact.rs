//! Whether a policy's limits hold as they are written at a target. Pure.
//!
//! They do where one replica counts, or where all count in a store and say that it counts. The store's limits alone are
//! counted there: what is open at once and what comes before authentication is each replica's part always.

use crate::condition::Verdict;
use crate::report::StoreState;
use std::num::NonZeroU32;
use tollward_api::condition::{ConditionReason, ConditionType};
use tollward_api::ratelimitpolicy::{RateLimitPolicySpec, Store};
use tollward_policy::limits::OnStoreFailure;

const KIND: ConditionType = ConditionType::Exact;

/// Most replicas whose troubles a message names.
const NAMED: usize = 3;

/// What `states`, the target's replicas with what they say of the policy's store, amount to.
pub(super) fn exact(spec: &RateLimitPolicySpec, replicas: NonZeroU32, states: &[(String, StoreState)]) -> Verdict {
    match &spec.store {
        None => counted_apart(replicas),
        Some(store) => counted_together(spec, store, replicas, states),
    }
}

/// Counts are kept by each replica for itself, so that they are those of the policy only where there is one.
fn counted_apart(replicas: NonZeroU32) -> Verdict {
    if replicas == NonZeroU32::MIN {
        return Verdict::yes(KIND, ConditionReason::OneReplica, ConditionReason::OneReplica.meaning());
    }
    let message = format!(
        "{replicas} replicas each enforce a part of every limit: all together never let more through than it says, and a \
         caller whose calls are not spread evenly gets less. For exact limits name a store that they share in spec.store (the \
         chart brings one with valkey.enabled), or run one replica."
    );
    Verdict::no(KIND, ConditionReason::SharedByReplicas, message)
}

fn counted_together(
    spec: &RateLimitPolicySpec,
    store: &Store,
    replicas: NonZeroU32,
    states: &[(String, StoreState)],
) -> Verdict {
    let down: Vec<_> = states.iter().filter(|(_, state)| !state.up).collect();
    if !down.is_empty() {
        return unavailable(spec, store, &down, states.len());
    }
    if states.is_empty() {
        let message = "No replica has said yet whether it counts in the store.";
        return Verdict::unknown(KIND, ConditionReason::Pending, message);
    }
    let elsewhere = [
        (!spec.concurrency.is_empty()).then_some("concurrency"),
        spec.before_authentication.is_some().then_some("beforeAuthentication"),
    ];
    let elsewhere: Vec<_> = elsewhere.into_iter().flatten().collect();
    if replicas == NonZeroU32::MIN || elsewhere.is_empty() {
        return Verdict::yes(KIND, ConditionReason::SharedStore, ConditionReason::SharedStore.meaning());
    }
    let message = format!(
        "spec.limits are counted in the store and exact. spec.{} {} not: {replicas} replicas each enforce a part.",
        elsewhere.join(" and spec."),
        if elsewhere.len() == 1 { "is" } else { "are" },
    );
    Verdict::no(KIND, ConditionReason::SharedByReplicas, message)
}

fn unavailable(spec: &RateLimitPolicySpec, store: &Store, down: &[&(String, StoreState)], all: usize) -> Verdict {
    let meanwhile = match spec.on_store_failure.unwrap_or(OnStoreFailure::Local) {
        OnStoreFailure::Local => "each of them counts by its own part of the limits",
        OnStoreFailure::Deny => "they refuse limited calls with 503",
        OnStoreFailure::Allow => "they let limited calls pass uncounted",
    };
    let named = down.iter().take(NAMED).map(|(pod, state)| match &state.error {
        Some(error) => format!("{pod}: {error}"),
        None => format!("{pod} does not say why"),
    });
    let named: Vec<_> = named.collect();
    let more = if down.len() > NAMED { "; and more" } else { "" };
    let message = format!(
        "{} of {all} replicas can't count in {}, and until they can {meanwhile}. {}{more}",
        down.len(),
        store.url,
        named.join("; "),
    );
    Verdict::no(KIND, ConditionReason::StoreUnavailable, message)
}

#[cfg(test)]
mod tests {
    use super::exact;
    use crate::condition::{Holds, Verdict};
    use crate::report::StoreState;
    use serde_json::{Value, json};
    use std::num::NonZeroU32;
    use tollward_api::condition::ConditionReason as Reason;

    fn judge(spec: &Value, replicas: u32, states: &[Option<&str>]) -> Verdict {
        let mut object = json!({"targetRefs": [{"name": "catalog"}]});
        object.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        let spec = serde_json::from_value(object).unwrap();
        let state = |(number, error): (usize, Option<&str>)| {
            (format!("pod-{number}"), StoreState { up: error.is_none(), error: error.map(str::to_owned) })
        };
        let states: Vec<_> = states.iter().copied().enumerate().map(state).collect();
        exact(&spec, NonZeroU32::new(replicas).unwrap(), &states)
    }

    fn shared(more: &Value) -> Value {
        let mut spec = json!({"store": {"url": "rediss://valkey"}});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        spec
    }

    #[test]
    fn without_a_store_limits_are_exact_with_one_replica_and_say_the_remedy_with_more() {
        assert_eq!(judge(&json!({}), 1, &[]).holds, Holds::True);
        let apart = judge(&json!({}), 3, &[]);
        assert_eq!((apart.holds, apart.reason), (Holds::False, Reason::SharedByReplicas));
        assert!(apart.message.starts_with("3 replicas"), "{}", apart.message);
        assert!(apart.message.contains("spec.store") && apart.message.contains("one replica"), "{}", apart.message);
    }

    #[test]
    fn with_a_store_limits_are_exact_once_every_replica_that_answers_counts_there() {
        let none = judge(&shared(&json!({})), 3, &[]);
        assert_eq!((none.holds, none.reason), (Holds::Unknown, Reason::Pending));
        let fine = judge(&shared(&json!({"onStoreFailure": "Deny"})), 3, &[None, None, None]);
        assert_eq!((fine.holds, fine.reason), (Holds::True, Reason::SharedStore));
    }

    #[test]
    fn a_store_that_breaks_is_told_with_what_becomes_of_calls() {
        for (more, expected) in [
            (json!({}), "each of them counts by its own part"),
            (json!({"onStoreFailure": "Local"}), "each of them counts by its own part"),
            (json!({"onStoreFailure": "Deny"}), "refuse limited calls with 503"),
            (json!({"onStoreFailure": "Allow"}), "pass uncounted"),
        ] {
            let broken = judge(&shared(&more), 2, &[None, Some("connection refused")]);
            assert_eq!((broken.holds, broken.reason), (Holds::False, Reason::StoreUnavailable));
            assert!(broken.message.contains("1 of 2 replicas can't count in rediss://valkey"), "{}", broken.message);
            assert!(broken.message.contains("pod-1: connection refused"), "{}", broken.message);
            assert!(broken.message.contains(expected), "{}", broken.message);
        }
        let many = judge(&shared(&json!({})), 5, &[Some("a"); 5]);
        assert!(many.message.contains("pod-2") && !many.message.contains("pod-3"), "{}", many.message);
    }

    #[test]
    fn what_a_store_does_not_count_is_not_called_exact() {
        let open =
            json!({"concurrency": [{"name": "open", "counts": "Calls", "most": [{"tier": "default", "open": 2}]}]});
        assert_eq!(judge(&shared(&open), 1, &[None]).reason, Reason::SharedStore);
        let parts = judge(&shared(&open), 2, &[None, None]);
        assert_eq!((parts.holds, parts.reason), (Holds::False, Reason::SharedByReplicas));
        assert!(parts.message.contains("spec.concurrency is not"), "{}", parts.message);
    }
}
