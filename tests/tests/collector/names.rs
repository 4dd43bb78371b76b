//! The manual's tables of names are what arrives: no name is missing from them, and none stands there that nobody emits.

use super::scene::{Scene, limit, once};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;
use tollward_policy::config::SidecarConfig;
use tollward_policy::limits::RateLimitConfig;
use tollward_policy::operation::Era;
use tollward_telemetry::names::attribute;
use tollward_tests::mcp::Call;
use tollward_tests::real::collector::{Collector, Protocol};
use tollward_tests::real::place;
use tollward_tests::real::received::{Attributes, Received};
use tollward_tests::upstream::Answer;

type Names = BTreeSet<String>;

/// Names of calls that need more than this scene has: bound tokens, a revoked caller, an identity of its own for the server.
/// They are by the constants that the sidecar writes, so that none can be misspelt here.
const OF_OTHER_SCENES: [&str; 5] = [
    attribute::TOLLWARD_DENIED_BY,
    attribute::TOLLWARD_PRINCIPAL_KEY,
    attribute::TOLLWARD_PRINCIPAL_CERTIFICATE,
    attribute::TOLLWARD_UPSTREAM_IDENTITY,
    attribute::TOLLWARD_UPSTREAM_TOKEN_ID,
];

/// The rows of the table below a heading of the manual's page, as cells.
fn table(heading: &str) -> Vec<Vec<String>> {
    let path = place::tests().join("../docs/src/observability.md");
    let page = std::fs::read_to_string(path).expect("the manual has the page");
    let section = page.split_once(&format!("\n### {heading}\n")).expect("the page has the heading").1;
    let rows = section.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    let cells = |row: &str| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    // Title and rule stand above the rows.
    rows.skip(2).map(cells).collect()
}

/// The names in a cell, which stand between backticks.
fn named(cell: &str) -> Names {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Calls that together make everything be emitted.
async fn everything(scene: &Scene) {
    let token = scene.issuer.token().mint();
    let known = Call::tool(Era::Modern, "set_price").token(&scene.issuer.token().scope("mcp:catalog-write").mint());
    let calls = [
        known,
        scene.call(),
        Call::rpc(Era::Modern, "resources/read", json!({"uri": "shop://products/1"})).token(&token),
        Call::rpc(Era::Modern, "prompts/get", json!({"name": "describe"})).token(&token),
    ];
    for call in calls {
        let reply = scene.send(&call).await;
        assert_eq!(reply.status, 200, "{call:?}: {}", reply.text());
    }
    for _ in 0..2 {
        let limited = Call::tool(Era::Modern, "get_limited").token(&token);
        assert_eq!(scene.send(&limited).await.status, 200);
    }
    scene.refused(&Call::tool(Era::Modern, "get_limited").token(&token), 429).await;
    scene.refused(&Call::tool(Era::Modern, "get_product"), 401).await;
    // An error of the server's own.
    let failed = json!({"jsonrpc": "2.0", "id": 1, "error": {"code": -32_602, "message": "no such thing"}});
    scene.upstream.next(Answer::json(&failed));
    assert_eq!(scene.send(&scene.call()).await.status, 200);
}

fn keys<'a>(all: impl Iterator<Item = &'a Attributes>) -> Names {
    all.flat_map(BTreeMap::keys).cloned().collect()
}

/// A limit that is counted at this address.
fn in_store(policy: &str, address: &str) -> RateLimitConfig {
    let limit = json!({
        "name": "calls", "match": {"tools": ["get_limited"]},
        "tiers": {"basic": {"requests": 999, "windowSeconds": 60, "burst": 500}}
    });
    let store = json!({"url": format!("redis://{address}"), "mode": "Standalone", "deadlineMillis": 1000, "onFailure": "Local"});
    let policy = json!({"policy": policy, "tiers": {"default": "basic"}, "limits": [limit], "store": store});
    serde_json::from_value(policy).expect("a policy of the right shape")
}

/// As much of a store as its metrics need: it admits whatever one limit asks.
async fn admit_always(listener: TcpListener) {
    while let Ok((mut stream, _)) = listener.accept().await {
        tokio::spawn(async move {
            let mut read = [0; 4096];
            while let Ok(length @ 1..) = stream.read(&mut read).await {
                let questions = read[..length].windows(7).filter(|part| *part == b"EVALSHA").count();
                if stream.write_all(b"*3\r\n:0\r\n:0\r\n:1\r\n".repeat(questions).as_slice()).await.is_err() {
                    break;
                }
            }
        });
    }
}

async fn arrived() -> (Received, String) {
    let collector = Collector::start().await;
    let store = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = store.local_addr().expect("an address");
    let _store = AbortOnDropHandle::new(tokio::spawn(admit_always(store)));
    let with_limits = |config: &mut SidecarConfig| {
        limit(config);
        let policies = [in_store("counted", &address.to_string()), in_store("uncounted", "127.0.0.1:1")];
        config.routes.first_mut().expect("there is a route").rate_limits.extend(policies);
    };
    let scene = Scene::with(&collector.environment(Protocol::Http), with_limits).await;
    everything(&scene).await;
    let received = once(&collector, "everything arrives", |received| {
        received.spans.len() >= 9
            && received.audit.len() >= 9
            && received.highest("tollward.audit.records", &[]).is_some_and(|count| count >= 9)
    })
    .await;
    let prometheus = scene.probe("/metrics").await.text();
    (received, prometheus)
}

#[tokio::test]
async fn the_manual_names_what_a_collector_receives_and_nothing_else() {
    let (received, prometheus) = arrived().await;
    let rows = table("Attributes of spans and audit records");
    let documented = |place: &str| -> Names {
        rows.iter().filter(|row| row[1].contains(place)).flat_map(|row| named(&row[0])).collect()
    };
    let received_or_elsewhere =
        |received: Names| -> Names { received.into_iter().chain(OF_OTHER_SCENES.map(str::to_owned)).collect() };
    let of_spans = keys(received.spans.iter().map(|span| &span.attributes));
    assert_eq!(received_or_elsewhere(of_spans), documented("span"), "of spans");
    let of_records = keys(received.audit.iter().map(|entry| &entry.attributes));
    assert_eq!(received_or_elsewhere(of_records), documented("record"), "of records");

    let rows = table("Metrics of the sidecar");
    let documented: BTreeMap<_, _> = rows
        .iter()
        .map(|row| {
            let name = named(&row[0]).pop_first().expect("a row begins with a name");
            (name, (row[1].clone(), named(&row[3])))
        })
        .collect();
    let mut metrics: BTreeMap<String, (String, Names)> = BTreeMap::new();
    for point in &received.points {
        let kind = if point.kind == "sum" { "counter".to_owned() } else { format!("{}, {}", point.kind, point.unit) };
        metrics.entry(point.metric.clone()).or_insert((kind, Names::new())).1.extend(point.attributes.keys().cloned());
    }
    assert_eq!(metrics, documented, "metrics and their labels");
    for row in rows {
        let name = named(&row[2]).pop_first().expect("a row has the name in Prometheus");
        assert!(prometheus.contains(&format!("# TYPE {name} ")), "{name}: {prometheus}");
    }
}
