//! The audit records of the session, kept for the table at the end.

use crate::record::{what, who};
use opentelemetry::Context;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
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
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if self.closed.load(Ordering::Relaxed) || entries.len() >= MOST {
            return;
        }
        entries.push(Entry {
            allowed: record.decision.allowed,
            status: record.outcome.as_ref().and_then(|outcome| outcome.status).unwrap_or_default(),
            reason: record.decision.reason.code(),
            what: what(record),
            who: who(record),
        });
    }
}
