//! The diagnostic log: `tracing` events to standard error, and to OTLP if logs are exported.
//!
//! Two things must not happen. Telemetry must not feed itself: what the exporters' own libraries log while they export
//! never reaches the OTLP layer. And the SDK must not flood or leak: it reports every failed batch, so that a collector
//! that is down would fill the log, and at debug level it prints answers and header names, so both are held back here.
//!
//! Audit records do not pass this file.

mod sdk;
#[cfg(test)]
mod tests;

use opentelemetry::trace::TraceContextExt;
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use tracing::{Dispatch, Event, Metadata, Subscriber};
use tracing_subscriber::{
    Layer, Registry,
    filter::{FilterExt, filter_fn},
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer, writer::BoxMakeWriter},
    layer::SubscriberExt,
    registry::LookupSpan,
};

use crate::loss;
use crate::settings::{LogFormat, LogSettings, SettingsError};

/// Targets, by prefix, of what an export runs through.
const EXPORT_PATH: [&str; 8] = ["hyper", "h2", "tonic", "reqwest", "tower", "opentelemetry", "rustls", loss::TARGET];

/// The subscriber with all its layers, installed nowhere yet.
pub(crate) fn dispatch(
    settings: &LogSettings,
    logs: Option<&SdkLoggerProvider>,
    writer: BoxMakeWriter,
) -> Result<Dispatch, SettingsError> {
    let printed = settings.env_filter()?.and(sdk::Quiet::new(std::time::Instant::now));
    let printing = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(false);
    let printing: Box<dyn Layer<Registry> + Send + Sync> = match settings.format {
        LogFormat::Json => printing
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .map_event_format(|inner| WithTraceIds { inner, format: LogFormat::Json })
            .with_filter(printed)
            .boxed(),
        LogFormat::Text => printing
            .map_event_format(|inner| WithTraceIds { inner, format: LogFormat::Text })
            .with_filter(printed)
            .boxed(),
    };
    let exporting = match logs {
        None => None,
        Some(provider) => {
            let exported = settings.env_filter()?.and(filter_fn(is_outside_the_export_path));
            Some(OpenTelemetryTracingBridge::new(provider).with_filter(exported))
        }
    };
    Ok(Dispatch::new(Registry::default().with(printing).with(exporting)))
}

fn is_outside_the_export_path(metadata: &Metadata<'_>) -> bool {
    !EXPORT_PATH.iter().any(|prefix| metadata.target().starts_with(prefix))
}

/// Adds the current span's ids to a finished line, so that a log line leads to its trace. The inner formats know nothing
/// of OpenTelemetry's context.
struct WithTraceIds<F> {
    inner: F,
    format: LogFormat,
}

impl<S, N, F> FormatEvent<S, N> for WithTraceIds<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> std::fmt::Result {
        let mut line = String::new();
        self.inner.format_event(context, Writer::new(&mut line), event)?;
        let span = opentelemetry::Context::map_current(|current| current.span().span_context().clone());
        if !span.is_valid() {
            return writer.write_str(&line);
        }
        let (trace, span) = (span.trace_id(), span.span_id());
        match (self.format, line.strip_suffix("}\n"), line.strip_suffix('\n')) {
            (LogFormat::Json, Some(open), _) => {
                writeln!(writer, r#"{open},"trace_id":"{trace}","span_id":"{span}"}}"#)
            }
            (LogFormat::Text, _, Some(open)) => writeln!(writer, "{open} trace_id={trace} span_id={span}"),
            (LogFormat::Json, None, _) | (LogFormat::Text, _, None) => writer.write_str(&line),
        }
    }
}
