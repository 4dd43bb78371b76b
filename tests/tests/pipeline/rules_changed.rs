//! A change of the rules ends what they would not let through any more, and nothing else.

use http::StatusCode;
use serde_json::{Value, json};
use std::time::Duration;
use tollward_policy::config::SidecarConfig;
use tollward_policy::operation::Era;
use tollward_policy::reason::Reason;
use tollward_sidecar::audit::Ended;
use tollward_tests::client::{Connection, Opened, Wire};
use tollward_tests::deadline::{within, within_time};
use tollward_tests::mcp::Call;
use tollward_tests::upstream::{Answer, Tap, event};
use tollward_tests::world::{CELLS, World};

/// A rule's name, what becomes of the rule, and what calls are refused with then.
type Change = (&'static str, fn(&mut Value), Reason);

/// What is promised for a change on file.
const IN_FORCE: Duration = Duration::from_secs(2);

fn progress() -> String {
    event(&json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progress": 1}}))
}

async fn open(world: &World, wire: Wire, call: &Call) -> (Opened, Tap) {
    let (answer, tap) = Answer::stream("text/event-stream");
    world.upstream.next(answer);
    let mut opened = world.open(wire, call).await;
    tap.send(progress()).await;
    assert!(within("an event", opened.event()).await.is_some(), "{call:?}");
    (opened, tap)
}

/// Replaces the rule of that name by what the change makes of it.
fn change_rule(config: &mut SidecarConfig, name: &str, change: impl Fn(&mut Value)) {
    let mut rules = serde_json::to_value(&config.routes[0].rules).unwrap();
    for rule in rules.as_array_mut().unwrap().iter_mut().filter(|rule| rule["name"] == name) {
        change(rule);
    }
    config.routes[0].rules = serde_json::from_value(rules).unwrap();
}

async fn ends(world: &World, (mut opened, tap): (Opened, Tap), reason: Reason, records: usize) {
    let rest = within_time(IN_FORCE, "the stream ends", opened.piece()).await;
    assert!(rest.is_none(), "at an event: {rest:?}");
    within_time(IN_FORCE, "the MCP server is let go", tap.gone()).await;
    let record = world.sidecar.records.wait_for(records + 1).await;
    assert_eq!((record.decision.reason, record.outcome.unwrap().ended), (reason, Ended::Revoked));
    assert!(record.decision.allowed, "it had been let through");
}

async fn goes_on((opened, tap): &mut (Opened, Tap)) {
    tap.send(progress()).await;
    assert!(within("it goes on", opened.event()).await.is_some());
}

fn tool(era: Era, name: &str, world: &World) -> Call {
    Call::tool(era, name).token(&world.token())
}

#[tokio::test]
async fn a_call_under_way_ends_when_a_rule_would_refuse_it_now_and_others_go_on() {
    let changes: [Change; 4] = [
        ("read", |rule| rule["match"] = json!({"tools": ["get_stock"]}), Reason::NoRuleMatched),
        ("never", |rule| rule["match"] = json!({"tools": ["get_product"]}), Reason::RuleDenied),
        (
            "read",
            |rule| rule["condition"] = json!("args.sku != \"A-1\" || call.tool == \"get_stock\""),
            Reason::ConditionFailed,
        ),
        (
            "read",
            |rule| *rule = json!({"name": "read", "match": {"tools": ["get_product"]}, "action": "Allow", "scopes": ["mcp:catalog-audit"], "onMissingScope": "Challenge"}),
            Reason::ScopeInsufficient,
        ),
    ];
    for (wire, era) in CELLS {
        for (name, change, reason) in &changes {
            let mut world = World::start().await;
            let ending = open(&world, wire, &tool(era, "get_product", &world)).await;
            let keeps = *reason != Reason::ScopeInsufficient;
            let mut other = open(&world, wire, &tool(era, "get_stock", &world)).await;
            world.sidecar.config.change(|config| change_rule(config, name, change));
            if keeps {
                ends(&world, ending, *reason, 0).await;
                goes_on(&mut other).await;
            } else {
                let (mut opened, tap) = ending;
                assert!(within_time(IN_FORCE, "the stream ends", opened.piece()).await.is_none());
                within_time(IN_FORCE, "the MCP server is let go", tap.gone()).await;
                let records = world.sidecar.records.wait_for(2).await;
                assert!(matches!(records.decision.reason, Reason::ScopeInsufficient | Reason::NoRuleMatched));
            }
        }
    }
}

#[tokio::test]
async fn a_subscription_ends_when_one_of_its_resources_is_not_permitted_any_more() {
    for wire in Wire::ALL {
        let mut world = World::start().await;
        let subscribe = |uris: &[&str]| {
            let params = json!({"notifications": {"resourceSubscriptions": uris}});
            Call::rpc(Era::Modern, "subscriptions/listen", params).token(&world.token())
        };
        let both = open(&world, wire, &subscribe(&["shop://products/1", "shop://products/2"])).await;
        let mut one = open(&world, wire, &subscribe(&["shop://products/1"])).await;
        world.sidecar.config.change(|config| {
            change_rule(config, "pages", |rule| rule["match"] = json!({"resources": ["shop://products/1"]}));
        });
        ends(&world, both, Reason::NoRuleMatched, 0).await;
        goes_on(&mut one).await;
    }
}

#[tokio::test]
async fn a_stream_that_no_rule_is_about_goes_on_and_its_lists_follow_the_new_rules() {
    for wire in Wire::ALL {
        let mut world = World::start().await;
        let mut stream = open(&world, wire, &Call::listen().token(&world.token())).await;
        let watched = open(&world, wire, &tool(Era::Legacy, "get_stock", &world)).await;
        let list = event(&json!({"jsonrpc": "2.0", "id": 1, "result": {"tools": [
            {"name": "get_product", "inputSchema": {}}, {"name": "get_stock", "inputSchema": {}}]}}));
        stream.1.send(list.clone()).await;
        let seen = within("a list", stream.0.event()).await.unwrap();
        assert!(seen.contains("get_product") && seen.contains("get_stock"), "{seen}");
        world.sidecar.config.change(|config| {
            change_rule(config, "read", |rule| rule["match"] = json!({"tools": ["get_product"]}));
        });
        ends(&world, watched, Reason::NoRuleMatched, 0).await;
        stream.1.send(list).await;
        let seen = within("a list", stream.0.event()).await.unwrap();
        assert!(seen.contains("get_product") && !seen.contains("get_stock"), "{seen}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_served_any_more_ends_every_stream() {
    for (wire, era) in CELLS {
        let mut world = World::start().await;
        let ending = open(&world, wire, &tool(era, "get_product", &world)).await;
        world.sidecar.config.change(|config| config.routes[0].server.uid = "uid-another".into());
        ends(&world, ending, Reason::RouteNotFound, 0).await;
    }
}

#[tokio::test]
async fn a_call_whose_answer_has_not_begun_is_answered_403_without_a_challenge() {
    for (wire, era) in CELLS {
        let mut world = World::start().await;
        let (answer, mut decision) = Answer::later();
        world.upstream.next(answer);
        let (public, request) = (world.sidecar.public, tool(era, "get_product", &world).request(wire));
        let waiting = tokio::spawn(async move {
            let opened = Connection::plain(wire, public).await.send_only(request).await.expect("an answer begins");
            opened.whole().await.expect("an answer ends")
        });
        world.upstream.received(1).await;
        world.sidecar.config.change(|config| {
            change_rule(config, "read", |rule| rule["match"] = json!({"tools": ["get_stock"]}));
        });
        let reply = within_time(IN_FORCE, "the call is refused", waiting).await.unwrap();
        assert_eq!((reply.status, reply.reason().as_str()), (StatusCode::FORBIDDEN, "no_rule_matched"));
        assert_eq!(reply.header("www-authenticate"), "");
        within_time(IN_FORCE, "the MCP server is let go", decision.gone()).await;
        let record = world.sidecar.records.wait_for(1).await;
        assert_eq!((record.decision.allowed, record.outcome.unwrap().ended), (true, Ended::Revoked));
    }
}
