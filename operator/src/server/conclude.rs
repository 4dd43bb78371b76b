//! What a look at a server amounts to: conditions. Pure.

mod identity;
mod sealed;

use super::apply::{ApplyError, Written};
use crate::condition::{Holds, Verdict};
use crate::report::ReportError;
use tollward_api::condition::{ConditionReason, ConditionType};
use tollward_api::mcpserver::SealingMode;
use tollward_desired::validate::{Shape, UpstreamAuthPlan};
use tollward_desired::{Finding, Subject};
use tollward_policy::report::Report;

/// How a look ended.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// The object can't be read by this operator.
    Unreadable(String),
    /// It makes no sense, or refers to what is not there.
    Refused(Vec<Finding>),
    /// It makes sense and could not be written.
    Unwritten(ApplyError),
    /// It was written, or stood there already.
    Written(Running),
}

/// What runs.
#[derive(Debug, Clone)]
pub struct Running {
    /// What this look wrote.
    pub written: Written,
    /// Digest of the configuration that replicas should enforce.
    pub digest: String,
    /// The public URL.
    pub url: String,
    /// The audience of tokens, if tokens are asked for.
    pub audience: Option<String>,
    /// Whose tokens are accepted.
    pub providers: Vec<Trusted>,
    /// As whom the server behind is called.
    pub upstream_auth: Box<UpstreamAuthPlan>,
    /// What is behind.
    pub shape: Shape,
    /// Whether it must be out of reach past the data plane.
    pub sealing: SealingMode,
    /// Whether some of its limits are counted in a store, about which only its replicas know.
    pub shares_counts: bool,
    /// How many pods there should be.
    pub wanted: i64,
    /// Pods of the newest template.
    pub updated: i64,
    /// Pods that are ready.
    pub available: i64,
    /// All pods.
    pub total: i64,
    /// Whether these numbers are about the Deployment as it is.
    pub seen: bool,
    /// The pods.
    pub replicas: Vec<Replica>,
}

/// A provider as the configuration has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trusted {
    /// Namespace and name.
    pub name: String,
    /// Its issuer.
    pub issuer: String,
    /// The generation of the object that was compiled.
    pub generation: i64,
}

/// One pod.
#[derive(Debug, Clone)]
pub struct Replica {
    /// Its name.
    pub pod: String,
    /// What it says.
    pub answer: Result<Report, ReportError>,
}

impl Replica {
    /// The digest of the configuration that it enforces.
    pub fn digest(&self) -> Option<&str> {
        self.answer.as_ref().ok().map(|report| report.digest.as_str())
    }

    /// Whether it enforces a configuration, and needs no new process for it.
    pub fn enforces(&self, digest: &str) -> bool {
        self.answer.as_ref().is_ok_and(|report| report.digest == digest && !report.restart_required)
    }
}

impl Running {
    /// Whether every pod is of the newest template and ready.
    pub fn is_rolled_out(&self) -> bool {
        let numbers = [self.updated, self.available, self.total];
        self.seen && self.written.changed.is_empty() && numbers.iter().all(|number| *number == self.wanted)
    }

    fn is_programmed(&self) -> bool {
        let enough = i64::try_from(self.replicas.len()).is_ok_and(|count| count >= self.wanted);
        enough && self.replicas.iter().all(|replica| replica.enforces(&self.digest))
    }
}

impl Outcome {
    /// Whether nothing is left to do until something changes.
    pub fn is_settled(&self) -> bool {
        match self {
            // Looking again helps only after a change, which the watches tell.
            Self::Unreadable(_) | Self::Refused(_) => true,
            Self::Unwritten(_) => false,
            Self::Written(running) => running.is_programmed() && running.is_rolled_out(),
        }
    }
}

impl Outcome {
    /// Whether replicas must be asked again soon although nothing is left to do: no watch tells of a store that
    /// breaks, nor of a server that opens a port.
    pub fn needs_watching(&self) -> bool {
        match self {
            Self::Unreadable(_) | Self::Refused(_) | Self::Unwritten(_) => false,
            Self::Written(running) => match &running.shape {
                Shape::Workload(_) => true,
                Shape::Service(_) => running.shares_counts,
            },
        }
    }

    /// Whether it may be ready although it can be reached past the data plane.
    fn is_sealed_at_best(&self) -> bool {
        match self {
            Self::Unreadable(_) | Self::Refused(_) | Self::Unwritten(_) => false,
            Self::Written(running) => match running.sealing {
                SealingMode::BestEffort => true,
                SealingMode::Required => false,
            },
        }
    }

    /// Whether replicas were given something new to enforce by this very look.
    pub fn is_news(&self) -> bool {
        match self {
            Self::Unreadable(_) | Self::Refused(_) | Self::Unwritten(_) => false,
            Self::Written(running) => running.written.configuration,
        }
    }

    /// The label of metrics and spans.
    pub const fn result(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "unreadable",
            Self::Refused(_) => "refused",
            Self::Unwritten(_) => "failed",
            Self::Written(_) => "done",
        }
    }
}

/// The conditions.
pub(super) fn verdicts(outcome: &Outcome) -> Vec<Verdict> {
    let verdicts = match outcome {
        Outcome::Unreadable(error) => unreadable(error),
        Outcome::Refused(findings) => refused(findings),
        Outcome::Unwritten(error) => unwritten(error),
        Outcome::Written(running) => written(running),
    };
    with_ready(verdicts, outcome)
}

fn unreadable(error: &str) -> Vec<Verdict> {
    let message =
        format!("this operator can't read the specification: {error}; upgrade the operator, or correct the field");
    vec![
        Verdict::no(ConditionType::Accepted, ConditionReason::Unsupported, message),
        Verdict::unknown(ConditionType::ResolvedRefs, ConditionReason::Pending, "The specification can't be read."),
        stays(ConditionReason::Unsupported),
        identity::unknown(),
        sealed::unknown(),
    ]
}

/// A specification that is not accepted changes nothing.
fn stays(reason: ConditionReason) -> Verdict {
    let message = "This specification is not in force. What was in force before, if anything, still is, with what its providers deny by now.";
    Verdict::no(ConditionType::Programmed, reason, message)
}

fn refused(findings: &[Finding]) -> Vec<Verdict> {
    let about = |condition: ConditionType| findings.iter().filter(move |finding| finding.condition == condition);
    let own = |finding: &&Finding| finding.subject == Subject::Server;
    let verdict = |condition, fine| {
        let mine: Vec<_> = about(condition).filter(own).collect();
        match mine.first() {
            None => Verdict::yes(condition, fine, fine.meaning()),
            Some(first) => {
                let messages: Vec<_> = mine.iter().map(|finding| finding.message.as_str()).collect();
                Verdict::no(condition, first.reason, messages.join("; "))
            }
        }
    };
    let accepted = verdict(ConditionType::Accepted, ConditionReason::Accepted);
    let resolved = verdict(ConditionType::ResolvedRefs, ConditionReason::ResolvedRefs);
    let reason = [&accepted, &resolved].into_iter().find(|verdict| verdict.holds != Holds::True).map(|it| it.reason);
    let stays = stays(reason.unwrap_or(ConditionReason::Invalid));
    vec![accepted, resolved, stays, identity::unknown(), sealed::unknown()]
}

fn unwritten(error: &ApplyError) -> Vec<Verdict> {
    vec![
        Verdict::yes(ConditionType::Accepted, ConditionReason::Accepted, ConditionReason::Accepted.meaning()),
        Verdict::yes(
            ConditionType::ResolvedRefs,
            ConditionReason::ResolvedRefs,
            ConditionReason::ResolvedRefs.meaning(),
        ),
        Verdict::no(ConditionType::Programmed, error.reason(), error.to_string()),
        identity::unknown(),
        sealed::unknown(),
    ]
}

fn written(running: &Running) -> Vec<Verdict> {
    vec![
        Verdict::yes(ConditionType::Accepted, ConditionReason::Accepted, ConditionReason::Accepted.meaning()),
        Verdict::yes(
            ConditionType::ResolvedRefs,
            ConditionReason::ResolvedRefs,
            ConditionReason::ResolvedRefs.meaning(),
        ),
        programmed(running),
        identity::verdict(&running.upstream_auth),
        sealed::verdict(running),
        serving(running),
    ]
}

fn programmed(running: &Running) -> Verdict {
    let kind = ConditionType::Programmed;
    if running.is_programmed() {
        return Verdict::yes(kind, ConditionReason::Programmed, ConditionReason::Programmed.meaning());
    }
    for replica in &running.replicas {
        match &replica.answer {
            Ok(report) => {
                if let Some(rejected) = report.rejected.as_ref().filter(|rejected| rejected.digest == running.digest) {
                    let message = format!("replica {} refuses the configuration: {}", replica.pod, rejected.message);
                    return Verdict::no(kind, ConditionReason::Rejected, message);
                }
            }
            Err(ReportError::Unverified(error)) => {
                tracing::warn!(pod = replica.pod, error, "a replica could not be verified");
            }
            Err(ReportError::NotStarted | ReportError::Silent(_) | ReportError::Nonsense(_)) => {}
        }
    }
    unprogrammed(running)
}

/// Which replicas are waited for, and which ones can't be asked: what those enforce, nobody knows.
fn unprogrammed(running: &Running) -> Verdict {
    let kind = ConditionType::Programmed;
    let count = running.replicas.iter().filter(|replica| replica.enforces(&running.digest)).count();
    // During a rollout there are more pods than wanted, and those that go still serve.
    let all = i64::try_from(running.replicas.len()).unwrap_or(i64::MAX).max(running.wanted);
    let so_far = format!("{count} of {all} replicas enforce the current configuration.");
    let unknown = |replica: &Replica| match &replica.answer {
        Ok(_) | Err(ReportError::NotStarted) => None,
        Err(error @ (ReportError::Silent(_) | ReportError::Unverified(_) | ReportError::Nonsense(_))) => {
            Some(format!("{} {error}", replica.pod))
        }
    };
    let errors: Vec<_> = running.replicas.iter().filter_map(unknown).take(3).collect();
    if errors.is_empty() {
        return Verdict::no(kind, ConditionReason::Pending, so_far);
    }
    let errors = format!(
        "Not known of replicas that do not answer the operator on port {}: {}. Look at the pods' events and logs, and at \
         network policies.",
        tollward_api::ports::REPORT,
        errors.join("; ")
    );
    let waits = |replica: &Replica| match &replica.answer {
        Ok(_) => !replica.enforces(&running.digest),
        Err(error) => *error == ReportError::NotStarted,
    };
    let reason = if running.replicas.iter().any(waits) {
        ConditionReason::Pending
    } else {
        ConditionReason::DataPlaneUnreachable
    };
    Verdict::no(kind, reason, format!("{so_far} {errors}"))
}

/// What only the pods can say about readiness.
fn serving(running: &Running) -> Verdict {
    let kind = ConditionType::Ready;
    let unready = running.replicas.iter().filter_map(|replica| {
        let report = replica.answer.as_ref().ok()?;
        report.unready.first().map(|reason| format!("{}: {reason}", replica.pod))
    });
    let reasons: Vec<_> = unready.take(3).collect();
    if running.wanted == 0 {
        return Verdict::no(kind, ConditionReason::ReplicasUnavailable, "The server is scaled to no replicas.");
    }
    if !running.seen {
        return Verdict::no(kind, ConditionReason::Pending, "A change of the pods has not been taken up yet.");
    }
    if running.available >= running.wanted {
        return Verdict::yes(kind, ConditionReason::Ready, served(running));
    }
    let advice = if reasons.is_empty() { "Look at the pods' events.".to_owned() } else { reasons.join("; ") };
    let message = format!("{} of {} replicas are ready. {advice}", running.available, running.wanted);
    Verdict::no(kind, ConditionReason::ReplicasUnavailable, message)
}

/// An older pod goes on serving until a newer one is ready. That is what it is for, and hides a new one that never will be.
fn served(running: &Running) -> String {
    let older = running.total.saturating_sub(running.updated);
    if older == 0 {
        return ConditionReason::Ready.meaning().to_owned();
    }
    format!(
        "Requests are served, but {older} of {} pods are from before the last change of the workload: newer ones replace them \
         once they are ready. If that takes long, look at the events of the newer pods.",
        running.total
    )
}

/// A server is ready if everything holds; else the first condition that does not says why.
fn with_ready(mut verdicts: Vec<Verdict>, outcome: &Outcome) -> Vec<Verdict> {
    let position = verdicts.iter().position(|verdict| verdict.condition == ConditionType::Ready);
    let serving = position.map(|position| verdicts.remove(position));
    let may_be_open = |verdict: &Verdict| verdict.condition == ConditionType::Sealed && outcome.is_sealed_at_best();
    let first = verdicts.iter().find(|verdict| verdict.holds != Holds::True && !may_be_open(verdict));
    let ready = match (first, serving) {
        (None, Some(serving)) => match verdicts.iter().find(|verdict| verdict.holds != Holds::True) {
            Some(open) if serving.holds == Holds::True => {
                let message = format!("{} Not sealed, as BestEffort permits: {}", serving.message, open.message);
                Verdict { message, ..serving }
            }
            Some(_) | None => serving,
        },
        (Some(first), _) => Verdict {
            condition: ConditionType::Ready,
            holds: Holds::False,
            reason: first.reason,
            message: format!("{} is not true: {}", first.condition, first.message),
        },
        (None, None) => {
            Verdict::unknown(ConditionType::Ready, ConditionReason::Pending, ConditionReason::Pending.meaning())
        }
    };
    verdicts.push(ready);
    verdicts
}

#[cfg(test)]
mod tests;
