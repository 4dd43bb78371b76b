//! What a line of the log looks like, and what must not be in it.

use std::{
    io,
    sync::{Arc, Mutex, atomic::AtomicU64, atomic::Ordering},
    time::{Duration, Instant},
};

use opentelemetry::{
    Context,
    trace::{Tracer, TracerProvider},
};
use opentelemetry_sdk::{logs::InMemoryLogExporter, trace::SdkTracerProvider};
use tracing::dispatcher::with_default;
use tracing_subscriber::{Layer, fmt::MakeWriter, layer::SubscriberExt};

use super::*;
use crate::Settings;

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// What the log prints and exports while `act` runs.
fn logged(variables: &[(&str, &str)], act: impl FnOnce()) -> (String, Vec<String>) {
    let lookup = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
    let settings = Settings::from_lookup(lookup).unwrap();
    let (lines, memory) = (Lines::default(), InMemoryLogExporter::default());
    let provider = SdkLoggerProvider::builder().with_simple_exporter(memory.clone()).build();
    let dispatch = dispatch(settings.log(), Some(&provider), BoxMakeWriter::new(lines.clone())).unwrap();
    with_default(&dispatch, act);
    let exported = memory.get_emitted_logs().unwrap();
    (lines.text(), exported.iter().map(|data| format!("{:?}", data.record.body())).collect())
}

#[test]
fn a_json_line_is_one_object_that_names_its_span() {
    let provider = SdkTracerProvider::builder().build();
    let span = provider.tracer("test").start("work");
    let context = Context::new().with_span(span);
    let ids = context.span().span_context().clone();
    let (text, _) = logged(&[], || {
        let _current = context.attach();
        tracing::info!(server = "weather", "it \"rains\"}}\n");
    });
    let line: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(line["message"], "it \"rains\"}\n");
    assert_eq!(line["server"], "weather");
    assert_eq!(line["level"], "INFO");
    assert_eq!(line["trace_id"], ids.trace_id().to_string());
    assert_eq!(line["span_id"], ids.span_id().to_string());
    assert_eq!(text.lines().count(), 1);
}

#[test]
fn a_line_outside_of_a_span_has_no_ids() {
    let (text, _) = logged(&[], || tracing::info!("alone"));
    let line: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert!(line.get("trace_id").is_none());
}

#[test]
fn the_text_format_is_a_line_for_people() {
    let (text, _) = logged(&[("TOLLWARD_LOG_FORMAT", "text")], || tracing::warn!(port = 1, "taken"));
    assert!(text.contains("WARN") && text.contains("taken port=1"), "{text}");
}

#[test]
fn the_filter_holds_for_both_outputs() {
    let (text, exported) = logged(&[("TOLLWARD_LOG", "warn")], || {
        tracing::info!("hidden");
        tracing::warn!("shown");
    });
    assert!(text.contains("shown") && !text.contains("hidden"));
    assert_eq!(exported.len(), 1);
}

#[test]
fn what_the_exporters_libraries_log_is_printed_but_never_exported() {
    let (text, exported) = logged(&[("TOLLWARD_LOG", "trace")], || {
        tracing::warn!(target: "hyper_util::client", "one");
        tracing::warn!(target: "h2::proto", "two");
        tracing::warn!(target: "tonic::transport", "three");
        tracing::warn!(target: "reqwest::connect", "four");
        tracing::warn!(target: "tower::buffer", "five");
        tracing::warn!(target: "opentelemetry_sdk", "six");
        tracing::warn!(target: "tollward_sidecar", "seven");
    });
    assert_eq!(text.lines().count(), 7, "{text}");
    assert_eq!(exported.len(), 1, "{exported:?}");
}

#[test]
fn the_sdks_debug_messages_stay_hidden_whatever_the_filter_says() {
    let (text, _) = logged(&[("TOLLWARD_LOG", "trace,opentelemetry_otlp=trace")], || {
        tracing::debug!(target: "opentelemetry_otlp", response_body = "Bearer canary", "HttpClient.StatusError");
        tracing::debug!(target: "tollward_sidecar", "ours");
    });
    assert!(!text.contains("canary") && text.contains("ours"), "{text}");
}

#[test]
fn the_sdk_repeats_itself_once_in_five_minutes_only() {
    let (lines, seconds, start) = (Lines::default(), Arc::new(AtomicU64::new(0)), Instant::now());
    let clock = {
        let seconds = Arc::clone(&seconds);
        move || start + Duration::from_secs(seconds.load(Ordering::SeqCst))
    };
    let layer = tracing_subscriber::fmt::layer().with_writer(lines.clone()).with_filter(sdk::Quiet::new(clock));
    let dispatch = Dispatch::new(Registry::default().with(layer));
    let complain = || tracing::error!(target: "opentelemetry_sdk", "export failed");
    with_default(&dispatch, || {
        for second in [0, 1, 299] {
            seconds.store(second, Ordering::SeqCst);
            complain();
        }
        tracing::error!(target: "opentelemetry_sdk", "another message");
        seconds.store(300, Ordering::SeqCst);
        complain();
        for _ in 0..3 {
            tracing::info!(target: "tollward_sidecar", "ours");
        }
    });
    let text = lines.text();
    assert_eq!(text.matches("export failed").count(), 2, "{text}");
    assert_eq!(text.matches("another message").count(), 1, "{text}");
    assert_eq!(text.matches("ours").count(), 3, "{text}");
}
