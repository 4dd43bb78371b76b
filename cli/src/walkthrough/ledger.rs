//! The audit records of the session, kept for the table at the end. They come from the data plane itself where it runs in
//! this process, and from the lines that it writes where it does not.

use crate::record::{in_words, what, who};
use opentelemetry::Context;
use serde::Deserialize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use tollward_policy::reason::Reason;
use tollward_sidecar::audit::{AuditSink, Record, SinkError};

/// Most records that are kept; a walk-through makes some hundreds.
const MOST: usize = 20_000;

/// What the table shows of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(super) allowed: bool,
    pub(super) status: u16,
    pub(super) reason: &'static str,
    pub(super) what: String,
    pub(super) who: String,
}

/// Keeps records until it is closed.
pub(crate) struct Ledger {
    entries: Mutex<Vec<Entry>>,
    closed: AtomicBool,
}

impl Ledger {
    /// No records yet.
    pub(crate) fn new() -> Self {
        Self { entries: Mutex::default(), closed: AtomicBool::new(false) }
    }

    /// Keeps no more, for a session that goes on after the walk-through.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }

    /// Takes a line that a data plane wrote. What is no audit record is left out: its log may be among the lines.
    pub(crate) fn take(&self, line: &str) {
        if let Some(entry) = serde_json::from_str::<Line>(line).ok().and_then(Line::entry) {
            self.push(entry);
        }
    }

    fn push(&self, entry: Entry) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.closed.load(Ordering::Relaxed) && entries.len() < MOST {
            entries.push(entry);
        }
    }

    /// The records so far, in the order in which they closed.
    pub(super) fn entries(&self) -> Vec<Entry> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl AuditSink for Ledger {
    fn open(&self, _intent: &Record) -> Result<(), SinkError> {
        Ok(())
    }

    fn close(&self, record: &Record, _span: &Context) {
        self.push(Entry {
            allowed: record.decision.allowed,
            status: record.outcome.as_ref().and_then(|outcome| outcome.status).unwrap_or_default(),
            reason: record.decision.reason.code(),
            what: what(record),
            who: who(record),
        });
    }
}

/// What the table shows of a record, as it is written.
#[derive(Deserialize)]
struct Line {
    http: HttpFacts,
    caller: Option<Caller>,
    call: Option<Call>,
    decision: Decision,
    outcome: Option<Outcome>,
}

#[derive(Deserialize)]
struct HttpFacts {
    method: String,
    path: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
enum Caller {
    Anonymous {},
    Token { subject: String },
}

#[derive(Deserialize)]
struct Call {
    method: String,
    target: Option<String>,
}

#[derive(Deserialize)]
struct Decision {
    allowed: bool,
    reason: String,
}

#[derive(Deserialize)]
struct Outcome {
    status: Option<u16>,
}

impl Line {
    /// Nothing, if the reason is one that this program does not know.
    fn entry(self) -> Option<Entry> {
        let Self { http, caller, call, decision, outcome } = self;
        let reason = Reason::ALL.iter().find(|reason| reason.code() == decision.reason)?;
        let who = match &caller {
            Some(Caller::Token { subject }) => in_words::who(Some(subject)),
            Some(Caller::Anonymous {}) => in_words::who(None),
            None => in_words::NOBODY.to_owned(),
        };
        let call = call.as_ref().map(|call| (call.method.as_str(), call.target.as_deref()));
        Some(Entry {
            allowed: decision.allowed,
            status: outcome.and_then(|outcome| outcome.status).unwrap_or_default(),
            reason: reason.code(),
            what: in_words::what(call, (&http.method, &http.path)),
            who,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Ledger;
    use crate::record::testing::record;
    use opentelemetry::Context;
    use tollward_sidecar::audit::{AuditSink, Caller};

    #[test]
    fn a_written_record_says_what_the_record_itself_says() {
        let mut anonymous = record();
        anonymous.caller = Some(Caller::Anonymous {});
        let mut unknown = record();
        (unknown.caller, unknown.call) = (None, None);
        for record in [record(), anonymous, unknown] {
            let (heard, read) = (Ledger::new(), Ledger::new());
            AuditSink::close(&heard, &record, &Context::new());
            read.take(&serde_json::to_string(&record).unwrap());
            assert_eq!(heard.entries(), read.entries());
            assert_eq!(read.entries().len(), 1);
        }
    }

    #[test]
    fn what_is_no_record_is_left_out() {
        let ledger = Ledger::new();
        for line in ["", "listening", r#"{"level":"INFO","message":"ready"}"#, r#"{"decision":{"allowed":true}}"#] {
            ledger.take(line);
        }
        assert_eq!(ledger.entries(), []);
    }
}
