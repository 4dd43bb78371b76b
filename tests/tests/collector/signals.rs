//! What one call leaves behind: a span, an audit record and metrics, joined by the trace.

use super::scene::{Scene, once, traceparent};
use serde_json::{Value, json};
use tollward_policy::operation::Era;
use tollward_policy::reason::Reason;
use tollward_telemetry::names::{event, scope};
use tollward_tests::config::ENDPOINT;
use tollward_tests::mcp::{Call, MODERN};
use tollward_tests::real::collector::{Collector, Protocol};
use tollward_tests::real::received::{Attributes, Entry, Received, Span, text};

const SERVER: u64 = 2;
const ERROR: u64 = 2;
const INFO: u64 = 9;
const WARNING: u64 = 13;

/// The resource that the chart describes by the environment.
const POD: &str = "k8s.namespace.name=shop,k8s.pod.name=catalog-0";

#[tokio::test]
async fn a_call_becomes_a_span_an_audit_record_and_metrics_of_one_trace() {
    for protocol in Protocol::ALL {
        let collector = Collector::start().await;
        let mut environment = collector.environment(protocol);
        environment.push(("OTEL_RESOURCE_ATTRIBUTES".to_owned(), POD.to_owned()));
        let scene = Scene::start(&environment).await;
        let (header, trace, parent) = traceparent(1);
        let reply = scene.send(&scene.call().header("traceparent", &header)).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        let received = once(&collector, "all signals of the call arrive", |received| {
            received.spans.iter().any(|span| span.trace == trace)
                && received.audit.iter().any(|entry| entry.trace == trace)
                && received.highest("mcp.server.operation.duration", &[("mcp.method.name", "tools/call")]).is_some()
        })
        .await;

        let spans: Vec<_> = received.spans.iter().filter(|span| span.trace == trace).collect();
        let [span] = spans.as_slice() else { panic!("one span for each request: {spans:#?}") };
        assert_eq!((span.name.as_str(), span.kind, span.status), ("tools/call", SERVER, 0), "{span:#?}");
        assert_eq!(span.parent, parent, "the caller's span is the parent");
        allowed(&span.attributes, &scene);
        let record = joined(&received, span);
        assert_eq!(record.severity, INFO);
        allowed(&record.attributes, &scene);
        let labels = [
            ("tollward.decision", "allow"),
            ("tollward.reason", Reason::Allowed.code()),
            ("tollward.server", "shop/catalog"),
        ];
        assert_eq!(received.highest("tollward.decisions", &labels), Some(1));
        let origins =
            [&span.origin, &record.origin].into_iter().chain(received.points.iter().map(|point| &point.origin));
        for origin in origins.chain(received.logs.iter().map(|entry| &entry.origin)) {
            assert_eq!(text(&origin.resource, "service.name"), "tollward-sidecar");
            assert_eq!(text(&origin.resource, "service.version"), env!("CARGO_PKG_VERSION"));
            assert_eq!(text(&origin.resource, "k8s.pod.name"), "catalog-0");
        }
        scene.check_secrets(&received.text, "what the collector got");
    }
}

#[tokio::test]
async fn a_refused_call_is_told_apart_in_all_signals() {
    for protocol in Protocol::ALL {
        let collector = Collector::start().await;
        let scene = Scene::start(&collector.environment(protocol)).await;
        let anonymous = scene.refused(&Call::tool(Era::Modern, "get_product"), 401).await;
        let token = scene.issuer.token().mint();
        let forbidden = scene.refused(&Call::tool(Era::Legacy, "get_forbidden").token(&token), 403).await;
        let forged = scene.issuer.token().mint_with(|_| vec![7; 64]);
        let forged = scene.refused(&Call::tool(Era::Modern, "get_product").token(&forged), 401).await;
        let all = [&anonymous, &forbidden, &forged];
        let received = once(&collector, "all refusals arrive", |received| {
            all.iter().all(|id| received.span_of(id).is_some() && received.record_of(id).is_some())
                && received.highest("tollward.decisions", &[("tollward.reason", "rule_denied")]).is_some()
        })
        .await;
        let of = |id: &str| {
            let span = received.span_of(id).expect("it was waited for");
            assert_eq!((span.kind, span.status), (SERVER, ERROR), "{span:#?}");
            let record = joined(&received, span);
            assert_eq!(record.severity, WARNING);
            for attributes in [&span.attributes, &record.attributes] {
                assert_eq!(text(attributes, "tollward.decision"), "deny");
            }
            let reason = text(&span.attributes, "tollward.reason");
            assert_eq!(text(&span.attributes, "error.type"), reason);
            (span.name.clone(), reason.to_owned(), text(&span.attributes, "tollward.principal.subject").to_owned())
        };
        // Before the token is verified nothing is read of the body, so there is no method yet.
        assert_eq!(of(&anonymous), ("mcp request".into(), "credentials_missing".into(), String::new()));
        assert_eq!(of(&forged), ("mcp request".into(), "token_signature_invalid".into(), String::new()));
        assert_eq!(of(&forbidden), ("tools/call get_forbidden".into(), "rule_denied".into(), "alice".into()));
        scene.check_secrets(&received.text, "what the collector got");
    }
}

#[tokio::test]
async fn audit_records_go_where_the_diagnostic_log_does_not() {
    let collector = Collector::start().await;
    let scene = Scene::start(&collector.environment(Protocol::Grpc)).await;
    assert_eq!(scene.send(&scene.call()).await.status, 200);
    let received = once(&collector, "a record and a log line arrive", |received| {
        !received.audit.is_empty() && received.logs.iter().any(|entry| entry.body == "serving")
    })
    .await;
    assert!(received.audit.iter().all(|entry| entry.origin.scope == scope::AUDIT && entry.event == event::AUDIT));
    assert!(received.logs.iter().all(|entry| entry.origin.scope != scope::AUDIT && entry.event != event::AUDIT));
    assert!(collector.file("audit").is_file() && collector.file("logs").is_file());
}

#[tokio::test]
async fn a_sampler_that_keeps_no_trace_keeps_every_audit_record() {
    let collector = Collector::start().await;
    let mut environment = collector.environment(Protocol::Http);
    environment.push(("OTEL_TRACES_SAMPLER".to_owned(), "always_off".to_owned()));
    let scene = Scene::start(&environment).await;
    let calls = 20;
    for number in 0..calls {
        let (header, ..) = traceparent(number);
        assert_eq!(scene.send(&scene.call().header("traceparent", &header)).await.status, 200);
    }
    let received = once(&collector, "all records arrive", |received| received.audit.len() >= usize::from(calls)).await;
    assert_eq!(received.audit.len(), usize::from(calls));
    assert!(received.spans.is_empty(), "the caller's flag does not switch tracing on: {:#?}", received.spans);
}

/// The one audit record of a span's request: same trace, same span, same facts; its body is the record itself.
fn joined<'a>(received: &'a Received, span: &Span) -> &'a Entry {
    let records: Vec<_> = received.audit.iter().filter(|entry| entry.span == span.id).collect();
    let [record] = records.as_slice() else { panic!("one record for each span: {records:#?}") };
    assert_eq!(record.trace, span.trace);
    for (name, value) in span.attributes.iter().filter(|(name, _)| *name != "error.type") {
        assert_eq!(record.attributes.get(name), Some(value), "{name} is the same in both");
    }
    let body: Value = serde_json::from_str(&record.body).expect("the body is JSON");
    assert_eq!(body.get("traceId"), Some(&json!(span.trace)));
    assert_eq!(body.get("id"), span.attributes.get("tollward.request.id"));
    record
}

/// The facts of the call that was let through.
fn allowed(attributes: &Attributes, scene: &Scene) {
    let issuer = scene.issuer.url();
    let texts = [
        ("tollward.decision", "allow"),
        ("tollward.reason", "allowed"),
        ("tollward.rule", "read"),
        ("tollward.server", "shop/catalog"),
        ("tollward.principal.issuer", issuer.as_str()),
        ("tollward.principal.subject", "alice"),
        ("tollward.principal.client_id", "client-1"),
        ("tollward.principal.token_id", "token-1"),
        ("mcp.method.name", "tools/call"),
        ("mcp.protocol.version", MODERN),
        ("gen_ai.tool.name", "get_product"),
        ("gen_ai.operation.name", "execute_tool"),
        ("jsonrpc.request.id", "1"),
        ("http.request.method", "POST"),
        ("url.path", "/shop/mcp"),
    ];
    for (name, value) in texts {
        assert_eq!(text(attributes, name), value, "{name}");
    }
    assert!(ENDPOINT.ends_with(text(attributes, "url.path")));
    assert!(text(attributes, "tollward.policy.digest").starts_with("sha256:"));
    assert!(text(attributes, "client.address").starts_with("127.0.0.1"));
    assert_eq!(attributes.get("http.response.status_code"), Some(&json!(200)));
    assert!(attributes.get("tollward.latency").and_then(Value::as_f64).is_some_and(|seconds| seconds > 0.0));
}
