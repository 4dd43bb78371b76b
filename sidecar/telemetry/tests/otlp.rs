//! Export over real connections: a collector on loopback, a dead one, and one that never answers.
#![cfg(feature = "otlp")]
#![expect(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

use std::{
    net::{SocketAddr, TcpListener},
    process::Command,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::Response,
};
use http::{HeaderMap, HeaderValue, Version};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use opentelemetry::{
    KeyValue,
    logs::{LogRecord, Logger},
    trace::{Span, Tracer},
};
use tollward_telemetry::{
    DeliveryError, ServiceIdentity, Settings, Telemetry,
    names::{attribute, event},
};

struct Received {
    path: String,
    version: Version,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Received {
    /// OTLP is protobuf, which holds strings as they are.
    fn holds(&self, text: &str) -> bool {
        self.body.windows(text.len()).any(|window| window == text.as_bytes())
    }
}

/// Takes OTLP over HTTP and over gRPC, and acknowledges both.
#[derive(Clone, Default)]
struct Collector {
    received: Arc<Mutex<Vec<Received>>>,
}

impl Collector {
    async fn start() -> (Self, SocketAddr) {
        let collector = Self::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(receive).with_state(collector.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (collector, address)
    }

    /// The same behind TLS; also returns the certificate to trust.
    async fn start_with_tls() -> (Self, SocketAddr, String) {
        let issued = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
        let key = rustls::pki_types::PrivateKeyDer::try_from(issued.signing_key.serialize_der()).unwrap();
        let mut tls = rustls::ServerConfig::builder_with_provider(rustls::crypto::aws_lc_rs::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![issued.cert.der().clone()], key)
            .unwrap();
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(tls));
        let collector = Self::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(receive).with_state(collector.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, service) = (acceptor.clone(), TowerToHyperService::new(router.clone()));
                tokio::spawn(async move {
                    // A client that does not trust this collector ends the handshake.
                    let Ok(stream) = acceptor.accept(stream).await else {
                        return;
                    };
                    let server = auto::Builder::new(TokioExecutor::new());
                    let _ = server.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        (collector, address, issued.cert.pem())
    }

    /// How many exports there were to `path` that hold `text`.
    fn count(&self, path: &str, text: &str) -> usize {
        self.received.lock().unwrap().iter().filter(|one| one.path == path && one.holds(text)).count()
    }
}

async fn receive(State(collector): State<Collector>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes().to_vec();
    let is_grpc = head.headers.get("content-type").is_some_and(|kind| kind == "application/grpc");
    let path = head.uri.path().to_owned();
    collector.received.lock().unwrap().push(Received { path, version: head.version, headers: head.headers, body });
    if !is_grpc {
        return Response::builder().header("content-type", "application/x-protobuf").body(Body::empty()).unwrap();
    }
    // An empty message, then the status that gRPC puts into trailers.
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let message = Full::new(axum::body::Bytes::from_static(&[0; 5])).with_trailers(async { Some(Ok(trailers)) });
    Response::builder().header("content-type", "application/grpc").body(Body::new(message)).unwrap()
}

fn start(address: SocketAddr, protocol: &str) -> Telemetry {
    let endpoint = format!("http://{address}");
    let lookup = |name: &str| match name {
        "OTEL_EXPORTER_OTLP_ENDPOINT" => Some(endpoint.clone()),
        "OTEL_EXPORTER_OTLP_PROTOCOL" => Some(protocol.to_owned()),
        _ => None,
    };
    Telemetry::start(&identity(), &Settings::from_lookup(lookup).unwrap()).unwrap()
}

fn identity() -> ServiceIdentity {
    ServiceIdentity {
        name: "tollward-under-test".to_owned(),
        version: "0.0.1".to_owned(),
        namespace: Some("team-a".to_owned()),
        instance: Some("pod-1".to_owned()),
    }
}

fn emit_one_of_each(telemetry: &Telemetry) {
    telemetry.tracer().start("the-span").end();
    telemetry.meter().u64_counter("the.counter").build().add(1, &[KeyValue::new(attribute::TOLLWARD_REASON, "Ok")]);
    tracing::dispatcher::with_default(&telemetry.dispatch().unwrap(), || tracing::info!("the-log-line"));
    let audit = telemetry.audit_logger().unwrap();
    let mut record = audit.create_log_record();
    record.set_event_name(event::AUDIT);
    record.add_attribute(attribute::TOLLWARD_AUDIT_ID, "the-audit-id");
    audit.emit(record);
}

async fn deliver_one(telemetry: &Telemetry) -> Result<(), DeliveryError> {
    let delivery = telemetry.audit_delivery().unwrap();
    let mut record = delivery.record();
    record.set_event_name(event::AUDIT);
    record.add_attribute(attribute::TOLLWARD_AUDIT_ID, "the-delivered-id");
    delivery.deliver(vec![record]).await
}

#[tokio::test]
async fn every_signal_arrives_over_http() {
    let (collector, address) = Collector::start().await;
    let telemetry = start(address, "http/protobuf");
    emit_one_of_each(&telemetry);
    deliver_one(&telemetry).await.unwrap();
    assert_eq!(collector.count("/v1/logs", "the-delivered-id"), 1, "acknowledged means received");
    telemetry.shutdown(Duration::from_secs(20)).await.unwrap();

    assert_eq!(collector.count("/v1/traces", "the-span"), 1);
    assert_eq!(collector.count("/v1/metrics", "the.counter"), 1);
    assert_eq!(collector.count("/v1/logs", "the-log-line"), 1);
    assert_eq!(collector.count("/v1/logs", "the-audit-id"), 1);
    for one in collector.received.lock().unwrap().iter() {
        assert_eq!(one.headers.get("content-type").unwrap(), "application/x-protobuf");
        assert!(
            one.holds("tollward-under-test") && one.holds("pod-1"),
            "the resource is in every export: {}",
            one.path
        );
    }
}

#[tokio::test]
async fn every_signal_arrives_over_grpc_on_a_runtime_with_one_thread() {
    let (collector, address) = Collector::start().await;
    let telemetry = start(address, "grpc");
    emit_one_of_each(&telemetry);
    deliver_one(&telemetry).await.unwrap();
    telemetry.shutdown(Duration::from_secs(20)).await.unwrap();

    let service = |signal, name| format!("/opentelemetry.proto.collector.{signal}.v1.{name}Service/Export");
    assert_eq!(collector.count(&service("trace", "Trace"), "the-span"), 1);
    assert_eq!(collector.count(&service("metrics", "Metrics"), "the.counter"), 1);
    let logs = service("logs", "Logs");
    for text in ["the-log-line", "the-audit-id", "the-delivered-id"] {
        assert_eq!(collector.count(&logs, text), 1, "{text}");
    }
    for one in collector.received.lock().unwrap().iter() {
        assert_eq!(one.version, Version::HTTP_2);
        assert!(one.holds("tollward-under-test"), "{}", one.path);
    }
}

#[tokio::test]
async fn behind_tls_only_the_named_certificate_is_trusted() {
    let (collector, address, pem) = Collector::start_with_tls().await;
    let directory = tempfile::tempdir().unwrap();
    let trusted = directory.path().join("collector.pem");
    std::fs::write(&trusted, pem).unwrap();
    let endpoint = format!("https://{address}");
    for protocol in ["http/protobuf", "grpc"] {
        for trust in [Some(trusted.display().to_string()), None] {
            let lookup = |name: &str| match name {
                "OTEL_EXPORTER_OTLP_ENDPOINT" => Some(endpoint.clone()),
                "OTEL_EXPORTER_OTLP_PROTOCOL" => Some(protocol.to_owned()),
                "OTEL_EXPORTER_OTLP_CERTIFICATE" => trust.clone(),
                _ => None,
            };
            let telemetry = Telemetry::start(&identity(), &Settings::from_lookup(lookup).unwrap()).unwrap();
            let delivered = deliver_one(&telemetry).await;
            assert_eq!(delivered.is_ok(), trust.is_some(), "{protocol}, trusting {trust:?}: {delivered:?}");
            let _ = telemetry.shutdown(Duration::from_secs(5)).await;
        }
    }
    assert_eq!(collector.received.lock().unwrap().iter().filter(|one| one.holds("the-delivered-id")).count(), 2);
}

/// Set in the process that a test starts to export from.
const CHILD: &str = "TOLLWARD_TEST_EXPORTS";

#[tokio::test]
async fn headers_of_the_environment_reach_the_collector() {
    let (collector, address) = Collector::start().await;
    for protocol in ["http/protobuf", "grpc"] {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", "exports_as_its_own_environment_says"])
            .env(CHILD, "1")
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{address}"))
            .env("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
            .env("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20canary");
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        assert!(output.status.success(), "{output:?}");
        assert!(!String::from_utf8_lossy(&output.stdout).contains("canary"));
    }
    let received = collector.received.lock().unwrap();
    assert_eq!(received.iter().filter(|one| one.holds("from-the-child")).count(), 2);
    for one in received.iter() {
        assert_eq!(one.headers.get("authorization").unwrap(), "Bearer canary", "{}", one.path);
    }
}

/// The child process of `headers_of_the_environment_reach_the_collector`, where the SDK reads its environment. In any
/// other process there is nothing to export to.
#[tokio::test]
async fn exports_as_its_own_environment_says() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let settings = Settings::from_lookup(|name| std::env::var(name).ok()).unwrap();
    let telemetry = Telemetry::start(&identity(), &settings).unwrap();
    println!("{settings:?} {telemetry:?}");
    telemetry.tracer().start("from-the-child").end();
    telemetry.shutdown(Duration::from_secs(20)).await.unwrap();
}

/// Ten thousand of each, which is far more than the queues hold, must not take the time of a single export.
async fn flood_and_shut_down(telemetry: &Telemetry) -> Duration {
    let before = Instant::now();
    let (tracer, audit) = (telemetry.tracer(), telemetry.audit_logger().unwrap());
    for _ in 0..10_000 {
        tracer.start("flood").end();
        let mut record = audit.create_log_record();
        record.set_event_name(event::AUDIT);
        audit.emit(record);
    }
    let emitting = before.elapsed();
    assert!(emitting < Duration::from_secs(5), "emitting took {emitting:?}");
    let before = Instant::now();
    // Whether it worked is not the point: it must come back.
    let _ = telemetry.shutdown(Duration::from_millis(500)).await;
    before.elapsed()
}

#[tokio::test]
async fn a_collector_that_is_gone_holds_nothing_up() {
    for protocol in ["http/protobuf", "grpc"] {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let telemetry = start(address, protocol);
        let took = flood_and_shut_down(&telemetry).await;
        assert!(took < Duration::from_secs(4), "{protocol}: {took:?}");
    }
}

#[tokio::test]
async fn a_collector_that_never_answers_holds_nothing_up_and_the_loss_is_told() {
    for protocol in ["http/protobuf", "grpc"] {
        // Connections are taken by the kernel, and nobody reads them.
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let telemetry = start(silent.local_addr().unwrap(), protocol);
        telemetry.tracer().start("lost").end();
        let took = flood_and_shut_down(&telemetry).await;
        assert!(took < Duration::from_secs(4), "{protocol}: {took:?}");
        let telemetry = start(silent.local_addr().unwrap(), protocol);
        telemetry.tracer().start("lost").end();
        let error = telemetry.shutdown(Duration::from_millis(300)).await.unwrap_err();
        assert!(error.to_string().contains("traces"), "{error}");
    }
}

#[tokio::test]
async fn dropping_telemetry_flushes_as_a_last_resort() {
    let (collector, address) = Collector::start().await;
    let telemetry = start(address, "http/protobuf");
    telemetry.tracer().start("dropped").end();
    tokio::task::spawn_blocking(move || drop(telemetry)).await.unwrap();
    assert_eq!(collector.count("/v1/traces", "dropped"), 1);
}

#[tokio::test]
async fn a_record_that_was_not_acknowledged_is_reported_as_such() {
    for protocol in ["http/protobuf", "grpc"] {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let telemetry = start(address, protocol);
        let error = deliver_one(&telemetry).await.unwrap_err();
        assert!(matches!(error, DeliveryError::NotAcknowledged { records: 1, .. }), "{protocol}: {error}");
    }
}
