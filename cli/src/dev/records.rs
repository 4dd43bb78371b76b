//! Where audit records go in development: the terminal, one line each, and in full to a file if one was named.
//!
//! The request path only puts a record into a bounded queue; a thread of its own writes.

use crate::record::line;
use crate::screen::Screen;
use anyhow::Context as _;
use opentelemetry::Context;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tollward_sidecar::audit::{AuditSink, LinesSink, Record, SinkError};

/// Records that may wait for the terminal.
const QUEUE: usize = 4096;
/// Time for the last records to be written.
const FLUSH: Duration = Duration::from_secs(2);

/// The sinks of a session and the threads behind them.
pub(crate) struct Records {
    terminal: Arc<TerminalSink>,
    file: Option<Arc<LinesSink>>,
    writers: Vec<JoinHandle<()>>,
}

/// Shows records once it is switched on.
pub(crate) struct TerminalSink {
    records_tx: SyncSender<Record>,
    shown: AtomicBool,
    dropped: AtomicU64,
}

impl Records {
    /// Opens the file, if one is named, and starts the writers.
    pub(crate) fn open(file: Option<&Path>, screen: &Arc<Screen>) -> anyhow::Result<Self> {
        let (records_tx, records_rx) = sync_channel::<Record>(QUEUE);
        let shown_on = screen.clone();
        let mut writers = vec![std::thread::spawn(move || {
            while let Ok(record) = records_rx.recv() {
                shown_on.line(&line(&record, &shown_on));
            }
        })];
        let mut lines = None;
        if let Some(path) = file {
            // Records name people and what they did, so that other users of this machine can't read a new file.
            let opened = OpenOptions::new().create(true).append(true).mode(0o600).open(path);
            let output = opened.with_context(|| format!("can't write audit records to {}", path.display()))?;
            let (sink, writer) = LinesSink::new();
            let (failed_on, path) = (screen.clone(), path.to_owned());
            writers.push(std::thread::spawn(move || {
                if let Err(error) = writer.run(output) {
                    failed_on.error(&format!("audit records can't be written to {}: {error}", path.display()));
                }
            }));
            lines = Some(Arc::new(sink));
        }
        let terminal = TerminalSink { records_tx, shown: AtomicBool::new(false), dropped: AtomicU64::new(0) };
        Ok(Self { terminal: Arc::new(terminal), file: lines, writers })
    }

    /// The sinks, for the data plane.
    pub(crate) fn sinks(&self) -> Vec<Arc<dyn AuditSink>> {
        let mut sinks: Vec<Arc<dyn AuditSink>> = vec![self.terminal.clone()];
        sinks.extend(self.file.iter().map(|file| file.clone() as Arc<dyn AuditSink>));
        sinks
    }

    /// From now on records are shown on the terminal.
    pub(crate) fn show(&self) {
        self.terminal.shown.store(true, Ordering::Relaxed);
    }

    /// Lets the writers end, and says how many records they did not get.
    pub(crate) async fn close(self) -> u64 {
        let Self { terminal, file, writers } = self;
        let dropped = terminal.dropped.load(Ordering::Relaxed) + file.as_ref().map_or(0, |file| file.dropped());
        drop((terminal, file));
        let deadline = Instant::now() + FLUSH;
        // A connection that outlived the drain still holds its sinks; what it would write is not waited for.
        while Instant::now() < deadline && !writers.iter().all(JoinHandle::is_finished) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        dropped
    }
}

impl AuditSink for TerminalSink {
    fn open(&self, _intent: &Record) -> Result<(), SinkError> {
        Ok(())
    }

    fn close(&self, record: &Record, _span: &Context) {
        if self.shown.load(Ordering::Relaxed) && self.records_tx.try_send(record.clone()).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}
