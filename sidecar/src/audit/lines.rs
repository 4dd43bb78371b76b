//! Finished records as JSON lines, written by a thread of their own.

use super::record::Record;
use super::sink::{AuditSink, SinkError};
use opentelemetry::metrics::Counter;
use opentelemetry::{Context, KeyValue};
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use tollward_telemetry::Telemetry;
use tollward_telemetry::names::{attribute, metric, value};

/// Records that may wait for the writer.
const QUEUE: usize = 16_384;

/// The sending half: never blocks a request, counts what it had to drop.
#[derive(Debug)]
pub struct LinesSink {
    lines_tx: SyncSender<Vec<u8>>,
    dropped: AtomicU64,
    metric: Option<Counter<u64>>,
}

/// The writing half.
#[derive(Debug)]
pub struct LinesWriter {
    lines_rx: Receiver<Vec<u8>>,
}

impl LinesSink {
    /// Both halves.
    pub fn new() -> (Self, LinesWriter) {
        let (lines_tx, lines_rx) = sync_channel(QUEUE);
        (Self { lines_tx, dropped: AtomicU64::new(0), metric: None }, LinesWriter { lines_rx })
    }

    /// Counts losses in a metric as well, so that an alert can see them.
    #[must_use]
    pub fn counted(mut self, telemetry: &Telemetry) -> Self {
        let metric = telemetry.meter().u64_counter(metric::TOLLWARD_AUDIT_DROPPED).build();
        // It stands at zero from the start, so that the first loss is an increase.
        metric.add(0, &Self::labels());
        self.metric = Some(metric);
        self
    }

    fn labels() -> [KeyValue; 2] {
        [
            KeyValue::new(attribute::TOLLWARD_AUDIT_SINK, value::STDOUT),
            KeyValue::new(attribute::ERROR_TYPE, value::QUEUE_FULL),
        ]
    }

    fn lose(&self) {
        if self.dropped.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::error!("audit records are lost: their writer is too slow or gone; the metric counts them");
        }
        if let Some(metric) = &self.metric {
            metric.add(1, &Self::labels());
        }
    }

    /// Records lost because the writer was too slow.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

impl AuditSink for LinesSink {
    fn open(&self, _intent: &Record) -> Result<(), SinkError> {
        Ok(())
    }

    fn close(&self, record: &Record, _span: &Context) {
        let Ok(mut line) = serde_json::to_vec(record) else {
            self.lose();
            return;
        };
        line.push(b'\n');
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = self.lines_tx.try_send(line) {
            self.lose();
        }
    }
}

impl LinesWriter {
    /// Writes until every sender is gone, flushing when the queue is empty.
    pub fn run(self, mut output: impl Write) -> std::io::Result<()> {
        while let Ok(line) = self.lines_rx.recv() {
            output.write_all(&line)?;
            while let Ok(line) = self.lines_rx.try_recv() {
                output.write_all(&line)?;
            }
            output.flush()?;
        }
        output.flush()
    }
}
