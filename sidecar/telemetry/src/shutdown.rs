//! Flushing the providers within a deadline that holds.
//!
//! The SDK's own timeouts do not: the meter provider ignores the one it is given, and a provider that waits holds up the
//! next. So each is shut down on a thread of its own, and whoever is late is left behind. A provider also calls a flush
//! good whose export failed, so what was lost is told from our own counts.

use std::{
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};

use crate::loss::{self, Passage};

/// What was not flushed. The records are lost, the program may end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("telemetry was not flushed within {deadline:?}: {}; check that the collector is reachable", late.join(", "))]
pub struct ShutdownError {
    /// How long there was.
    pub deadline: Duration,
    /// `traces`, `metrics`, `logs` or `audit`, each with what went wrong.
    pub late: Vec<String>,
}

/// Flushes under way.
pub(crate) struct Flushes {
    deadline: Duration,
    started: Instant,
    running: Vec<(&'static str, mpsc::Receiver<OTelSdkResult>)>,
    passages: Vec<Passage>,
}

impl Flushes {
    pub(crate) fn new(deadline: Duration, passages: Vec<Passage>) -> Self {
        Self { deadline, started: Instant::now(), running: Vec::new(), passages }
    }

    /// Starts one flush; it gets the deadline as an argument.
    pub(crate) fn start(&mut self, what: &'static str, flush: impl FnOnce(Duration) -> OTelSdkResult + Send + 'static) {
        let (done, result) = mpsc::channel();
        let deadline = self.deadline;
        let thread = thread::Builder::new().name("tollward-flush".to_owned()).spawn(move || {
            // Nobody listens any more if the deadline has passed.
            let _ = done.send(flush(deadline));
        });
        // A thread that could not start drops `done`, which reads as a flush that died.
        drop(thread);
        self.running.push((what, result));
    }

    /// Waits for all of them, until the deadline.
    pub(crate) fn wait(self) -> Result<(), ShutdownError> {
        let Self { deadline, started, running, passages } = self;
        let mut late = Vec::new();
        for (what, result) in running {
            match result.recv_timeout(deadline.saturating_sub(started.elapsed())) {
                Ok(Ok(()) | Err(OTelSdkError::AlreadyShutdown)) => {}
                Ok(Err(error)) => late.push(format!("{what} ({error})")),
                Err(mpsc::RecvTimeoutError::Timeout) => late.push(format!("{what} (no answer in time)")),
                Err(mpsc::RecvTimeoutError::Disconnected) => late.push(format!("{what} (its thread ended)")),
            }
        }
        loss::tell(&passages);
        if late.is_empty() { Ok(()) } else { Err(ShutdownError { deadline, late }) }
    }
}
