//! Every way a look can end, and what the status says of it.

use super::{Outcome, Replica, Running, verdicts};
use crate::condition::{Holds, Verdict};
use crate::report::ReportError;
use crate::server::{ApplyError, Written};
use tollward_api::condition::{ConditionReason, ConditionType};
use tollward_api::mcpserver::SealingMode;
use tollward_desired::validate::{FormPlan, MountedSecret, Shape, UpstreamAuthPlan};
use tollward_desired::{Finding, Subject};
use tollward_policy::report::{Rejection, Report, SealingReport};

const DIGEST: &str = "sha256:aa";

pub(super) fn report(digest: &str) -> Report {
    Report {
        reader: 1,
        digest: digest.into(),
        generation: 1,
        rejected: None,
        restart_required: false,
        unready: Vec::new(),
        routes: Vec::new(),
        providers: Vec::new(),
        limit_stores: Vec::new(),
        sealing: Some(SealingReport { listeners: Vec::new(), more: 0, error: None }),
    }
}

pub(super) fn replica(answer: Result<Report, ReportError>) -> Replica {
    Replica { pod: "catalog-tollward-0".into(), answer }
}

fn workload() -> Shape {
    let workload = serde_json::json!({"image": "example.com/catalog:1", "transport": {"port": 3000}});
    Shape::Workload(serde_json::from_value(workload).unwrap())
}

pub(super) fn running(change: impl FnOnce(&mut Running)) -> Outcome {
    let mut running = Running {
        written: Written::default(),
        digest: DIGEST.into(),
        url: "https://a/mcp".into(),
        audience: None,
        providers: Vec::new(),
        upstream_auth: Box::new(UpstreamAuthPlan::None),
        shape: workload(),
        sealing: SealingMode::Required,
        shares_counts: false,
        wanted: 1,
        updated: 1,
        available: 1,
        total: 1,
        seen: true,
        replicas: vec![replica(Ok(report(DIGEST)))],
    };
    change(&mut running);
    Outcome::Written(running)
}

pub(super) fn verdict(outcome: &Outcome, condition: ConditionType) -> Verdict {
    let verdicts = verdicts(outcome);
    let of_servers = ConditionType::ALL.iter().filter(|kind| **kind != ConditionType::Exact);
    assert_eq!(verdicts.len(), of_servers.count(), "each condition once: {verdicts:?}");
    verdicts.into_iter().find(|verdict| verdict.condition == condition).unwrap()
}

pub(super) fn ready(outcome: &Outcome) -> (Holds, ConditionReason, String) {
    let verdict = verdict(outcome, ConditionType::Ready);
    (verdict.holds, verdict.reason, verdict.message)
}

#[test]
fn a_server_is_ready_once_every_replica_enforces_the_configuration_and_serves() {
    let outcome = running(|_| {});
    assert_eq!(ready(&outcome).0, Holds::True);
    assert!(outcome.is_settled());
}

#[test]
fn a_replica_with_another_configuration_withholds_programmed() {
    let outcome = running(|it| {
        it.wanted = 2;
        it.replicas.push(replica(Ok(report("sha256:old"))));
    });
    let programmed = verdict(&outcome, ConditionType::Programmed);
    assert_eq!((programmed.holds, programmed.reason), (Holds::False, ConditionReason::Pending));
    assert!(programmed.message.contains("1 of 2"), "{}", programmed.message);
    assert!(!outcome.is_settled());
}

#[test]
fn a_replica_that_needs_a_restart_does_not_enforce_the_configuration() {
    let outcome = running(|it| {
        it.replicas = vec![replica(Ok(Report { restart_required: true, ..report(DIGEST) }))];
    });
    assert_eq!(verdict(&outcome, ConditionType::Programmed).holds, Holds::False);
}

#[test]
fn a_refused_configuration_is_told_with_the_replicas_own_words() {
    let outcome = running(|it| {
        it.replicas = vec![replica(Ok(Report {
            rejected: Some(Rejection { digest: DIGEST.into(), message: "too new".into(), since: 0 }),
            ..report("sha256:old")
        }))];
    });
    let (holds, reason, message) = ready(&outcome);
    assert_eq!((holds, reason), (Holds::False, ConditionReason::Rejected));
    assert!(message.contains("too new"), "{message}");
}

#[test]
fn replicas_that_do_not_answer_are_told_from_replicas_that_do_not_exist() {
    let starting = running(|it| it.replicas = vec![replica(Err(ReportError::NotStarted))]);
    assert_eq!(ready(&starting).1, ConditionReason::Pending);

    let silent = running(|it| it.replicas = vec![replica(Err(ReportError::Silent("connection refused".into())))]);
    let (_, reason, message) = ready(&silent);
    assert_eq!(reason, ConditionReason::DataPlaneUnreachable);
    assert!(message.contains("64432") && message.contains("connection refused"), "{message}");
    let none = running(|it| it.replicas.clear());
    assert_eq!(ready(&none).1, ConditionReason::Pending);
}

#[test]
fn a_replica_that_can_not_be_asked_is_named_beside_those_that_answer() {
    let silent =
        || Replica { pod: "catalog-tollward-1".into(), ..replica(Err(ReportError::Silent("no route".into()))) };
    let outcome = running(|it| {
        it.wanted = 2;
        it.replicas.push(silent());
    });
    let (_, reason, message) = ready(&outcome);
    assert_eq!(reason, ConditionReason::DataPlaneUnreachable, "{message}");
    assert!(
        message.contains("1 of 2") && message.contains("catalog-tollward-1 does not answer: no route"),
        "{message}"
    );
    let outcome = running(|it| {
        it.wanted = 2;
        it.replicas = vec![replica(Ok(report("sha256:old"))), silent()];
    });
    let (_, reason, message) = ready(&outcome);
    assert_eq!(reason, ConditionReason::Pending, "{message}");
    assert!(message.contains("0 of 2") && message.contains("catalog-tollward-1"), "{message}");
}

#[test]
fn a_programmed_server_whose_pods_are_not_ready_says_why() {
    let outcome = running(|it| {
        it.available = 0;
        it.replicas =
            vec![replica(Ok(Report { unready: vec!["no keys of any identity provider".into()], ..report(DIGEST) }))];
    });
    let (holds, reason, message) = ready(&outcome);
    assert_eq!((holds, reason), (Holds::False, ConditionReason::ReplicasUnavailable));
    assert!(message.contains("no keys"), "{message}");
}

#[test]
fn pods_that_wait_for_newer_ones_are_told_while_they_serve() {
    let stuck = running(|it| {
        it.total = 2;
        it.replicas.push(replica(Ok(report(DIGEST))));
    });
    let (holds, reason, message) = ready(&stuck);
    assert_eq!((holds, reason), (Holds::True, ConditionReason::Ready), "the older pod serves");
    assert!(message.contains("1 of 2 pods") && message.contains("events"), "{message}");
    assert_eq!(ready(&running(|_| {})).2, ConditionReason::Ready.meaning());
}

#[test]
fn replicas_are_counted_among_all_that_there_are() {
    let rolling = running(|it| it.replicas.push(replica(Ok(report("sha256:old")))));
    let message = verdict(&rolling, ConditionType::Programmed).message;
    assert!(message.contains("1 of 2 replicas"), "{message}");
}

#[test]
fn numbers_of_an_older_deployment_prove_nothing() {
    let outcome = running(|it| it.seen = false);
    let (holds, reason, message) = ready(&outcome);
    assert_eq!((holds, reason), (Holds::False, ConditionReason::Pending), "{message}");
    assert!(!outcome.is_settled());
}

#[test]
fn a_finding_is_told_where_it_belongs_and_in_ready() {
    let finding =
        |subject, condition, reason, message: &str| Finding { subject, condition, reason, message: message.into() };
    let outcome = Outcome::Refused(vec![
        finding(Subject::Server, ConditionType::ResolvedRefs, ConditionReason::TargetNotFound, "no idp"),
        finding(Subject::Server, ConditionType::ResolvedRefs, ConditionReason::NotReferenceable, "not allowed"),
        finding(Subject::Policy("p".into()), ConditionType::Accepted, ConditionReason::InvalidLimit, "elsewhere"),
    ]);
    let accepted = verdict(&outcome, ConditionType::Accepted);
    assert_eq!(accepted.holds, Holds::True, "a policy's fault is not the server's");
    let resolved = verdict(&outcome, ConditionType::ResolvedRefs);
    assert_eq!((resolved.holds, resolved.reason), (Holds::False, ConditionReason::TargetNotFound));
    assert_eq!(resolved.message, "no idp; not allowed");
    assert_eq!(verdict(&outcome, ConditionType::Programmed).holds, Holds::False);
    assert_eq!(ready(&outcome).1, ConditionReason::TargetNotFound);
}

#[test]
fn a_failure_to_write_is_told_in_programmed() {
    let error = ApplyError::Foreign { what: "Service a-tollward".into(), owner: "belongs to nobody".into() };
    let outcome = Outcome::Unwritten(error);
    let programmed = verdict(&outcome, ConditionType::Programmed);
    assert_eq!((programmed.holds, programmed.reason), (Holds::False, ConditionReason::NameConflict));
    assert!(!outcome.is_settled());
}

#[test]
fn an_object_of_a_newer_version_is_told_to_be_unsupported() {
    let outcome = Outcome::Unreadable("unknown variant `Remote`".into());
    let accepted = verdict(&outcome, ConditionType::Accepted);
    assert_eq!((accepted.holds, accepted.reason), (Holds::False, ConditionReason::Unsupported));
    assert!(accepted.message.contains("Remote") && accepted.message.contains("upgrade"), "{}", accepted.message);
}

#[test]
fn status_says_as_whom_the_server_behind_is_called_and_that_it_does_not_withhold_ready() {
    let secret = MountedSecret { name: "crm".into(), keys: vec!["token".into()] };
    for (plan, reason, words) in [
        (UpstreamAuthPlan::None, ConditionReason::NoIdentity, "nothing of the caller"),
        (
            UpstreamAuthPlan::SignedAssertion { audience: "u1".into() },
            ConditionReason::SignedAssertion,
            "audience `u1`",
        ),
        (
            UpstreamAuthPlan::Credential { form: FormPlan::Bearer, secret },
            ConditionReason::SharedCredential,
            "All callers are one account to the server: that of the Secret `crm`",
        ),
    ] {
        let outcome = running(|it| *it.upstream_auth = plan);
        let found = verdict(&outcome, ConditionType::UpstreamIdentity);
        assert_eq!((found.holds, found.reason), (Holds::True, reason));
        assert!(found.message.contains(words), "{}", found.message);
        assert_eq!(ready(&outcome).0, Holds::True);
    }
    let refused = Outcome::Unreadable("x".into());
    assert_eq!(verdict(&refused, ConditionType::UpstreamIdentity).holds, Holds::Unknown);
}
