//! Whether the server can be reached past Tollward. Pure.

use super::{Replica, Running};
use crate::condition::Verdict;
use crate::report::ReportError;
use tollward_api::condition::{ConditionReason, ConditionType};
use tollward_api::ports;
use tollward_desired::validate::Shape;
use tollward_policy::report::{ForeignListener, Seal, SealingReport};

const KIND: ConditionType = ConditionType::Sealed;
/// Most pods, and most listeners of a pod, that a message names.
const PODS: usize = 3;
const LISTENERS: usize = 4;

/// The condition where nothing that was written runs yet.
pub(super) fn unknown() -> Verdict {
    Verdict::unknown(KIND, ConditionReason::Pending, ConditionReason::Pending.meaning())
}

/// The condition.
pub(super) fn verdict(running: &Running) -> Verdict {
    match &running.shape {
        Shape::Workload(workload) => of_pods(&running.replicas, running.wanted, workload.transport.port),
        Shape::Service(service) => Verdict::no(
            KIND,
            ConditionReason::UpstreamReachable,
            format!(
                "The pods behind the Service `{}` are not Tollward's: whoever reaches them goes past it. Admit only this server's relay by a \
                 NetworkPolicy on them, and say that this is done by spec.sealing.mode BestEffort; or let Tollward run the server \
                 (source.type Workload).",
                service.name
            ),
        ),
    }
}

fn of_pods(replicas: &[Replica], wanted: i64, port: i32) -> Verdict {
    let open: Vec<_> = replicas.iter().filter_map(|replica| Some((replica, seen(replica, Seal::Open)?))).collect();
    if !open.is_empty() {
        return Verdict::no(KIND, ConditionReason::ForeignListener, foreign(&open, port));
    }
    let unseen: Vec<_> = replicas.iter().filter(|replica| seen(replica, Seal::Closed).is_none()).collect();
    let starts = |replica: &&&Replica| matches!(replica.answer, Err(ReportError::NotStarted));
    if unseen.iter().any(|replica| !starts(&replica)) {
        return Verdict::unknown(KIND, ConditionReason::NotObserved, unobserved(&unseen));
    }
    if !unseen.is_empty() || (replicas.is_empty() && wanted > 0) {
        return unknown();
    }
    Verdict::yes(KIND, ConditionReason::Sealed, ConditionReason::Sealed.meaning())
}

fn seen(replica: &Replica, seal: Seal) -> Option<&SealingReport> {
    replica.answer.as_ref().ok()?.sealing.as_ref().filter(|report| report.seal() == seal)
}

/// Who listens where, and what to do.
fn foreign(open: &[(&Replica, &SealingReport)], port: i32) -> String {
    let pods = open.iter().take(PODS).map(|(replica, report)| {
        let shown: Vec<_> = report.listeners.iter().take(LISTENERS).map(ToString::to_string).collect();
        let more = report.listeners.len().saturating_sub(LISTENERS) + report.more as usize;
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        format!("pod {}: {}{more}", replica.pod, shown.join(", "))
    });
    let pods = pods.collect::<Vec<_>>().join("; ");
    let others = open.len().saturating_sub(PODS);
    let others = if others == 0 { String::new() } else { format!("; and {others} more pods") };
    let is_own = |listener: &ForeignListener| ports::is_reserved(listener.port.into());
    let taken = if open.iter().flat_map(|(_, report)| &report.listeners).any(is_own) {
        " A port of Tollward's is among them: whoever took it may wait for its callers."
    } else {
        ""
    };
    format!(
        "Others can connect past Tollward to {pods}{others}.{taken} Let the server listen on 127.0.0.1:{port} only, as HOST and PORT tell \
         it, and open no other port; spec.sealing.mode BestEffort accepts it as it is."
    )
}

fn unobserved(unseen: &[&Replica]) -> String {
    let why = |replica: &Replica| match &replica.answer {
        Err(error) => error.to_string(),
        Ok(report) => match &report.sealing {
            None => "its data plane is of a version that does not look".to_owned(),
            Some(report) => report.error.clone().unwrap_or_default(),
        },
    };
    let pods: Vec<_> =
        unseen.iter().take(PODS).map(|replica| format!("pod {}: {}", replica.pod, why(replica))).collect();
    format!("It is not known who listens in {} pods. {}", unseen.len(), pods.join("; "))
}

#[cfg(test)]
mod tests;
