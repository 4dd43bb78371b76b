//! What the condition says of every state of the pods, and when it withholds Ready.

use super::super::tests::{ready, replica, report, running, verdict};
use super::super::{Outcome, Running};
use crate::condition::Holds;
use crate::report::ReportError;
use tollward_api::condition::{ConditionReason, ConditionType};
use tollward_api::mcpserver::{SealingMode, ServiceSource};
use tollward_desired::validate::Shape;
use tollward_policy::report::{ForeignListener, Protocol, Report, SealingReport};

fn listener(port: u16) -> ForeignListener {
    ForeignListener { protocol: Protocol::Tcp, address: [0, 0, 0, 0].into(), port, uid: 65532 }
}

fn open(listeners: Vec<ForeignListener>, more: u32) -> Report {
    Report { sealing: Some(SealingReport { listeners, more, error: None }), ..report("sha256:aa") }
}

fn sealed(outcome: &Outcome) -> (Holds, ConditionReason, String) {
    let verdict = verdict(outcome, ConditionType::Sealed);
    (verdict.holds, verdict.reason, verdict.message)
}

fn says(answer: Result<Report, ReportError>) -> Outcome {
    running(|it: &mut Running| it.replicas = vec![replica(answer)])
}

#[test]
fn a_foreign_listener_is_named_with_what_to_do_and_withholds_ready() {
    let outcome = says(Ok(open(vec![listener(8080)], 0)));
    let (holds, reason, message) = sealed(&outcome);
    assert_eq!((holds, reason), (Holds::False, ConditionReason::ForeignListener));
    assert!(message.contains("pod catalog-tollward-0: TCP 0.0.0.0:8080 of user 65532"), "{message}");
    assert!(message.contains("127.0.0.1:3000") && !message.contains("A port of Tollward's"), "{message}");
    let (holds, reason, message) = ready(&outcome);
    assert_eq!((holds, reason), (Holds::False, ConditionReason::ForeignListener));
    assert!(message.starts_with("Sealed is not true"), "{message}");
    assert!(outcome.needs_watching() && outcome.is_settled(), "it may end at any time, and nothing tells of it");
}

#[test]
fn many_listeners_are_counted_and_a_taken_port_of_tollward_is_told() {
    let many = (64430..64440).map(listener).collect();
    let (_, _, message) = sealed(&says(Ok(open(many, 5))));
    assert!(message.contains("and 11 more") && message.contains("A port of Tollward's"), "{message}");
    let pods = running(|it: &mut Running| {
        it.replicas = (0..7).map(|_| replica(Ok(open(vec![listener(80)], 0)))).collect();
    });
    assert!(sealed(&pods).2.contains("and 4 more pods"));
}

#[test]
fn what_nobody_looked_at_is_not_sealed() {
    let unread = SealingReport::unknown("/proc/net/tcp can't be read");
    let silent = Err(ReportError::Silent("connection refused".into()));
    for (answer, reason, words) in [
        (Ok(Report { sealing: None, ..report("sha256:aa") }), ConditionReason::NotObserved, "does not look"),
        (Ok(Report { sealing: Some(unread), ..report("sha256:aa") }), ConditionReason::NotObserved, "/proc/net/tcp"),
        (silent, ConditionReason::NotObserved, "connection refused"),
        (Err(ReportError::NotStarted), ConditionReason::Pending, ""),
    ] {
        let outcome = says(answer);
        let (holds, found, message) = sealed(&outcome);
        assert_eq!((holds, found), (Holds::Unknown, reason), "{message}");
        assert!(message.contains(words), "{message}");
        assert_eq!(ready(&outcome).0, Holds::False);
    }
    let none = running(|it: &mut Running| it.replicas.clear());
    assert_eq!(sealed(&none).0, Holds::Unknown);
    let mixed = running(|it: &mut Running| {
        it.replicas = vec![replica(Err(ReportError::NotStarted)), replica(Ok(open(vec![listener(80)], 0)))];
    });
    assert_eq!(sealed(&mixed).0, Holds::False, "what was seen counts");
}

#[test]
fn a_service_is_not_sealed_by_its_relay() {
    let service = ServiceSource { name: "legacy".into(), port: 8080, path: "/mcp".into() };
    let outcome = running(|it: &mut Running| it.shape = Shape::Service(service));
    let (holds, reason, message) = sealed(&outcome);
    assert_eq!((holds, reason), (Holds::False, ConditionReason::UpstreamReachable));
    assert!(message.contains("`legacy`") && message.contains("NetworkPolicy"), "{message}");
    assert!(!outcome.needs_watching(), "its pods are not looked into");
}

#[test]
fn best_effort_is_ready_and_says_what_is_open() {
    let outcome = running(|it: &mut Running| {
        it.sealing = SealingMode::BestEffort;
        it.replicas = vec![replica(Ok(open(vec![listener(8080)], 0)))];
    });
    assert_eq!(sealed(&outcome).0, Holds::False);
    let (holds, _, message) = ready(&outcome);
    assert_eq!(holds, Holds::True);
    assert!(message.contains("0.0.0.0:8080"), "{message}");
    let closed = running(|it: &mut Running| it.sealing = SealingMode::BestEffort);
    assert_eq!(ready(&closed).2, ConditionReason::Ready.meaning());
}
