//! Everything joined: an issuer, an MCP server, the data plane between them, and what must hold of every refusal.

use crate::client::{Connection, Opened, Reply, Wire};
use crate::clock::TestClock;
use crate::config::{ConfigFile, METADATA_URL, standard};
use crate::deadline::within;
use crate::issuer::{Health, Issuer};
use crate::mcp::Call;
use crate::sidecar::Sidecar;
use crate::upstream::{RAW_SESSION, Upstream};
use serde_json::{Value, json};
use tollward_policy::config::SidecarConfig;
use tollward_policy::operation::Era;
use tollward_policy::reason::Reason;
use tollward_sidecar::audit::Record;

/// Each version of HTTP with each era: what holds in one cell must hold in all.
pub const CELLS: [(Wire, Era); 4] =
    [(Wire::Http1, Era::Legacy), (Wire::Http1, Era::Modern), (Wire::Http2, Era::Legacy), (Wire::Http2, Era::Modern)];

/// A whole installation on loopback.
pub struct World {
    /// The authorization server.
    pub issuer: Issuer,
    /// The MCP server.
    pub upstream: Upstream,
    /// The data plane.
    pub sidecar: Sidecar,
    /// The time of all of them.
    pub clock: TestClock,
}

/// What a refusal must look like.
#[derive(Debug, Clone)]
pub struct Refusal {
    status: u16,
    reason: Reason,
    code: Option<i64>,
    id: Option<Value>,
    challenge: Option<String>,
}

impl Refusal {
    /// By this status and reason, without challenge, with the status as JSON-RPC code and without id.
    pub fn new(status: u16, reason: Reason) -> Self {
        Self { status, reason, code: None, id: None, challenge: None }
    }

    /// 401 for a token that is of no use.
    pub fn invalid_token(reason: Reason) -> Self {
        Self::new(401, reason).challenge("invalid_token")
    }

    /// With the challenge that every caller without a good token gets; `error` may be empty.
    #[must_use]
    pub fn challenge(mut self, error: &str) -> Self {
        self.challenge = Some(error.to_owned());
        self
    }

    /// With that JSON-RPC code.
    #[must_use]
    pub fn code(mut self, code: i64) -> Self {
        self.code = Some(code);
        self
    }

    /// Answering the request with id 1.
    #[must_use]
    pub fn answering(self) -> Self {
        self.answering_id(json!(1))
    }

    /// Answering the request of that id.
    #[must_use]
    pub fn answering_id(mut self, id: Value) -> Self {
        self.id = Some(id);
        self
    }
}

impl World {
    /// The default installation, ready.
    pub async fn start() -> Self {
        Self::with(|_| ()).await
    }

    /// With a changed configuration, ready.
    pub async fn with(change: impl FnOnce(&mut SidecarConfig)) -> Self {
        let world = Self::cold(Health::Good, |config, _| change(config)).await;
        world.sidecar.ready().await;
        world
    }

    /// With an issuer in that state, not waiting for readiness. The file may name others beside it.
    pub async fn cold(health: Health, change: impl FnOnce(&mut SidecarConfig, &ConfigFile)) -> Self {
        let clock = TestClock::default();
        let (issuer, upstream) = (Issuer::start(clock.clone()).await, Upstream::start().await);
        issuer.set_health(health);
        let mut file = ConfigFile::new(standard(&issuer.url(), &upstream.url()));
        let mut config = file.current().clone();
        change(&mut config, &file);
        file.change(|current| *current = config);
        let sidecar = Sidecar::start(file, clock.clone()).await.expect("the data plane starts");
        Self { issuer, upstream, sidecar, clock }
    }

    /// A good token with `mcp:catalog-read`.
    pub fn token(&self) -> String {
        self.issuer.token().mint()
    }

    /// Sends a call on a connection of its own and gives the head of the answer.
    pub async fn open(&self, wire: Wire, call: &Call) -> Opened {
        let connection = Connection::plain(wire, self.sidecar.public).await;
        let answered = within("an answer begins", connection.send_only(call.request(wire))).await;
        answered.unwrap_or_else(|error| panic!("no answer to {call:?}: {error:?}"))
    }

    /// Sends a call on a connection of its own and gives the answer.
    pub async fn send(&self, wire: Wire, call: &Call) -> Reply {
        let opened = self.open(wire, call).await;
        within("an answer ends", opened.whole()).await.expect("an answer does not break off")
    }

    /// Sends a call that is let through, and gives the answer with its record.
    pub async fn passed(&self, wire: Wire, call: &Call) -> (Reply, Record) {
        let (before, records) = (self.upstream.count(), self.sidecar.records.count());
        let reply = self.send(wire, call).await;
        assert!(reply.status.is_success(), "{call:?} should pass: {} {}", reply.status, reply.text());
        assert_eq!(self.upstream.count(), before + 1, "{call:?} reaches the MCP server once");
        let record = self.sidecar.records.wait_for(records + 1).await;
        assert!(record.decision.allowed && record.outcome.is_some(), "{record:#?}");
        (reply, record)
    }

    /// Sends a call that is refused, and checks everything that holds of such a refusal: status, headers and body, that
    /// nothing reached the MCP server, and that there is one record, without a token.
    pub async fn refused(&self, wire: Wire, call: &Call, expected: &Refusal) -> (Reply, Record) {
        let before = self.upstream.count();
        let (reply, record) = self.failed(wire, call, expected).await;
        assert_eq!(self.upstream.count(), before, "a refused call must not reach the MCP server: {call:?}");
        assert!(!record.decision.allowed, "{record:#?}");
        (reply, record)
    }

    /// Like [`Self::refused`], for what may have reached the MCP server.
    pub async fn failed(&self, wire: Wire, call: &Call, expected: &Refusal) -> (Reply, Record) {
        let records = self.sidecar.records.count();
        let reply = self.send(wire, call).await;
        let context = format!("{wire:?} {call:?}\nanswered {} {:?} {}", reply.status, reply.headers, reply.text());
        check_reply(&reply, expected, &context);
        let record = self.sidecar.records.wait_for(records + 1).await;
        assert_eq!(record.decision.reason, expected.reason, "{context}");
        assert_eq!(reply.json().pointer("/error/data/requestId"), Some(&json!(record.id)), "{context}");
        let outcome = record.outcome.clone().expect("a finished record has an outcome");
        assert_eq!(outcome.status, Some(expected.status), "{context}");
        assert_eq!(outcome.bytes_out, reply.body.len() as u64, "{context}");
        self.check_secrets(&serde_json::to_string(&record).expect("a record is JSON"), "an audit record");
        (reply, record)
    }

    /// Ends a test: every record is in telemetry too, and no token and no raw session id is in anything that was emitted.
    pub fn end(&self) {
        let records = self.sidecar.records.closed();
        assert_eq!(self.sidecar.emitted.audit_records().len(), records.len(), "each record is exported once");
        let mut ids: Vec<_> = records.iter().map(|record| record.id.clone()).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), records.len(), "ids of records are unique");
        self.check_secrets(&serde_json::to_string(&records).expect("records are JSON"), "an audit record");
        self.check_secrets(&format!("{:?}", self.sidecar.emitted.audit_records()), "an exported record");
        self.check_secrets(&format!("{:?}", self.sidecar.emitted.spans()), "a span");
        self.check_secrets(&format!("{:?}", self.sidecar.emitted.logs()), "a log line");
        self.check_secrets(&self.sidecar.metrics(), "a metric");
        for request in self.upstream.requests() {
            let text = format!("{:?}", request.headers);
            self.check_tokens(&text, "a request to the MCP server");
        }
    }

    fn check_secrets(&self, text: &str, place: &str) {
        self.check_tokens(text, place);
        assert!(!text.contains(RAW_SESSION), "{place} holds the MCP server's session id: {text}");
    }

    fn check_tokens(&self, text: &str, place: &str) {
        for token in self.issuer.minted() {
            // Any part tells: claims, and the signature above all. A short one is no secret.
            let mut parts = token.split('.').skip(1).filter(|part| part.len() > 16);
            assert!(!parts.any(|part| text.contains(part)), "{place} holds a part of a token: {text}");
        }
    }
}

fn check_reply(reply: &Reply, expected: &Refusal, context: &str) {
    let Refusal { status, reason, code, id, challenge } = expected;
    assert_eq!(reply.status.as_u16(), *status, "{context}");
    assert_eq!(reply.header("content-type"), "application/json", "{context}");
    assert_eq!(reply.header("cache-control"), "no-store", "{context}");
    let body = reply.json();
    assert_eq!(body.get("jsonrpc"), Some(&json!("2.0")), "{context}");
    assert_eq!(body.get("id"), id.as_ref(), "{context}");
    assert_eq!(body.pointer("/error/code"), Some(&json!(code.unwrap_or(i64::from(*status)))), "{context}");
    assert!(
        body.pointer("/error/message").is_some_and(|text| text.as_str().is_some_and(|text| !text.is_empty())),
        "{context}"
    );
    // That something is hidden is for the record only.
    let told = if *reason == Reason::Hidden { Reason::NoRuleMatched } else { *reason };
    assert_eq!(reply.reason(), told.code(), "{context}");
    let lines: Vec<_> = reply.headers.get_all("www-authenticate").iter().collect();
    let Some(error) = challenge else {
        assert!(lines.is_empty(), "a challenge nobody asked for: {context}");
        return;
    };
    assert_eq!(lines.len(), 1, "{context}");
    let line = reply.header("www-authenticate");
    let rest = format!("resource_metadata=\"{METADATA_URL}\", scope=\"mcp:catalog-read\"");
    if error.is_empty() {
        assert_eq!(line, format!("Bearer {rest}"), "{context}");
    } else {
        assert!(line.starts_with(&format!("Bearer error=\"{error}\", error_description=\"")), "{context}");
        assert!(line.ends_with(&format!("\", {rest}")), "{context}");
    }
}
