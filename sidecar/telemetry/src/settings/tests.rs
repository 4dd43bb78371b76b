//! The environment's variables, one by one: what each changes, and that a bad value names it.

use std::time::Duration;

use super::*;

fn read(variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    Settings::from_lookup(|name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
}

fn good(variables: &[(&str, &str)]) -> Settings {
    read(variables).unwrap()
}

const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");

#[test]
fn an_empty_environment_exports_nothing_and_logs_json() {
    let settings = good(&[]);
    assert!(settings.traces().is_none() && settings.metrics().is_none() && settings.logs().is_none());
    assert_eq!(settings.propagators(), Propagators { trace_context: true, baggage: true });
    assert_eq!(settings.log().format(), LogFormat::Json);
    assert_eq!(settings.log().filter(), "info");
    let sampler = SamplerSettings { root: RootSampler::AlwaysOn, parent_based: true, trust_inbound: false };
    assert_eq!(settings.sampler(), &sampler);
}

#[test]
fn an_empty_value_counts_as_unset() {
    let settings = good(&[("OTEL_EXPORTER_OTLP_ENDPOINT", " "), ("OTEL_SDK_DISABLED", ""), ("OTEL_PROPAGATORS", "")]);
    assert!(settings.traces().is_none());
    assert!(settings.propagators().baggage);
}

#[test]
fn one_endpoint_switches_all_signals_on_each_with_its_path() {
    let settings = good(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/base/")]);
    assert_eq!(settings.traces().unwrap().address(), "http://collector:4318/base/v1/traces");
    assert_eq!(settings.metrics().unwrap().address(), "http://collector:4318/base/v1/metrics");
    assert_eq!(settings.logs().unwrap().address(), "http://collector:4318/base/v1/logs");
    assert_eq!(settings.traces().unwrap().protocol(), Protocol::HttpProtobuf);
    assert_eq!(settings.traces().unwrap().timeout(), Duration::from_secs(10));
}

#[test]
fn a_signals_own_variables_win_and_its_endpoint_is_used_as_it_stands() {
    let settings = good(&[
        ENDPOINT,
        ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "https://audit.example/in"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "http/protobuf"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "2500"),
        ("OTEL_EXPORTER_OTLP_LOGS_TIMEOUT", "100"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/all.pem"),
        ("OTEL_EXPORTER_OTLP_LOGS_CERTIFICATE", "/logs.pem"),
        ("OTEL_EXPORTER_OTLP_LOGS_HEADERS", "authorization=Bearer%20x"),
    ]);
    let (traces, logs) = (settings.traces().unwrap(), settings.logs().unwrap());
    assert_eq!(traces.address(), "http://collector:4318/");
    assert_eq!(traces.protocol(), Protocol::Grpc);
    assert_eq!(traces.timeout(), Duration::from_millis(2500));
    assert_eq!(traces.certificate.as_deref(), Some(std::path::Path::new("/all.pem")));
    assert!(!traces.has_headers());
    assert_eq!(logs.address(), "https://audit.example/in");
    assert_eq!(logs.protocol(), Protocol::HttpProtobuf);
    assert_eq!(logs.timeout(), Duration::from_millis(100));
    assert_eq!(logs.certificate.as_deref(), Some(std::path::Path::new("/logs.pem")));
    assert!(logs.has_headers() && !logs.sends_headers_in_clear());
}

#[test]
fn a_signal_is_switched_off_by_its_exporter_variable() {
    let settings = good(&[
        ENDPOINT,
        ("OTEL_TRACES_EXPORTER", "none"),
        ("OTEL_METRICS_EXPORTER", "prometheus"),
        ("OTEL_LOGS_EXPORTER", "otlp"),
    ]);
    assert!(settings.traces().is_none() && settings.metrics().is_none() && settings.logs().is_some());
    assert!(good(&[ENDPOINT, ("OTEL_METRICS_EXPORTER", "prometheus, otlp")]).metrics().is_some());
}

#[test]
fn the_sdk_is_disabled_as_a_whole() {
    let settings = good(&[ENDPOINT, ("OTEL_SDK_DISABLED", "TRUE")]);
    assert!(settings.traces().is_none() && settings.metrics().is_none() && settings.logs().is_none());
}

#[test]
fn otlp_by_name_without_an_address_is_refused_and_names_both_variables() {
    for (variable, endpoint) in [
        ("OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"),
        ("OTEL_METRICS_EXPORTER", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"),
        ("OTEL_LOGS_EXPORTER", "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"),
    ] {
        let message = read(&[(variable, "otlp")]).unwrap_err().to_string();
        assert!(message.contains(variable) && message.contains(endpoint), "{message}");
    }
}

#[test]
fn propagators_are_chosen_by_name() {
    let chosen = |value| good(&[("OTEL_PROPAGATORS", value)]).propagators();
    assert_eq!(chosen("none"), Propagators { trace_context: false, baggage: false });
    assert_eq!(chosen("tracecontext"), Propagators { trace_context: true, baggage: false });
    assert_eq!(chosen("baggage, tracecontext"), Propagators { trace_context: true, baggage: true });
}

#[test]
fn samplers_are_those_of_the_specification() {
    let chosen = |name, argument| {
        let variables = [("OTEL_TRACES_SAMPLER", name), ("OTEL_TRACES_SAMPLER_ARG", argument)];
        let SamplerSettings { root, parent_based, .. } = good(&variables).sampler().clone();
        (root, parent_based)
    };
    assert_eq!(chosen("always_on", ""), (RootSampler::AlwaysOn, false));
    assert_eq!(chosen("always_off", ""), (RootSampler::AlwaysOff, false));
    assert_eq!(chosen("traceidratio", "0.25"), (RootSampler::Ratio(0.25), false));
    assert_eq!(chosen("parentbased_always_on", ""), (RootSampler::AlwaysOn, true));
    assert_eq!(chosen("parentbased_always_off", ""), (RootSampler::AlwaysOff, true));
    assert_eq!(chosen("parentbased_traceidratio", "0"), (RootSampler::Ratio(0.0), true));
    assert_eq!(chosen("parentbased_traceidratio", ""), (RootSampler::Ratio(1.0), true));
    assert!(good(&[("TOLLWARD_TRUST_INBOUND_SAMPLING", "true")]).sampler().trust_inbound);
}

#[test]
fn the_log_is_shaped_by_two_variables() {
    let settings = good(&[("TOLLWARD_LOG_FORMAT", "text"), ("TOLLWARD_LOG", "warn,tollward_sidecar=debug")]);
    assert_eq!(settings.log().format(), LogFormat::Text);
    assert_eq!(settings.log().filter(), "warn,tollward_sidecar=debug");
}

#[test]
fn every_bad_value_is_refused_by_an_error_that_names_the_variable_and_what_it_accepts() {
    let table: &[(&'static str, &str, &str)] = &[
        ("OTEL_SDK_DISABLED", "yes", "true, false"),
        ("OTEL_TRACES_EXPORTER", "zipkin", "otlp, none"),
        ("OTEL_TRACES_EXPORTER", "otlp,none", "otlp, none"),
        ("OTEL_METRICS_EXPORTER", "statsd", "prometheus"),
        ("OTEL_LOGS_EXPORTER", "console", "otlp, none"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json", "grpc, http/protobuf"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "GRPC", "grpc, http/protobuf"),
        ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "tcp", "grpc, http/protobuf"),
        ("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "tcp", "grpc, http/protobuf"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317", "http://host:port"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector", "http://host:port"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "ftp://collector", "http://host:port"),
        ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://", "http://host:port"),
        ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://collector#x", "http://host:port"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s", "milliseconds"),
        ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "0", "milliseconds"),
        ("OTEL_EXPORTER_OTLP_LOGS_TIMEOUT", "600001", "milliseconds"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization", "name=value"),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "a b=c", "name=value"),
        ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "/key.pem", "OTEL_EXPORTER_OTLP_HEADERS"),
        ("OTEL_EXPORTER_OTLP_LOGS_CLIENT_CERTIFICATE", "/c.pem", "OTEL_EXPORTER_OTLP_HEADERS"),
        ("OTEL_PROPAGATORS", "b3", "tracecontext, baggage"),
        ("OTEL_PROPAGATORS", "none,baggage", "none alone"),
        ("OTEL_TRACES_SAMPLER", "jaeger_remote", "parentbased_traceidratio"),
        ("OTEL_TRACES_SAMPLER_ARG", "1.5", "0 to 1"),
        ("OTEL_TRACES_SAMPLER_ARG", "NaN", "0 to 1"),
        ("OTEL_RESOURCE_ATTRIBUTES", "a", "name=value"),
        ("OTEL_RESOURCE_ATTRIBUTES", "=a", "name=value"),
        ("OTEL_RESOURCE_ATTRIBUTES", "a=%ff", "name=value"),
        ("TOLLWARD_TRUST_INBOUND_SAMPLING", "on", "true, false"),
        ("TOLLWARD_LOG_FORMAT", "logfmt", "json, text"),
        ("TOLLWARD_LOG", "verbose", "warn, info"),
        ("TOLLWARD_LOG", "tollward=loud", "warn, info"),
    ];
    for (variable, value, accepted) in table {
        let message = read(&[(variable, value)]).expect_err(variable).to_string();
        assert!(message.contains(variable), "{variable}={value}: {message}");
        assert!(message.contains(accepted), "{variable}={value}: {message}");
    }
}

#[test]
fn a_mistake_shows_also_while_telemetry_is_disabled() {
    assert!(read(&[("OTEL_SDK_DISABLED", "true"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "htttp")]).is_err());
}

#[test]
fn a_value_without_bound_is_refused() {
    assert!(read(&[("OTEL_SERVICE_NAME", &"x".repeat(LONGEST_VALUE + 1))]).is_err());
}

#[test]
fn neither_debug_nor_an_error_shows_a_secret() {
    const CANARY: &str = "canary-7f3a";
    let settings = good(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("https://collector/?key={CANARY}")),
        ("OTEL_EXPORTER_OTLP_HEADERS", &format!("authorization=Bearer {CANARY}")),
        ("OTEL_RESOURCE_ATTRIBUTES", &format!("note={CANARY}")),
    ]);
    let shown = format!("{settings:?}");
    assert!(!shown.contains(CANARY), "{shown}");
    assert!(shown.contains("headers: true") && shown.contains("https://collector/v1/traces"), "{shown}");
    for (variable, value) in [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", format!("https://user:{CANARY}@collector")),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", CANARY.to_owned()),
        ("OTEL_EXPORTER_OTLP_HEADERS", CANARY.to_owned()),
        ("OTEL_RESOURCE_ATTRIBUTES", CANARY.to_owned()),
    ] {
        let error = read(&[(variable, &value)]).unwrap_err();
        assert!(!format!("{error} {error:?}").contains(CANARY), "{error}");
    }
}

#[test]
fn headers_in_clear_text_to_another_machine_are_noticed() {
    let clear = |endpoint| {
        let settings = good(&[("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint), ("OTEL_EXPORTER_OTLP_HEADERS", "a=b")]);
        settings.traces().unwrap().sends_headers_in_clear()
    };
    assert!(clear("http://collector:4318"));
    assert!(!clear("https://collector:4318"));
    assert!(!clear("http://127.0.0.1:4318") && !clear("http://[::1]:4318") && !clear("http://localhost:4318"));
}

#[test]
fn the_places_of_the_queues_are_read_and_bounded() {
    assert_eq!(good(&[]).queues(), Queues { spans: 2048, logs: 2048 });
    let settings = good(&[("OTEL_BSP_MAX_QUEUE_SIZE", "64"), ("OTEL_BLRP_MAX_QUEUE_SIZE", "65536")]);
    assert_eq!(settings.queues(), Queues { spans: 64, logs: 65_536 });
    for variable in ["OTEL_BSP_MAX_QUEUE_SIZE", "OTEL_BLRP_MAX_QUEUE_SIZE"] {
        for value in ["0", "-1", "65537", "2k", "99999999999999999999"] {
            let message = read(&[(variable, value)]).unwrap_err().to_string();
            assert!(message.contains(variable) && message.contains("65536"), "{message}");
        }
    }
}
