//! What an auditor gets of an installation whose values name a collector: everything, from sidecars and operator alike.

use serde_json::json;
use tollward_tests::cluster::{LIMIT, SERVER, Tenant};
use tollward_tests::deadline::eventually_within;
use tollward_tests::real::received::{Entry, Received, Span, text};

/// A call that is let through, and one that is not.
const CALLS: [(&str, &str); 2] = [("get_product", "allow"), ("add_to_cart", "deny")];

/// The audit record of a call of that tool, and its span.
fn joined<'a>(received: &'a Received, server: &str, tool: &str) -> Option<(&'a Entry, &'a Span)> {
    let record = received.audit.iter().find(|entry| {
        text(&entry.attributes, "tollward.server") == server && text(&entry.attributes, "gen_ai.tool.name") == tool
    })?;
    Some((record, received.spans.iter().find(|span| span.id == record.span)?))
}

#[tokio::test(flavor = "multi_thread")]
async fn sidecars_and_operator_export_to_the_collector_that_the_values_name() {
    let tenant = Tenant::new("e2e-telemetry").await;
    tenant.serve(&tenant.catalog()).await;
    let door = tenant.door(SERVER).await;
    let token = door.token().mint();
    assert_eq!(door.tool(&token, "get_product", json!({"sku": "TEA-001"})).await.status, 200);
    assert_eq!(door.tool(&token, "add_to_cart", json!({"sku": "TEA-001", "quantity": 1})).await.status, 403);

    let server = format!("{}/{SERVER}", tenant.namespace);
    let mut received = Received::default();
    eventually_within(LIMIT, "all signals of the server arrive", async || {
        received = tenant.installation.collector.received();
        let decided = |decision| {
            let labels = [("tollward.server", server.as_str()), ("tollward.decision", decision)];
            received.highest("tollward.decisions", &labels).is_some()
        };
        let reconciled = |name: &str| name == server;
        decided("allow")
            && decided("deny")
            && CALLS.iter().all(|(tool, _)| joined(&received, &server, tool).is_some())
            && received.spans.iter().any(|span| reconciled(text(&span.attributes, "tollward.resource.name")))
            && received.points.iter().any(|point| point.metric == "tollward.reconcile.duration")
    })
    .await;
    for (tool, decision) in CALLS {
        let (record, span) = joined(&received, &server, tool).expect("it was waited for");
        assert_eq!(text(&record.attributes, "tollward.decision"), decision);
        assert!(span.name.starts_with("tools/call"), "{}", span.name);
        assert_eq!(span.trace, record.trace);
        for origin in [&record.origin, &span.origin] {
            assert_eq!(text(&origin.resource, "service.name"), "tollward-sidecar");
            assert_eq!(text(&origin.resource, "k8s.namespace.name"), tenant.namespace);
            assert!(text(&origin.resource, "k8s.pod.name").starts_with(SERVER), "{origin:?}");
            assert!(!text(&origin.resource, "k8s.pod.uid").is_empty(), "{origin:?}");
        }
    }
    let reconciles = received.spans.iter().filter(|span| span.name == "tollward reconcile");
    for span in reconciles {
        assert_eq!(text(&span.origin.resource, "service.name"), "tollward-operator");
    }
    for part in token.split('.').skip(1) {
        assert!(!received.text.contains(part), "a part of the token is at the collector");
    }
    tenant.end().await;
}
