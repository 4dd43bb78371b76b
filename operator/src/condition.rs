//! Conditions of a status: what a reconcile found, merged with what the status said before.
//!
//! Pure. A condition's transition time changes with its status only, so that `kubectl describe` tells since when.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use tollward_api::condition::{ConditionReason, ConditionType, Conditions};

/// Most characters of a message: an API server refuses more than 32768.
const MAX_MESSAGE: usize = 2048;

/// Whether a condition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// It does.
    True,
    /// It does not.
    False,
    /// The operator can't say yet.
    Unknown,
}

impl Holds {
    const fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

/// What a reconcile found about one condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Which condition.
    pub condition: ConditionType,
    /// Whether it holds.
    pub holds: Holds,
    /// Why.
    pub reason: ConditionReason,
    /// What is the matter and what to do, for a person.
    pub message: String,
}

impl Verdict {
    /// It holds.
    pub fn yes(condition: ConditionType, reason: ConditionReason, message: impl Into<String>) -> Self {
        Self::new(condition, Holds::True, reason, message)
    }

    /// It does not hold.
    pub fn no(condition: ConditionType, reason: ConditionReason, message: impl Into<String>) -> Self {
        Self::new(condition, Holds::False, reason, message)
    }

    /// Nobody knows yet.
    pub fn unknown(condition: ConditionType, reason: ConditionReason, message: impl Into<String>) -> Self {
        Self::new(condition, Holds::Unknown, reason, message)
    }

    fn new(condition: ConditionType, holds: Holds, reason: ConditionReason, message: impl Into<String>) -> Self {
        Self { condition, holds, reason, message: message.into() }
    }
}

/// The conditions of a status that had `before`.
pub fn merge(before: &[Condition], verdicts: &[Verdict], generation: Option<i64>, now: Timestamp) -> Conditions {
    verdicts
        .iter()
        .map(|verdict| {
            let kind = verdict.condition.as_str();
            let earlier =
                before.iter().find(|condition| condition.type_ == kind && condition.status == verdict.holds.as_str());
            Condition {
                type_: kind.to_owned(),
                status: verdict.holds.as_str().to_owned(),
                reason: verdict.reason.as_str().to_owned(),
                message: bounded(&verdict.message),
                observed_generation: generation,
                last_transition_time: earlier
                    .map_or_else(|| Time(whole_seconds(now)), |it| it.last_transition_time.clone()),
            }
        })
        .collect()
}

/// Conditions whose status or reason differ from before: what is worth an event.
pub fn transitions<'a>(before: &[Condition], after: &'a [Condition]) -> Vec<&'a Condition> {
    after
        .iter()
        .filter(|new| {
            let same =
                |old: &&Condition| old.type_ == new.type_ && old.status == new.status && old.reason == new.reason;
            before.iter().find(same).is_none()
        })
        .collect()
}

/// The API server keeps whole seconds; a status that is compared with what it returns must have no more.
pub(crate) fn whole_seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

fn bounded(message: &str) -> String {
    match message.char_indices().nth(MAX_MESSAGE) {
        Some((end, _)) => format!("{}…", message.get(..end).unwrap_or_default()),
        None => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Verdict, merge, transitions};
    use jiff::Timestamp;
    use tollward_api::condition::{ConditionReason, ConditionType};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_transition_time_changes_with_the_status_only() {
        let ready = |message: &str| vec![Verdict::yes(ConditionType::Ready, ConditionReason::Ready, message)];
        let first = merge(&[], &ready("a"), Some(1), at(10));
        let second = merge(&first, &ready("b"), Some(2), at(20));
        assert_eq!(second[0].last_transition_time.0, at(10));
        assert_eq!((second[0].message.as_str(), second[0].observed_generation), ("b", Some(2)));
        let broken = vec![Verdict::no(ConditionType::Ready, ConditionReason::Invalid, "c")];
        let third = merge(&second, &broken, Some(2), at(30));
        assert_eq!(third[0].last_transition_time.0, at(30));
    }

    #[test]
    fn a_new_message_alone_is_no_transition() {
        let verdict = |reason, message: &str| vec![Verdict::no(ConditionType::Ready, reason, message)];
        let before = merge(&[], &verdict(ConditionReason::Pending, "a"), None, at(0));
        let same = merge(&before, &verdict(ConditionReason::Pending, "b"), None, at(1));
        assert!(transitions(&before, &same).is_empty());
        let other = merge(&before, &verdict(ConditionReason::Invalid, "b"), None, at(1));
        assert_eq!(transitions(&before, &other).len(), 1);
        assert_eq!(transitions(&[], &before).len(), 1);
    }

    #[test]
    fn a_message_of_any_length_is_bounded_between_characters() {
        let verdicts = vec![Verdict::no(ConditionType::Ready, ConditionReason::Invalid, "ä".repeat(5000))];
        let conditions = merge(&[], &verdicts, None, at(0));
        assert_eq!(conditions[0].message.chars().count(), 2049);
    }
}
