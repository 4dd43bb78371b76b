//! How many callers are counted right now, as a metric.

use super::Limiter;
use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;
use std::sync::Arc;
use tollward_telemetry::names::{attribute, metric};

/// Reports the keys of each limit whenever metrics are read.
pub fn gauge(limiter: Arc<Limiter>, meter: &Meter) {
    let gauge =
        meter.u64_observable_gauge(metric::TOLLWARD_RATELIMIT_KEYS).with_unit("{key}").with_callback(move |observer| {
            for (limit, keys) in limiter.keys() {
                let keys = u64::try_from(keys).unwrap_or(u64::MAX);
                observer.observe(keys, &[KeyValue::new(attribute::TOLLWARD_RATELIMIT_NAME, limit)]);
            }
        });
    gauge.build();
}
