//! Telemetry that stays in memory, for the tests of every crate that emits some.
//!
//! Nothing is batched: what was emitted is readable at once. Everything is sampled.

use std::sync::atomic::AtomicBool;

use opentelemetry_sdk::{
    Resource,
    logs::{InMemoryLogExporter, SdkLoggerProvider, in_memory_exporter::LogDataWithResource},
    trace::{InMemorySpanExporter, Sampler, SdkTracerProvider, SpanData},
};

use crate::{AuditDelivery, Propagation, Settings, SetupError, Telemetry, setup::prometheus_reader};

/// What was emitted into a [`Telemetry::in_memory`]. Metrics are read by [`Telemetry::prometheus_text`].
#[derive(Clone, Debug, Default)]
pub struct InMemory {
    spans: InMemorySpanExporter,
    logs: InMemoryLogExporter,
    audit: InMemoryLogExporter,
}

impl InMemory {
    /// Ended spans, in the order of their end.
    pub fn spans(&self) -> Vec<SpanData> {
        self.spans.get_finished_spans().unwrap_or_default()
    }

    /// Log records that passed the filter.
    pub fn logs(&self) -> Vec<LogDataWithResource> {
        self.logs.get_emitted_logs().unwrap_or_default()
    }

    /// Audit records, both queued and delivered.
    pub fn audit_records(&self) -> Vec<LogDataWithResource> {
        self.audit.get_emitted_logs().unwrap_or_default()
    }
}

impl Telemetry {
    /// Telemetry whose output is read back through the second value.
    pub fn in_memory() -> Result<(Self, InMemory), SetupError> {
        let memory = InMemory::default();
        let resource = Resource::builder_empty().build();
        let settings = Settings::from_lookup(|_| None)?;
        let (meter_builder, registry) = prometheus_reader(&resource)?;
        let logs = |exporter: &InMemoryLogExporter| {
            SdkLoggerProvider::builder().with_resource(resource.clone()).with_simple_exporter(exporter.clone()).build()
        };
        let tracer_provider = SdkTracerProvider::builder()
            .with_resource(resource.clone())
            .with_sampler(Sampler::AlwaysOn)
            .with_simple_exporter(memory.spans.clone())
            .build();
        let telemetry = Self {
            tracer_provider,
            meter_provider: meter_builder.build(),
            log_provider: Some(logs(&memory.logs)),
            audit_provider: Some(logs(&memory.audit)),
            delivery: Some(AuditDelivery::new(memory.audit.clone(), &resource)),
            passages: Vec::new(),
            registry,
            propagation: Propagation::traced(&settings),
            log: settings.log.clone(),
            closed: AtomicBool::new(false),
        };
        Ok((telemetry, memory))
    }
}
