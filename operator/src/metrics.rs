//! How long reconciles take and how they end: one histogram and one span each. Labels are kinds and results, never names.

use opentelemetry::KeyValue;
use opentelemetry::metrics::Histogram;
use opentelemetry::trace::{Span as _, SpanBuilder, Tracer as _};
use opentelemetry_sdk::trace::SdkTracer;
use std::future::Future;
use std::time::Instant;
use tollward_telemetry::Telemetry;
use tollward_telemetry::names::{attribute, metric, span};

/// The instruments.
pub struct Metrics {
    duration: Histogram<f64>,
    tracer: SdkTracer,
}

impl Metrics {
    /// Instruments of this telemetry.
    pub fn new(telemetry: &Telemetry) -> Self {
        Self {
            duration: telemetry.meter().f64_histogram(metric::TOLLWARD_RECONCILE_DURATION).with_unit("s").build(),
            tracer: telemetry.tracer(),
        }
    }

    /// Measures a reconcile, whose second value says how it ended.
    pub async fn measure<T>(&self, kind: &'static str, name: &str, work: impl Future<Output = (T, &'static str)>) -> T {
        let builder = SpanBuilder::from_name(span::RECONCILE).with_attributes([
            KeyValue::new(attribute::TOLLWARD_RESOURCE_KIND, kind),
            KeyValue::new(attribute::TOLLWARD_RESOURCE_NAME, name.to_owned()),
        ]);
        let mut span = self.tracer.build(builder);
        let start = Instant::now();
        let (value, result) = work.await;
        span.set_attribute(KeyValue::new(attribute::TOLLWARD_RESULT, result));
        span.end();
        let labels =
            [KeyValue::new(attribute::TOLLWARD_RESOURCE_KIND, kind), KeyValue::new(attribute::TOLLWARD_RESULT, result)];
        self.duration.record(start.elapsed().as_secs_f64(), &labels);
        value
    }
}
