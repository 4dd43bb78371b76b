//! An audit sink that keeps what it is given, and can refuse.

use crate::deadline::eventually;
use opentelemetry::Context;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tollward_sidecar::audit::{AuditSink, Record, SinkError};

#[derive(Default)]
struct Shared {
    intents: Mutex<Vec<Record>>,
    closed: Mutex<Vec<Record>>,
    full: AtomicBool,
}

/// Audit records in memory. Clones share them.
#[derive(Clone, Default)]
pub struct Records(Arc<Shared>);

impl Records {
    /// Finished records, in the order in which they were finished.
    pub fn closed(&self) -> Vec<Record> {
        self.0.closed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many were finished.
    pub fn count(&self) -> usize {
        self.0.closed.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Intents, in the order in which they came.
    pub fn intents(&self) -> Vec<Record> {
        self.0.intents.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Refuses intents from now on, or takes them again.
    pub fn set_full(&self, full: bool) {
        self.0.full.store(full, Ordering::Relaxed);
    }

    /// Returns once so many records are finished, with the last of them.
    pub async fn wait_for(&self, count: usize) -> Record {
        eventually("an audit record is finished", async || self.count() >= count).await;
        let closed = self.closed();
        assert_eq!(closed.len(), count, "one record for each request: {closed:#?}");
        closed.last().cloned().expect("at least one record")
    }
}

impl AuditSink for Records {
    fn open(&self, intent: &Record) -> Result<(), SinkError> {
        if self.0.full.load(Ordering::Relaxed) {
            return Err(SinkError { sink: "memory", message: "no space left".to_owned() });
        }
        self.0.intents.lock().unwrap_or_else(PoisonError::into_inner).push(intent.clone());
        Ok(())
    }

    fn close(&self, record: &Record, _span: &Context) {
        self.0.closed.lock().unwrap_or_else(PoisonError::into_inner).push(record.clone());
    }
}
