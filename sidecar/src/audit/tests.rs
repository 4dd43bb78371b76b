//! One record per request, however the request ends.

use super::*;
use crate::clock::Clock;
use crate::denial::Denial;
use crate::response::RpcOutcome;
use crate::source::Source;
use http::Request;
use opentelemetry::Context;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use tollward_policy::principal::{Membership, Principal, TokenPrincipal};
use tollward_policy::reason::Reason;

struct Noon;

impl Clock for Noon {
    fn unix_nanos(&self) -> i128 {
        1_780_000_000_123_456_789
    }
}

#[derive(Default)]
struct Memory {
    opened: Mutex<Vec<Record>>,
    closed: Mutex<Vec<Record>>,
    full: bool,
}

impl AuditSink for Memory {
    fn open(&self, intent: &Record) -> Result<(), SinkError> {
        if self.full {
            return Err(SinkError { sink: "memory", message: "full".into() });
        }
        self.opened.lock().unwrap().push(intent.clone());
        Ok(())
    }

    fn close(&self, record: &Record, _span: &Context) {
        self.closed.lock().unwrap().push(record.clone());
    }
}

fn source() -> Source {
    let peer = "192.0.2.1".parse().unwrap();
    Source { peer, client: peer, certificate: None }
}

fn trail(sink: &Arc<Memory>) -> Trail {
    let auditor = Auditor::new(sink.clone(), Arc::new(Noon));
    let request =
        Request::post("https://mcp.example/mcp?access_token=secret").header("user-agent", "test").body(()).unwrap();
    auditor.begin(&request.into_parts().0, &source(), Context::new())
}

fn closed(sink: &Memory) -> Vec<Value> {
    sink.closed.lock().unwrap().iter().map(|record| serde_json::to_value(record).unwrap()).collect()
}

const DONE: RpcOutcome = RpcOutcome { error_code: None, tool_error: true, determined: true };

#[test]
fn a_dropped_trail_is_a_client_that_went_away() {
    let sink = Arc::new(Memory::default());
    drop(trail(&sink));
    let records = closed(&sink);
    assert_eq!(records.len(), 1);
    assert_eq!(records[0]["outcome"]["ended"], "client_gone");
    assert_eq!(records[0]["decision"], json!({"allowed": false, "reason": "client_gone"}));
}

#[test]
fn a_finished_call_closes_once_and_keeps_its_intent() {
    let sink = Arc::new(Memory::default());
    let mut trail = trail(&sink);
    trail.intend(Some("read"), &[]).unwrap();
    trail.answering(200);
    trail.sent(10);
    trail.sent(5);
    trail.finish(&DONE, Ended::Complete);
    assert_eq!(sink.opened.lock().unwrap().len(), 1);
    let records = closed(&sink);
    assert_eq!(records.len(), 1);
    assert_eq!(records[0]["decision"]["rule"], "read");
    assert_eq!(records[0]["outcome"]["bytesOut"], 15);
    assert_eq!(records[0]["outcome"]["toolError"], true);
    assert_eq!(records[0]["time"], "2026-05-28T20:26:40.123456789Z");
}

#[test]
fn a_refusal_names_its_reason_and_never_the_query() {
    let sink = Arc::new(Memory::default());
    trail(&sink).refuse(&Denial::new(Reason::TokenExpired).detail("expired"), 7);
    let record = &closed(&sink)[0];
    assert_eq!(record["decision"]["reason"], "token_expired");
    assert_eq!(record["outcome"]["status"], 401);
    assert!(!record.to_string().contains("secret"));
}

#[test]
fn a_call_that_was_let_through_and_failed_behind_us_stays_an_allowed_call() {
    let sink = Arc::new(Memory::default());
    let mut trail = trail(&sink);
    trail.intend(None, &[]).unwrap();
    trail.refuse(&Denial::new(Reason::UpstreamTimeout), 0);
    let record = &closed(&sink)[0];
    assert_eq!(record["decision"], json!({"allowed": true, "reason": "upstream_timeout"}));
    assert_eq!(record["outcome"]["status"], 504);
}

#[test]
fn a_full_sink_refuses_the_intent() {
    let sink = Arc::new(Memory { full: true, ..Memory::default() });
    let mut trail = trail(&sink);
    assert!(trail.intend(None, &[]).is_err());
    trail.refuse(&Denial::new(Reason::AuditUnavailable), 0);
    let record = &closed(&sink)[0];
    assert_eq!(record["decision"]["allowed"], false);
    assert_eq!(record["outcome"]["status"], 503);
}

#[test]
fn the_caller_keeps_only_chosen_claims_and_those_that_say_who_acts() {
    let sink = Arc::new(Memory::default());
    let mut trail = trail(&sink);
    let claims = json!({"tier": "basic", "email": "a@b.example", "act": {"sub": "agent"}, "sid": "s1"});
    trail.called_by(
        &Principal::Token(std::sync::Arc::new(TokenPrincipal {
            provider: "shop/idp".into(),
            issuer: "https://idp".into(),
            subject: "ada".into(),
            client: Some("agent".into()),
            token_id: Some("t1".into()),
            scopes: vec!["read".into()],
            groups: Membership::Unknown,
            roles: Membership::Unknown,
            expires_at: 0,
            claims: claims.as_object().unwrap().clone(),
        })),
        &crate::authenticate::SenderProof::NONE,
        &["tier".to_owned()],
    );
    drop(trail);
    let record = &closed(&sink)[0];
    assert_eq!(record["caller"]["claims"], json!({"tier": "basic", "act": {"sub": "agent"}, "sid": "s1"}));
    assert_eq!(record["caller"]["tokenId"], "t1");
}

#[test]
fn lines_are_written_whole_and_in_order() {
    let (sink, writer) = LinesSink::new();
    let sink = Arc::new(sink);
    let auditor = Auditor::new(sink.clone(), Arc::new(Noon));
    for path in ["/a\u{7f}", "/b"] {
        let request = Request::get(format!("https://mcp.example{}", path.replace('\u{7f}', "%0A"))).body(()).unwrap();
        auditor.begin(&request.into_parts().0, &source(), Context::new()).answer(200, 0);
    }
    drop((auditor, sink));
    let mut written = Vec::new();
    writer.run(&mut written).unwrap();
    let lines: Vec<Value> =
        std::str::from_utf8(&written).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.iter().map(|line| line["seq"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 2]);
}
