//! Every cell of HTTP method, place, protocol revision, media type, sender and version of HTTP: that none of them skips a stage, told from
//! its audit record and from what the MCP server saw of it.

#[path = "matrix/cells.rs"]
mod cells;
#[path = "matrix/expected.rs"]
mod expected;

use cells::{Cell, Place, Sender, all};
use expected::{Expected, Stage, of};
use http::Method;
use http::header::CONNECTION;
use serde_json::json;
use std::collections::HashMap;
use tollward_policy::config::SidecarConfig;
use tollward_policy::operation::Era;
use tollward_sidecar::audit::Record;
use tollward_tests::client::{Connection, Wire};
use tollward_tests::deadline::within;
use tollward_tests::mcp::Call;
use tollward_tests::upstream::{Answer, Captured};
use tollward_tests::world::World;

const GREEDY: &str = "greedy";

/// One client has a single call, all others more than there are cells.
fn limited(config: &mut SidecarConfig) {
    let rate = |requests: u32, burst: u32| json!({"requests": requests, "windowSeconds": 3600, "burst": burst});
    let tiers = json!({"wide": rate(1_000_000, 100_000), "narrow": rate(10, 1)});
    let limit = json!({"name": "calls", "match": {}, "per": ["Client"], "tiers": tiers});
    let choice = json!({"clients": {"narrow": [GREEDY]}, "default": "wide"});
    let policy = json!({"policy": "standard", "tiers": choice, "limits": [limit]});
    config.routes[0].rate_limits = vec![serde_json::from_value(policy).expect("a policy of the right shape")];
}

fn token(world: &World, sender: Sender) -> Option<String> {
    match sender {
        Sender::Good | Sender::Rebound | Sender::Page => Some(world.token()),
        Sender::Unknown => None,
        Sender::Powerless => Some(world.issuer.token().scope("").mint()),
        Sender::Exhausted => Some(world.issuer.token().client(GREEDY).mint()),
    }
}

/// How far it came, as the record and the MCP server tell. `None` if they tell of a stage without the ones before it.
fn reached(record: &Record, seen: Option<&Captured>) -> Option<Stage> {
    let marks = [
        record.server.is_some(),
        record.caller.is_some(),
        record.call.is_some(),
        !record.limits.is_empty(),
        seen.is_some(),
    ];
    let stages = [Stage::Head, Stage::Routed, Stage::Identified, Stage::Understood, Stage::Charged, Stage::Forwarded];
    let passed = marks.iter().take_while(|mark| **mark).count();
    (!marks[passed..].contains(&true)).then_some(stages[passed])
}

/// What is wrong with a cell; empty if nothing is.
fn check(cell: &Cell, sent: &Call, status: u16, record: &Record, seen: &[&Captured]) -> Vec<String> {
    let Expected { status: expected, reason, stage } = of(cell);
    let mut wrong = Vec::new();
    let mut claim = |holds: bool, what: String| {
        if !holds {
            wrong.push(what);
        }
    };
    claim(status == expected, format!("answered {status} and not {expected}"));
    claim(
        record.outcome.as_ref().is_some_and(|outcome| outcome.status == Some(status)),
        "another status recorded".into(),
    );
    let decision = &record.decision;
    claim(decision.reason == reason, format!("{} and not {}", decision.reason.code(), reason.code()));
    let reached = reached(record, seen.first().copied());
    claim(reached == Some(stage), format!("came to {reached:?} and not to {stage:?}"));
    claim(seen.len() <= 1, format!("{} reached the MCP server", seen.len()));
    if let Some(seen) = seen.first() {
        claim(seen.body == sent.body && seen.method == cell.method, "the MCP server saw another request".into());
        claim(!seen.headers.contains_key("authorization"), "the MCP server saw the token".into());
    }
    wrong
}

async fn every_cell(wire: Wire) {
    let world = World::with(limited).await;
    let cells = all();
    let senders = [Sender::Good, Sender::Powerless, Sender::Exhausted].map(|sender| (sender, token(&world, sender)));
    let token = |sender: Sender| match sender {
        Sender::Unknown => None,
        Sender::Rebound | Sender::Page => senders[0].1.as_deref(),
        Sender::Good | Sender::Powerless | Sender::Exhausted => {
            senders.iter().find(|known| known.0 == sender).and_then(|known| known.1.as_deref())
        }
    };
    let last = Call::tool(Era::Modern, "get_product").token(token(Sender::Exhausted).unwrap());
    assert!(world.send(wire, &last).await.status.is_success(), "the one call of a limit that is exhausted then");
    let mut connection = Connection::plain(wire, world.sidecar.public).await;
    let mut answers = Vec::with_capacity(cells.len());
    for (number, cell) in cells.iter().enumerate() {
        if cell.place == Place::Events && of(cell).stage == Stage::Forwarded && cell.method == Method::POST {
            world.upstream.next(Answer::events([&json!({"jsonrpc": "2.0", "id": 1, "result": {}})]));
        }
        let call = cell.call(token(cell.sender), &format!("cell-{number}"));
        let opened = within("an answer begins", connection.send(call.request(wire))).await.expect("an answer");
        let ends = opened.headers.contains_key(CONNECTION);
        answers.push((call, opened.status.as_u16()));
        within("an answer ends", opened.whole()).await.expect("a whole answer");
        if ends {
            connection = Connection::plain(wire, world.sidecar.public).await;
        }
    }
    world.sidecar.records.wait_for(cells.len() + 1).await;
    let records: HashMap<_, _> =
        world.sidecar.records.closed().into_iter().map(|record| (record.http.user_agent.clone(), record)).collect();
    let requests = world.upstream.requests();
    let mut seen: HashMap<&str, Vec<&Captured>> = HashMap::new();
    for request in &requests {
        seen.entry(request.header("user-agent")).or_default().push(request);
    }
    let mut wrong = Vec::new();
    for (number, (cell, (call, status))) in cells.iter().zip(&answers).enumerate() {
        let name = format!("cell-{number}");
        let none = Vec::new();
        let found = check(cell, call, *status, &records[&Some(name.clone())], seen.get(name.as_str()).unwrap_or(&none));
        wrong.extend(found.into_iter().map(|what| format!("{cell:?}: {what}")));
    }
    let forwarded = cells.iter().filter(|cell| of(cell).stage == Stage::Forwarded).count();
    println!("{wire:?}: {} cells, {forwarded} of them reach the MCP server", cells.len());
    assert_eq!(requests.len(), forwarded + 1);
    let (some, count) = (wrong.iter().take(20).cloned().collect::<Vec<_>>(), wrong.len());
    assert!(wrong.is_empty(), "{count}:\n{}", some.join("\n"));
    world.end();
}

#[tokio::test]
async fn no_cell_skips_a_stage_over_http1() {
    every_cell(Wire::Http1).await;
}

#[tokio::test]
async fn no_cell_skips_a_stage_over_http2() {
    every_cell(Wire::Http2).await;
}
