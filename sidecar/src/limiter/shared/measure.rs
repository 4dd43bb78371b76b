//! What a store costs and how often it fails, as metrics. Labels are the store's address, as policies give it, and classes of
//! failures.

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram, Meter};
use std::time::Duration;
use tollward_policy::limits::{OnStoreFailure, StoreAddress};
use tollward_telemetry::names::{attribute, metric};

/// Seconds: a store beside is answered in the first, and deadlines are among the last.
const SECONDS: [f64; 11] = [0.000_25, 0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 1.0];

/// The instruments, of all stores.
pub(super) struct Instruments {
    duration: Histogram<f64>,
    failures: Counter<u64>,
    fallbacks: Counter<u64>,
}

impl Instruments {
    pub(super) fn new(meter: &Meter) -> Self {
        Self {
            duration: meter
                .f64_histogram(metric::TOLLWARD_RATELIMIT_STORE_DURATION)
                .with_unit("s")
                .with_boundaries(SECONDS.to_vec())
                .build(),
            failures: meter.u64_counter(metric::TOLLWARD_RATELIMIT_STORE_FAILURES).build(),
            fallbacks: meter.u64_counter(metric::TOLLWARD_RATELIMIT_STORE_FALLBACKS).build(),
        }
    }

    /// The store at that [`place`] answered.
    pub(super) fn answered(&self, place: &[KeyValue; 2], after: Duration) {
        self.duration.record(after.as_secs_f64(), place);
    }

    /// It did not, or not what it should have.
    pub(super) fn failed(&self, place: &[KeyValue; 2], code: &'static str) {
        let [host, port] = place.clone();
        self.failures.add(1, &[host, port, KeyValue::new(attribute::ERROR_TYPE, code)]);
    }

    /// So a policy decided.
    pub(super) fn decided(&self, limit: &str, decision: OnStoreFailure) {
        let decision = match decision {
            OnStoreFailure::Local => "local",
            OnStoreFailure::Deny => "deny",
            OnStoreFailure::Allow => "allow",
        };
        let labels = [
            KeyValue::new(attribute::TOLLWARD_RATELIMIT_NAME, limit.to_owned()),
            KeyValue::new(attribute::TOLLWARD_RATELIMIT_ON_STORE_FAILURE, decision),
        ];
        self.fallbacks.add(1, &labels);
    }
}

/// Where a store is, as labels.
pub(super) fn place(store: &StoreAddress) -> [KeyValue; 2] {
    [
        KeyValue::new(attribute::SERVER_ADDRESS, store.host().to_owned()),
        KeyValue::new(attribute::SERVER_PORT, i64::from(store.port())),
    ]
}
