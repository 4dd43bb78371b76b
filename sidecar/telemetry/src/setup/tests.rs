//! The providers without a network: metrics as text, records in memory, refusals at start.

use opentelemetry::{
    KeyValue,
    logs::{AnyValue, LogRecord, Logger},
    trace::{Span, Tracer},
};

use super::*;
use crate::{
    HTTP_SECONDS, MCP_SECONDS,
    names::{attribute, event, metric},
};

fn settings(variables: &[(&str, &str)]) -> Settings {
    Settings::from_lookup(|name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
        .unwrap()
}

fn identity() -> ServiceIdentity {
    ServiceIdentity { name: "tollward-test".into(), version: "0.0.1".into(), namespace: None, instance: None }
}

/// The upper bounds of a histogram's buckets as the text shows them, `+Inf` excluded.
fn buckets(text: &str, metric: &str) -> Vec<f64> {
    let prefix = format!("{metric}_bucket{{");
    text.lines()
        .filter(|line| line.starts_with(&prefix))
        .filter_map(|line| line.split("le=\"").nth(1)?.split('"').next()?.parse::<f64>().ok())
        .filter(|bound| bound.is_finite())
        .collect()
}

#[test]
fn metrics_are_there_as_prometheus_text_under_the_names_of_the_conventions() {
    let telemetry = Telemetry::start(&identity(), &settings(&[])).unwrap();
    let meter = telemetry.meter();
    let labels = [KeyValue::new(attribute::MCP_METHOD_NAME, "tools/call")];
    let histogram = |name: &'static str| meter.f64_histogram(name).with_unit("s").build();
    histogram(metric::MCP_SERVER_OPERATION_DURATION).record(0.3, &labels);
    histogram(metric::HTTP_SERVER_REQUEST_DURATION).record(0.3, &[]);
    histogram(metric::TOLLWARD_STREAM_DURATION).record(70.0, &[]);
    meter.u64_counter(metric::TOLLWARD_DECISIONS).build().add(2, &[KeyValue::new(attribute::TOLLWARD_REASON, "Ok")]);

    let text = telemetry.prometheus_text();
    assert_eq!(buckets(&text, "mcp_server_operation_duration_seconds"), MCP_SECONDS);
    assert_eq!(buckets(&text, "http_server_request_duration_seconds"), HTTP_SECONDS);
    assert_eq!(buckets(&text, "tollward_stream_duration_seconds"), MCP_SECONDS);
    assert!(text.contains(r#"tollward_decisions_total{tollward_reason="Ok"} 2"#), "{text}");
    assert!(text.contains(r#"mcp_method_name="tools/call""#), "{text}");
    assert!(text.contains("target_info{") && text.contains(r#"service_name="tollward-test""#), "{text}");
}

#[test]
fn without_an_address_there_are_ids_but_no_records() {
    let telemetry = Telemetry::start(&identity(), &settings(&[])).unwrap();
    let span = telemetry.tracer().start("work");
    assert!(span.span_context().is_valid() && !span.is_recording() && !span.span_context().is_sampled());
    assert!(telemetry.audit_logger().is_none() && telemetry.audit_delivery().is_none());
}

#[test]
fn grpc_outside_of_a_runtime_is_refused_and_says_what_to_do() {
    let settings =
        settings(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]);
    let message = Telemetry::start(&identity(), &settings).unwrap_err().to_string();
    if cfg!(feature = "otlp") {
        assert!(message.contains("runtime") && message.contains("OTEL_EXPORTER_OTLP_PROTOCOL"), "{message}");
    } else {
        assert!(message.contains("this build can't export"), "{message}");
    }
}

#[cfg(feature = "otlp")]
#[test]
fn an_unreadable_certificate_is_refused_by_name() {
    let settings = settings(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://127.0.0.1:1"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nonexistent/ca.pem"),
    ]);
    let message = Telemetry::start(&identity(), &settings).unwrap_err().to_string();
    assert!(message.contains("/nonexistent/ca.pem"), "{message}");
}

#[cfg(feature = "otlp")]
#[tokio::test]
async fn a_broken_or_empty_certificate_file_is_refused_over_both_protocols() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ca.pem");
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for content in [broken, "", "not a certificate"] {
        std::fs::write(&path, content).unwrap();
        for protocol in ["grpc", "http/protobuf"] {
            let settings = settings(&[
                ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://127.0.0.1:1"),
                ("OTEL_EXPORTER_OTLP_CERTIFICATE", path.to_str().unwrap()),
                ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            ]);
            let refused = Telemetry::start(&identity(), &settings);
            assert!(matches!(refused, Err(SetupError::Certificate { .. })), "{protocol} {content:?}");
        }
    }
}

#[tokio::test]
async fn telemetry_in_memory_can_be_read_back() {
    let (telemetry, memory) = Telemetry::in_memory().unwrap();
    telemetry.tracer().start("tools/call").end();
    let logger = telemetry.audit_logger().unwrap();
    let mut queued = logger.create_log_record();
    queued.set_event_name(event::AUDIT);
    queued.add_attribute(attribute::TOLLWARD_DECISION, "deny");
    logger.emit(queued);
    let delivery = telemetry.audit_delivery().unwrap();
    let mut delivered = delivery.record();
    delivered.set_event_name(event::AUDIT);
    delivery.deliver(vec![delivered]).await.unwrap();
    tracing::dispatcher::with_default(&telemetry.dispatch().unwrap(), || tracing::info!("a log line"));

    assert_eq!(memory.spans()[0].name, "tools/call");
    assert_eq!(memory.logs().len(), 1);
    let records = memory.audit_records();
    assert_eq!(records.len(), 2);
    assert!(records.iter().all(|data| data.record.event_name() == Some(event::AUDIT)));
    assert!(records.iter().all(|data| data.instrumentation.name() == scope::AUDIT));
    let decision = records[0].record.attributes_iter().find(|(key, _)| key.as_str() == attribute::TOLLWARD_DECISION);
    assert_eq!(decision.map(|(_, value)| value.clone()), Some(AnyValue::from("deny")));
    telemetry.shutdown(Duration::from_secs(5)).await.unwrap();
}

#[test]
fn a_second_shutdown_does_nothing() {
    let (telemetry, _memory) = Telemetry::in_memory().unwrap();
    telemetry.shutdown_blocking(Duration::from_secs(5)).unwrap();
    telemetry.shutdown_blocking(Duration::ZERO).unwrap();
}
