//! Where records go.

use super::record::Record;
use opentelemetry::Context;
use std::sync::Arc;

/// A sink could not take an intent, so the call must not be made.
#[derive(Debug, thiserror::Error)]
#[error("audit sink {sink}: {message}")]
pub struct SinkError {
    /// Which sink.
    pub sink: &'static str,
    /// What went wrong.
    pub message: String,
}

/// Takes intents and finished records. Must not block: it runs on the request path.
pub trait AuditSink: Send + Sync + 'static {
    /// Takes an intent before the first byte goes upstream.
    fn open(&self, intent: &Record) -> Result<(), SinkError>;

    /// Takes the finished record, with the span of the request.
    fn close(&self, record: &Record, span: &Context);
}

/// Several sinks as one: an intent needs all of them.
#[derive(Clone)]
pub struct Fanout(pub Vec<Arc<dyn AuditSink>>);

impl AuditSink for Fanout {
    fn open(&self, intent: &Record) -> Result<(), SinkError> {
        self.0.iter().try_for_each(|sink| sink.open(intent))
    }

    fn close(&self, record: &Record, span: &Context) {
        for sink in &self.0 {
            sink.close(record, span);
        }
    }
}
