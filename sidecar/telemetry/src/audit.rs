//! Delivery of audit records with an acknowledgement.
//!
//! A queue that drops its oldest or newest entry is right for spans and wrong for an audit trail: the spool may forget a
//! record only when the collector has it, and `durability: Replicated` answers a caller only then. So this is no queue
//! and no background task: one call exports one batch and returns when the collector has answered.

use std::{fmt, sync::Arc};

use opentelemetry::{
    InstrumentationScope,
    logs::{LogRecord, Logger, LoggerProvider},
};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    logs::{LogBatch, LogExporter, SdkLogRecord, SdkLogger, SdkLoggerProvider},
};

use crate::names::scope;

/// Blocks until the collector has answered. It hides the exporter's type, whose trait can't be made into an object.
type Export = dyn Fn(Vec<SdkLogRecord>) -> OTelSdkResult + Send + Sync;

/// Exports audit records and waits for the collector. Cheap to clone.
#[derive(Clone)]
pub struct AuditDelivery {
    export: Arc<Export>,
    /// Only makes empty records, which the SDK offers no other way to.
    maker: SdkLogger,
}

/// Why a batch was not acknowledged. None, some or all of it may have arrived: deliver it again, since records carry
/// their own identity.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// The collector is away, slow, or refused.
    #[error("the collector did not acknowledge {records} audit records: {problem}; they stay in the spool")]
    NotAcknowledged {
        /// Size of the batch.
        records: usize,
        /// What the exporter says.
        problem: String,
    },
    /// The runtime is shutting down.
    #[error("delivery of {records} audit records was cut short by the shutdown of the runtime; they stay in the spool")]
    Interrupted {
        /// Size of the batch.
        records: usize,
    },
}

impl AuditDelivery {
    /// Delivers through `exporter`, under `resource`.
    #[cfg_attr(
        not(any(test, feature = "otlp", feature = "testing")),
        expect(dead_code, reason = "such a build has no exporter")
    )]
    pub(crate) fn new<E: LogExporter + 'static>(mut exporter: E, resource: &Resource) -> Self {
        exporter.set_resource(resource);
        let instrumentation = InstrumentationScope::builder(scope::AUDIT).build();
        let export = move |mut records: Vec<SdkLogRecord>| {
            // What the exporter's libraries do on the way must not become telemetry.
            let _suppressed = opentelemetry::Context::enter_telemetry_suppressed_scope();
            // The exporter panics on a record without it; a logger would set it to the same.
            for record in records.iter_mut().filter(|record| record.observed_timestamp().is_none()) {
                record.set_observed_timestamp(opentelemetry::time::now());
            }
            let batch: Vec<_> = records.iter().map(|record| (record, &instrumentation)).collect();
            futures_executor::block_on(exporter.export(LogBatch::new(&batch)))
        };
        Self { export: Arc::new(export), maker: SdkLoggerProvider::builder().build().logger(scope::AUDIT) }
    }

    /// An empty record. The caller sets name, time, trace context, body and attributes; only a missing observed time is
    /// added on the way.
    pub fn record(&self) -> SdkLogRecord {
        self.maker.create_log_record()
    }

    /// Exports one batch and waits for the answer, at most for the exporter's timeout and its retries. Needs a Tokio
    /// runtime; the export itself runs on a thread that may block.
    pub async fn deliver(&self, records: Vec<SdkLogRecord>) -> Result<(), DeliveryError> {
        let count = records.len();
        if count == 0 {
            return Ok(());
        }
        let export = Arc::clone(&self.export);
        let exported = tokio::task::spawn_blocking(move || export(records)).await;
        let problem = match exported {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error.to_string(),
            Err(error) if error.is_cancelled() => return Err(DeliveryError::Interrupted { records: count }),
            Err(_) => "the exporter panicked".to_owned(),
        };
        Err(DeliveryError::NotAcknowledged { records: count, problem })
    }
}

impl fmt::Debug for AuditDelivery {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("AuditDelivery").finish_non_exhaustive()
    }
}
