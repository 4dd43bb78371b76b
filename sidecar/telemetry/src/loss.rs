//! What never reaches the collector, counted where it is lost.
//!
//! The SDK gives records up in two places and counts neither where an alert could see it: when its queue is full, and
//! when an export fails for good. So a [`Passage`] counts the places of the queue from outside: [`Bounded`] stands in
//! front of it and turns away what has no place, [`Counted`] stands behind it, frees the places and reads the exporter's
//! answers. Places are taken before the SDK's queue is filled and freed after it was emptied, so that one never overflows.
//!
//! An export that failed may have arrived all the same, if only the answer was lost: the count is what Tollward can't
//! vouch for, never less than what is missing.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
};

use opentelemetry::{
    KeyValue,
    metrics::{Counter, Meter},
};

use crate::names::{attribute, metric, value};

#[cfg(feature = "otlp")]
mod stages;
#[cfg(test)]
mod tests;

#[cfg(feature = "otlp")]
pub(crate) use stages::{Bounded, Counted};

/// Target of this file's log lines, for the filters of the log.
pub(crate) const TARGET: &str = "tollward_telemetry::loss";

/// What passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Spans.
    Traces,
    /// Lines of the diagnostic log.
    Logs,
    /// Audit records.
    Audit,
}

/// The way of one signal to the collector. Clones share the counts.
#[derive(Clone, Debug)]
pub(crate) struct Passage(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    signal: Signal,
    places: usize,
    waiting: AtomicUsize,
    lost: AtomicU64,
    /// Whether the last word in the log was that records are lost.
    losing: AtomicBool,
    counter: Counter<u64>,
    queue_full: [KeyValue; 2],
    not_exported: [KeyValue; 2],
}

impl Signal {
    fn label(self) -> KeyValue {
        match self {
            Self::Traces => KeyValue::new(attribute::TOLLWARD_TELEMETRY_SIGNAL, value::TRACES),
            Self::Logs => KeyValue::new(attribute::TOLLWARD_TELEMETRY_SIGNAL, value::LOGS),
            Self::Audit => KeyValue::new(attribute::TOLLWARD_AUDIT_SINK, value::OTLP),
        }
    }

    const fn metric(self) -> &'static str {
        match self {
            Self::Traces | Self::Logs => metric::TOLLWARD_TELEMETRY_DROPPED,
            Self::Audit => metric::TOLLWARD_AUDIT_DROPPED,
        }
    }
}

/// Says at the end what was lost on all ways, if anything.
pub(crate) fn tell(passages: &[Passage]) {
    let lost = |signal| passages.iter().filter(|passage| passage.0.signal == signal).map(Passage::lost).sum::<u64>();
    let (audit, traces, logs) = (lost(Signal::Audit), lost(Signal::Traces), lost(Signal::Logs));
    if audit + traces + logs > 0 {
        tracing::warn!(audit, traces, logs, "lost on the way to the collector in the life of this process");
    }
}

#[cfg_attr(not(feature = "otlp"), expect(dead_code, reason = "such a build has no exporter"))]
impl Passage {
    /// A way with so many places. Its counters stand at zero from the start, so that the first loss is an increase.
    pub(crate) fn new(meter: &Meter, signal: Signal, places: usize) -> Self {
        let because = |why: &'static str| [signal.label(), KeyValue::new(attribute::ERROR_TYPE, why)];
        let (queue_full, not_exported) = (because(value::QUEUE_FULL), because(value::NOT_EXPORTED));
        let counter = meter.u64_counter(signal.metric()).build();
        counter.add(0, &queue_full);
        counter.add(0, &not_exported);
        let (waiting, lost, losing) = (AtomicUsize::new(0), AtomicU64::new(0), AtomicBool::new(false));
        Self(Arc::new(Shared { signal, places, waiting, lost, losing, counter, queue_full, not_exported }))
    }

    /// How many may wait.
    pub(crate) fn places(&self) -> usize {
        self.0.places
    }

    /// How many were lost so far.
    pub(crate) fn lost(&self) -> u64 {
        self.0.lost.load(Ordering::Relaxed)
    }

    /// Takes a place; false if there is none, and the loss is counted.
    fn enter(&self) -> bool {
        if self.0.waiting.fetch_add(1, Ordering::AcqRel) < self.0.places {
            return true;
        }
        self.0.waiting.fetch_sub(1, Ordering::AcqRel);
        self.lose(1, &self.0.queue_full);
        false
    }

    /// Frees the places of a batch that left the queue.
    fn leave(&self, count: usize) {
        self.0.waiting.fetch_sub(count, Ordering::AcqRel);
    }

    /// The collector has a batch.
    fn arrived(&self) {
        if !self.0.losing.swap(false, Ordering::AcqRel) {
            return;
        }
        let lost = self.lost();
        match self.0.signal {
            Signal::Audit => tracing::warn!(lost, "the collector takes audit records again; so many were lost so far"),
            signal @ (Signal::Traces | Signal::Logs) => {
                tracing::warn!(?signal, lost, "the collector takes telemetry again; so many were lost so far");
            }
        }
    }

    /// The exporter has given a batch up.
    fn failed(&self, count: usize) {
        self.lose(u64::try_from(count).unwrap_or(u64::MAX), &self.0.not_exported);
    }

    fn lose(&self, count: u64, labels: &[KeyValue]) {
        self.0.lost.fetch_add(count, Ordering::Relaxed);
        self.0.counter.add(count, labels);
        if self.0.losing.swap(true, Ordering::AcqRel) {
            return;
        }
        // Call sites of their own, here and above: each speaks once in five minutes, and spans must not silence the audit
        // trail.
        match self.0.signal {
            Signal::Audit => {
                tracing::error!(
                    "audit records are lost on their way to the collector; tollward.audit.dropped counts them"
                );
            }
            signal @ (Signal::Traces | Signal::Logs) => {
                tracing::warn!(
                    ?signal,
                    "telemetry is lost on its way to the collector; tollward.telemetry.dropped counts it"
                );
            }
        }
    }
}
