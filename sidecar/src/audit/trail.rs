//! The record of a request in the making.

mod tunnels;

use super::record::{BoundTo, Call, Caller, Decision, Ended, HttpFacts, LimitState, Outcome, Record, Shown, VERSION};
use super::redact::Redactor;
use super::sink::{AuditSink, SinkError};
use crate::authenticate::{SenderProof, Withdrawn};
use crate::clock::Clock;
use crate::denial::{Denial, status_of};
use crate::envelope::Message;
use crate::limiter::Standing;
use crate::response::RpcOutcome;
use crate::source::Source;
use http::header::USER_AGENT;
use http::request::Parts;
use opentelemetry::Context;
use opentelemetry::trace::TraceContextExt as _;
use serde_json::Map;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use tollward_policy::config::ServerRef;
use tollward_policy::operation::Target;
use tollward_policy::principal::Principal;
use tollward_policy::reason::Reason;

/// Claims that are kept whatever the configuration: they join the record with the issuer's log and say who acts for whom.
const KEPT_CLAIMS: &[&str] = &["act", "sid", "auth_time", "acr"];

/// Most bytes of a text that a client chose freely.
const MAX_TEXT: usize = 256;

/// Opens trails.
pub struct Auditor {
    sink: Arc<dyn AuditSink>,
    clock: Arc<dyn Clock>,
    stream: String,
    next: AtomicU64,
}

/// The record of one request until it closes, by a finish, a refusal, or by being dropped.
pub struct Trail {
    record: Record,
    span: Context,
    sink: Arc<dyn AuditSink>,
    started: Instant,
    bytes_out: u64,
    status: Option<u16>,
    closed: bool,
}

impl Auditor {
    /// A new stream of records.
    pub fn new(sink: Arc<dyn AuditSink>, clock: Arc<dyn Clock>) -> Self {
        Self { sink, clock, stream: uuid::Uuid::now_v7().to_string(), next: AtomicU64::new(1) }
    }

    /// Opens the record of a request.
    pub fn begin(&self, parts: &Parts, source: &Source, span: Context) -> Trail {
        let trace = span.span().span_context().trace_id();
        let record = Record {
            version: VERSION,
            id: uuid::Uuid::now_v7().to_string(),
            stream: self.stream.clone(),
            seq: self.next.fetch_add(1, Ordering::Relaxed),
            time: rfc3339(self.clock.unix_nanos()),
            trace_id: (trace != opentelemetry::TraceId::INVALID).then(|| trace.to_string()),
            server: None,
            http: http_facts(parts, source),
            caller: None,
            call: None,
            decision: Decision {
                allowed: false,
                reason: Reason::ClientGone,
                detail: None,
                advice: None,
                rule: None,
                denied_by: None,
                policy_digest: None,
            },
            limits: Vec::new(),
            upstream_identity: None,
            tunnel: None,
            outcome: None,
        };
        let started = Instant::now();
        Trail { record, span, sink: self.sink.clone(), started, bytes_out: 0, status: None, closed: false }
    }
}

impl Trail {
    /// Id of the request.
    pub fn id(&self) -> &str {
        &self.record.id
    }

    /// The request's span.
    pub fn span(&self) -> &Context {
        &self.span
    }

    /// It is for this server, judged by this configuration.
    pub fn routed(&mut self, server: &ServerRef, digest: &str) {
        self.record.server = Some(server.clone());
        self.record.decision.policy_digest = Some(digest.to_owned());
    }

    /// It comes from this caller.
    pub fn called_by(&mut self, principal: &Principal, sender: &SenderProof, claims: &[String]) {
        self.record.caller = Some(match principal {
            Principal::Anonymous => Caller::Anonymous {},
            Principal::Token(token) => {
                let kept = claims.iter().map(String::as_str).chain(KEPT_CLAIMS.iter().copied());
                let claims: Map<_, _> = kept
                    .filter_map(|name| token.claims.get_key_value(name))
                    .map(|(name, value)| (name.clone(), value.clone()))
                    .collect();
                Caller::Token {
                    issuer: token.issuer.clone(),
                    subject: token.subject.clone(),
                    client: token.client.clone(),
                    token_id: token.token_id.clone(),
                    bound_to: bound_to(sender),
                    scopes: token.scopes.clone(),
                    claims,
                }
            }
        });
    }

    /// It asks for this.
    pub fn calls(&mut self, message: &Message, bytes_in: usize, redactor: &Redactor, target_known: bool) {
        self.record.call = Some(Call {
            revision: message.revision().as_str().to_owned(),
            method: message.operation().method.as_str().to_owned(),
            target: message.operation().target.name().map(str::to_owned),
            more_targets: more_targets(&message.operation().target),
            request_id: message.id().map(|id| id.as_json().to_owned()),
            arguments: message.arguments().and_then(|raw| redactor.keep(raw)),
            bytes_in: bytes_in as u64,
            target_known,
        });
    }

    /// It goes upstream under this identity.
    pub fn shows(&mut self, kind: &'static str, token_id: Option<&str>) {
        self.record.upstream_identity = Some(Shown { kind, token_id: token_id.map(str::to_owned) });
    }

    /// It may pass: tells every sink before the first byte goes upstream.
    pub fn intend(&mut self, rule: Option<&str>, standings: &[Standing]) -> Result<(), SinkError> {
        self.record.limits = standings.iter().map(LimitState::from).collect();
        self.record.decision.allowed = true;
        self.record.decision.reason = Reason::Allowed;
        self.record.decision.rule = rule.map(str::to_owned);
        self.sink.open(&self.record)
    }

    /// This entry of its provider's `deny` keeps the caller out.
    pub fn denied_by(&mut self, entry: &str) {
        self.record.decision.denied_by = Some(entry.to_owned());
    }

    /// A new configuration keeps the caller out.
    pub fn withdraw(&mut self, withdrawn: &Withdrawn) {
        let Withdrawn { reason, entry } = withdrawn;
        self.record.decision.reason = *reason;
        self.record.decision.denied_by.clone_from(entry);
    }

    /// The answer's status is on its way.
    pub fn answering(&mut self, status: u16) {
        self.status = Some(status);
    }

    /// More of the answer's body is on its way.
    pub fn sent(&mut self, bytes: usize) {
        self.bytes_out += bytes as u64;
    }

    /// Closes with a refusal.
    pub fn refuse(mut self, denial: &Denial, bytes_out: usize) {
        let decision = &mut self.record.decision;
        // What was let through and failed behind us stays an allowed call; its reason tells what went wrong.
        decision.allowed = decision.allowed && is_upstream(denial.reason);
        decision.reason = denial.reason;
        decision.detail = denial.recorded().map(str::to_owned);
        decision.advice = denial.recorded_advice().map(str::to_owned);
        if let Some(rule) = denial.decided_by() {
            decision.rule = Some(rule.to_owned());
        }
        if !denial.limits().is_empty() {
            self.record.limits = denial.limits().iter().map(LimitState::from).collect();
        }
        self.status = Some(status_of(denial).as_u16());
        self.sent(bytes_out);
        self.close(&own(Some(denial.rpc_code())), Ended::Complete);
    }

    /// Closes an answer that Tollward gave by itself: metadata, preflight.
    pub fn answer(mut self, status: u16, bytes_out: usize) {
        self.record.decision.allowed = true;
        self.record.decision.reason = Reason::Allowed;
        self.status = Some(status);
        self.sent(bytes_out);
        self.close(&own(None), Ended::Complete);
    }

    /// Closes a call whose caller was kept out after it was let through, by an answer of Tollward's own.
    pub fn cut(mut self, status: u16, bytes_out: usize) {
        self.status = Some(status);
        self.sent(bytes_out);
        self.close(&own(Some(i64::from(status))), Ended::Revoked);
    }

    /// Closes a forwarded call.
    pub fn finish(mut self, rpc: &RpcOutcome, ended: Ended) {
        match ended {
            // Why it was revoked was said before.
            Ended::Complete
            | Ended::TokenExpired
            | Ended::Draining
            | Ended::Revoked
            | Ended::Idle
            | Ended::TimeLimit => {}
            Ended::ClientGone => self.record.decision.reason = Reason::ClientGone,
            Ended::UpstreamBroke => self.record.decision.reason = Reason::UpstreamInvalid,
        }
        self.close(rpc, ended);
    }

    fn close(&mut self, rpc: &RpcOutcome, ended: Ended) {
        self.closed = true;
        self.record.outcome = Some(Outcome {
            status: self.status,
            rpc_code: rpc.error_code,
            tool_error: rpc.tool_error,
            determined: rpc.determined,
            ended,
            latency_micros: u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX),
            bytes_out: self.bytes_out,
        });
        self.sink.close(&self.record, &self.span);
    }
}

/// Whoever drops a trail without closing it was dropped itself, because the client went away.
impl Drop for Trail {
    fn drop(&mut self) {
        if !self.closed {
            self.record.decision.reason = Reason::ClientGone;
            self.close(&RpcOutcome::UNDETERMINED, Ended::ClientGone);
        }
    }
}

fn bound_to(sender: &SenderProof) -> Option<BoundTo> {
    let text = |thumbprint: crate::thumbprint::Thumbprint| thumbprint.to_string();
    let bound = BoundTo { key: sender.key().map(text), certificate: sender.certificate().map(text) };
    (bound.key.is_some() || bound.certificate.is_some()).then_some(bound)
}

/// An answer of Tollward's own.
fn own(error_code: Option<i64>) -> RpcOutcome {
    RpcOutcome { error_code, tool_error: false, determined: true }
}

fn more_targets(target: &Target) -> Vec<String> {
    match target {
        Target::Resources(uris) => uris.iter().skip(1).cloned().collect(),
        Target::None | Target::Tool(_) | Target::Prompt(_) | Target::Task(_) => Vec::new(),
    }
}

fn is_upstream(reason: Reason) -> bool {
    matches!(reason, Reason::UpstreamInvalid | Reason::UpstreamTimeout | Reason::UpstreamUnreachable)
}

fn http_facts(parts: &Parts, source: &Source) -> HttpFacts {
    let agent = parts.headers.get(USER_AGENT).map(|agent| bounded(&String::from_utf8_lossy(agent.as_bytes())));
    HttpFacts {
        method: bounded(parts.method.as_str()),
        path: bounded(parts.uri.path()),
        version: format!("{:?}", parts.version),
        peer: source.peer.to_string(),
        client: (source.client != source.peer).then(|| source.client.to_string()),
        user_agent: agent,
    }
}

fn bounded(text: &str) -> String {
    text.get(..text.floor_char_boundary(MAX_TEXT)).unwrap_or_default().to_owned()
}

fn rfc3339(unix_nanos: i128) -> String {
    jiff::Timestamp::from_nanosecond(unix_nanos).map_or_else(|_| unix_nanos.to_string(), |time| format!("{time:.9}"))
}
