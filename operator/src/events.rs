//! Events where a condition changed, so that `kubectl describe` tells cause and next step.

use crate::condition::transitions;
use crate::subject::Subject;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::Client;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use tollward_api::condition::{ConditionReason, ConditionType};

/// Most bytes of an event's note.
const MAX_NOTE: usize = 1000;

/// Publishes events.
pub struct Events(Recorder);

impl Events {
    /// As this instance of the operator.
    pub fn new(client: Client, instance: Option<String>) -> Self {
        let reporter = Reporter { controller: tollward_controller().to_owned(), instance };
        Self(Recorder::new(client, reporter))
    }

    /// Tells what `Ready` changed to, or for kinds without it, what `Accepted` or else `Exact` did. Failures are logged: an event is a
    /// convenience, the status is the truth.
    pub async fn tell(&self, subject: &Subject, before: &[Condition], after: &[Condition]) {
        let changed = transitions(before, after);
        let find = |kind: ConditionType| changed.iter().find(|condition| condition.type_ == kind.as_str());
        let kinds = [ConditionType::Ready, ConditionType::Accepted, ConditionType::Exact];
        let Some(condition) = kinds.into_iter().find_map(find) else { return };
        let event = Event {
            type_: kind(condition),
            reason: condition.reason.clone(),
            note: Some(bounded(&condition.message)),
            action: "Reconcile".to_owned(),
            secondary: None,
        };
        if let Err(error) = self.0.publish(&event, &subject.reference).await {
            tracing::debug!(%error, "an event could not be published");
        }
    }
}

/// The name under which the operator appears in status and events.
pub const fn tollward_controller() -> &'static str {
    "tollward.dev/operator"
}

/// Something to look at, or the ordinary course of things. Every edit is pending for a moment.
fn kind(condition: &Condition) -> EventType {
    if condition.status == "False" && condition.reason != ConditionReason::Pending.as_str() {
        EventType::Warning
    } else {
        EventType::Normal
    }
}

fn bounded(message: &str) -> String {
    message.get(..message.floor_char_boundary(MAX_NOTE)).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::kind;
    use crate::condition::{Verdict, merge};
    use jiff::Timestamp;
    use kube::runtime::events::EventType;
    use tollward_api::condition::{ConditionReason, ConditionType};

    #[test]
    fn what_only_takes_a_moment_is_no_warning() {
        let ready = |verdict: Verdict| kind(&merge(&[], &[verdict], None, Timestamp::UNIX_EPOCH)[0]);
        let no = |reason| ready(Verdict::no(ConditionType::Ready, reason, "because"));
        assert_eq!(no(ConditionReason::Pending), EventType::Normal);
        assert_eq!(no(ConditionReason::InvalidRule), EventType::Warning);
        assert_eq!(no(ConditionReason::ReplicasUnavailable), EventType::Warning);
        assert_eq!(ready(Verdict::yes(ConditionType::Ready, ConditionReason::Ready, "fine")), EventType::Normal);
    }
}
