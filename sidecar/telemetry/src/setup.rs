//! Builds the providers and holds them until the program ends.
//!
//! One [`Telemetry`] is one guard. Metrics have two readers: the Prometheus text is always there, the push is there if
//! there is an address. Spans are sampled at the edge (`sampling.rs`), audit records never are: they have a provider and
//! a queue of their own, so that a burst of log lines can't push one out.
//!
//! Caveats: over gRPC the Tokio runtime that is current at [`Telemetry::start`] must outlive [`Telemetry::shutdown`].
//! Queues have the SDK's sizes (2048 entries, `OTEL_BSP_*` and `OTEL_BLRP_*`); what doesn't fit is dropped, and the SDK
//! says so once.

use std::{
    fmt,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use opentelemetry::{
    logs::LoggerProvider,
    metrics::{Meter, MeterProvider},
    trace::TracerProvider,
};
use opentelemetry_sdk::{
    Resource,
    logs::{SdkLogger, SdkLoggerProvider},
    metrics::{MeterProviderBuilder, SdkMeterProvider},
    trace::{SdkTracer, SdkTracerProvider},
};
use prometheus::{Registry, TextEncoder};
use tracing::Dispatch;
use tracing_subscriber::util::SubscriberInitExt;

use crate::{
    AuditDelivery, Propagation, ServiceIdentity, SetupError, ShutdownError,
    export::Exporters,
    logging,
    loss::{Passage, Signal},
    names::scope,
    resource::resource,
    sampling::EdgeSampler,
    settings::{LogSettings, Settings},
    shutdown::Flushes,
    views,
};

#[cfg(test)]
mod tests;

/// Media type of [`Telemetry::prometheus_text`].
pub const PROMETHEUS_CONTENT_TYPE: &str = prometheus::TEXT_FORMAT;

/// How long a drop without [`Telemetry::shutdown`] may hold up the thread.
const LAST_RESORT: Duration = Duration::from_secs(2);

/// The providers of one process (or one test). Keep it until the end: dropping it flushes, for two seconds at most.
pub struct Telemetry {
    pub(crate) tracer_provider: SdkTracerProvider,
    pub(crate) meter_provider: SdkMeterProvider,
    pub(crate) log_provider: Option<SdkLoggerProvider>,
    pub(crate) audit_provider: Option<SdkLoggerProvider>,
    pub(crate) delivery: Option<AuditDelivery>,
    /// The ways to the collector, with what was lost on each.
    pub(crate) passages: Vec<Passage>,
    pub(crate) registry: Registry,
    pub(crate) propagation: Propagation,
    pub(crate) log: LogSettings,
    pub(crate) closed: AtomicBool,
}

impl Telemetry {
    /// Builds everything; touches nothing global.
    pub fn start(identity: &ServiceIdentity, settings: &Settings) -> Result<Self, SetupError> {
        let resource = resource(identity, settings);
        let mut exporters = Exporters::default();
        let (meter_builder, registry) = prometheus_reader(&resource)?;
        let meter_builder = match &settings.metrics {
            Some(target) => exporters.metrics(meter_builder, target)?,
            None => meter_builder,
        };
        let meter_provider = meter_builder.build();
        let meter = meter_provider.meter(scope::TOLLWARD);
        let mut passages = Vec::new();
        let mut passage = |signal, places| {
            let passage = Passage::new(&meter, signal, places);
            passages.push(passage.clone());
            passage
        };

        let mut tracer_builder = SdkTracerProvider::builder().with_resource(resource.clone());
        tracer_builder = match &settings.traces {
            Some(target) => {
                let sampled = tracer_builder.with_sampler(EdgeSampler::new(&settings.sampler));
                exporters.spans(sampled, target, passage(Signal::Traces, settings.queues.spans))?
            }
            None => tracer_builder.with_sampler(EdgeSampler::never()),
        };
        let mut logs = |signal| -> Result<Option<SdkLoggerProvider>, SetupError> {
            let Some(target) = &settings.logs else { return Ok(None) };
            let builder = SdkLoggerProvider::builder().with_resource(resource.clone());
            Ok(Some(exporters.logs(builder, target, passage(signal, settings.queues.logs))?.build()))
        };
        let (log_provider, audit_provider) = (logs(Signal::Logs)?, logs(Signal::Audit)?);
        let delivery = settings.logs.as_ref().map(|target| exporters.delivery(target, &resource)).transpose()?;

        Ok(Self {
            tracer_provider: tracer_builder.build(),
            meter_provider,
            log_provider,
            audit_provider,
            delivery,
            passages,
            registry,
            propagation: Propagation::new(settings),
            log: settings.log.clone(),
            closed: AtomicBool::new(false),
        })
    }

    /// Makes the log this process's global `tracing` subscriber. For programs, once; libraries and tests use
    /// [`Telemetry::dispatch`].
    pub fn install_subscriber(&self) -> Result<(), SetupError> {
        let installed = self.dispatch()?.try_init();
        installed.map_err(|error| SetupError::SubscriberInstalled { problem: error.to_string() })
    }

    /// The log's subscriber, for a scope: standard error, and OTLP if logs are exported.
    pub fn dispatch(&self) -> Result<Dispatch, SetupError> {
        use tracing_subscriber::fmt::writer::BoxMakeWriter;
        Ok(logging::dispatch(&self.log, self.log_provider.as_ref(), BoxMakeWriter::new(std::io::stderr))?)
    }

    /// Makes spans. While traces aren't exported it makes ids only.
    pub fn tracer(&self) -> SdkTracer {
        self.tracer_provider.tracer(scope::TOLLWARD)
    }

    /// Makes instruments.
    pub fn meter(&self) -> Meter {
        self.meter_provider.meter(scope::TOLLWARD)
    }

    /// A queue for audit records that loses what doesn't fit, for records that are kept elsewhere too. `None` while logs
    /// aren't exported. Whoever must know that a record arrived uses [`Telemetry::audit_delivery`].
    pub fn audit_logger(&self) -> Option<SdkLogger> {
        self.audit_provider.as_ref().map(|provider| provider.logger(scope::AUDIT))
    }

    /// Export of audit records with the collector's acknowledgement. `None` while logs aren't exported.
    pub fn audit_delivery(&self) -> Option<&AuditDelivery> {
        self.delivery.as_ref()
    }

    /// How context travels from the caller to the upstream.
    pub fn propagation(&self) -> Propagation {
        self.propagation
    }

    /// All metrics in the Prometheus text format, see [`PROMETHEUS_CONTENT_TYPE`].
    pub fn prometheus_text(&self) -> String {
        let mut text = String::new();
        for family in self.registry.gather() {
            // One family that can't be written must not take the others along.
            match TextEncoder::new().encode_to_string(std::slice::from_ref(&family)) {
                Ok(written) => text.push_str(&written),
                Err(error) => tracing::warn!(metric = family.name(), %error, "a metric can't be written as text"),
            }
        }
        text
    }

    /// Flushes everything and stops, within `deadline`. Call it after the last request has ended. Later calls do nothing.
    /// It blocks no thread of the runtime.
    pub async fn shutdown(&self, deadline: Duration) -> Result<(), ShutdownError> {
        let Some(flushes) = self.begin_shutdown(deadline) else {
            return Ok(());
        };
        match tokio::task::spawn_blocking(move || flushes.wait()).await {
            Ok(result) => result,
            Err(_) => Err(ShutdownError { deadline, late: vec!["all (the runtime is gone)".to_owned()] }),
        }
    }

    /// [`Telemetry::shutdown`] for a thread that may block. Over gRPC on a runtime with a single thread, that thread must
    /// not be this one: the export needs it, so the deadline would pass and the records would be lost.
    pub fn shutdown_blocking(&self, deadline: Duration) -> Result<(), ShutdownError> {
        self.begin_shutdown(deadline).map_or(Ok(()), Flushes::wait)
    }

    fn begin_shutdown(&self, deadline: Duration) -> Option<Flushes> {
        if self.closed.swap(true, Ordering::SeqCst) {
            return None;
        }
        let mut flushes = Flushes::new(deadline, self.passages.clone());
        let provider = self.tracer_provider.clone();
        flushes.start("traces", move |deadline| provider.shutdown_with_timeout(deadline));
        let provider = self.meter_provider.clone();
        flushes.start("metrics", move |deadline| provider.shutdown_with_timeout(deadline));
        for (what, provider) in [("logs", &self.log_provider), ("audit", &self.audit_provider)] {
            if let Some(provider) = provider.clone() {
                flushes.start(what, move |deadline| provider.shutdown_with_timeout(deadline));
            }
        }
        Some(flushes)
    }
}

/// A provider that always has the Prometheus reader, and the buckets.
pub(crate) fn prometheus_reader(resource: &Resource) -> Result<(MeterProviderBuilder, Registry), SetupError> {
    let registry = Registry::new();
    let reader = opentelemetry_prometheus::exporter()
        .with_registry(registry.clone())
        // There is one scope, so the label would only make each line longer.
        .scope_info_enabled(false)
        .build()
        .map_err(|error| SetupError::Prometheus { problem: error.to_string() })?;
    let builder =
        SdkMeterProvider::builder().with_resource(resource.clone()).with_reader(reader).with_view(views::seconds);
    Ok((builder, registry))
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        if let Err(error) = self.shutdown_blocking(LAST_RESORT) {
            tracing::warn!(%error, "telemetry was dropped without a shutdown");
        }
    }
}

impl fmt::Debug for Telemetry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Telemetry")
            .field("exports_logs", &self.log_provider.is_some())
            .field("propagation", &self.propagation)
            .field("log", &self.log)
            .field("closed", &self.closed)
            .finish_non_exhaustive()
    }
}
