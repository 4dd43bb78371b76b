//! A new configuration while requests are served.

use http::StatusCode;
use serde_json::{Value, json};
use std::time::Duration;
use tollward_policy::operation::Era;
use tollward_policy::reason::Reason;
use tollward_policy::rules::Action;
use tollward_tests::client::Wire;
use tollward_tests::config::text;
use tollward_tests::deadline::{eventually_within, within};
use tollward_tests::issuer::Health;
use tollward_tests::mcp::Call;
use tollward_tests::operator::Operator;
use tollward_tests::upstream::Answer;
use tollward_tests::world::{CELLS, Refusal, World};

/// What is promised for a change on file.
const IN_FORCE: Duration = Duration::from_secs(2);

async fn status(world: &World, call: &Call) -> StatusCode {
    world.send(Wire::Http1, call).await.status
}

#[tokio::test]
async fn a_tightened_policy_is_enforced_within_two_seconds_also_on_open_streams() {
    let mut world = World::start().await;
    let call = Call::tool(Era::Modern, "get_product").token(&world.token());
    let mut streams = Vec::new();
    for (wire, era) in CELLS {
        let (answer, tap) = Answer::stream("text/event-stream");
        world.upstream.next(answer);
        streams.push((world.open(wire, &Call::tool(era, "get_product").token(&world.token())).await, tap));
    }
    let before = world.passed(Wire::Http1, &call).await.1.decision.policy_digest;
    world.sidecar.config.change(|config| {
        config.routes[0].rules[0].action = Action::Deny;
        config.routes[0].rules[0].scopes.clear();
    });
    eventually_within(IN_FORCE, "the new rule denies", async || status(&world, &call).await == StatusCode::FORBIDDEN)
        .await;
    for (mut opened, tap) in streams {
        assert!(within("the stream ends", opened.event()).await.is_none());
        within("the MCP server is let go", tap.gone()).await;
    }
    for (wire, era) in CELLS {
        let call = Call::tool(era, "get_product").token(&world.token());
        let (_, record) = world.refused(wire, &call, &Refusal::new(403, Reason::RuleDenied).answering()).await;
        assert_ne!(record.decision.policy_digest, before, "the record names the policy that decided");
    }
    world.end();
}

async fn reporting(operator: &Operator) -> World {
    let world = World::cold(Health::Good, |config, file| operator.listen(&mut config.process, file)).await;
    world.sidecar.ready().await;
    world
}

/// A good file with one thing wrong.
fn spoilt(world: &World) -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let good = text(world.sidecar.config.current());
    let mut unknown: Value = serde_json::from_slice(&good).expect("the file is JSON");
    unknown["routes"][0]["denyEverything"] = true.into();
    let mut newer: Value = serde_json::from_slice(&good).expect("the file is JSON");
    newer["minReader"] = 2.into();
    let mut omnibus: Value = serde_json::from_slice(&good).expect("the file is JSON");
    omnibus["routes"][0]["scopes"][0]["name"] = "mcp:all".into();
    let mut condition: Value = serde_json::from_slice(&good).expect("the file is JSON");
    condition["routes"][0]["rules"][0]["condition"] = "args.amount <=".into();
    vec![
        ("a condition that can't be read", condition.to_string().into_bytes(), "line 1, column 15"),
        ("half a file", good[..good.len() / 2].to_vec(), "EOF"),
        ("nothing", Vec::new(), "EOF"),
        ("an unknown field", unknown.to_string().into_bytes(), "denyEverything"),
        ("a newer schema", newer.to_string().into_bytes(), "upgrade the data plane"),
        ("an omnibus scope", omnibus.to_string().into_bytes(), "omnibus"),
    ]
}

#[tokio::test]
async fn a_file_that_can_not_be_used_keeps_the_last_good_one_and_shows_in_the_report() {
    let operator = Operator::default();
    let mut world = reporting(&operator).await;
    let call = Call::tool(Era::Modern, "get_product").token(&world.token());
    for (what, bytes, message) in spoilt(&world) {
        let good = operator.report(&world.sidecar).await;
        world.sidecar.config.write(&bytes);
        eventually_within(IN_FORCE, what, async || operator.report(&world.sidecar).await.rejected.is_some()).await;
        let report = operator.report(&world.sidecar).await;
        assert_eq!((&report.digest, report.generation), (&good.digest, good.generation), "{what}");
        let rejected = report.rejected.unwrap();
        assert!(rejected.message.contains(message), "{what}: {}", rejected.message);
        assert_ne!(rejected.digest, good.digest);
        world.passed(Wire::Http1, &call).await;
        world.sidecar.config.change(|_| ());
        eventually_within(IN_FORCE, "a good file ends it", async || {
            operator.report(&world.sidecar).await.rejected.is_none()
        })
        .await;
        assert!(operator.report(&world.sidecar).await.generation > good.generation);
    }
    world.end();
}

#[tokio::test]
async fn an_unread_change_may_have_been_a_tightening_so_it_is_503_after_ten_minutes() {
    let operator = Operator::default();
    let mut world = reporting(&operator).await;
    let call = |world: &World, era| Call::tool(era, "get_product").token(&world.token());
    world.sidecar.config.write(b"{");
    eventually_within(IN_FORCE, "it is refused", async || operator.report(&world.sidecar).await.rejected.is_some())
        .await;
    world.clock.advance(590);
    world.passed(Wire::Http1, &call(&world, Era::Modern)).await;
    world.clock.advance(11);
    for (wire, era) in CELLS {
        let (reply, _) = world.refused(wire, &call(&world, era), &Refusal::new(503, Reason::ConfigurationStale)).await;
        assert_eq!(reply.header("retry-after"), "30");
    }
    let probe = world.sidecar.probe("/readyz").await;
    assert_eq!(probe.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(probe.text().contains("a newer configuration could not be read"), "{}", probe.text());
    assert!(!operator.report(&world.sidecar).await.unready.is_empty());
    world.sidecar.config.change(|_| ());
    let good = call(&world, Era::Modern);
    eventually_within(IN_FORCE, "a good file ends it", async || status(&world, &good).await == StatusCode::OK).await;
    world.end();
}

#[tokio::test]
async fn a_change_that_needs_a_new_process_is_said_and_the_rest_is_enforced() {
    let operator = Operator::default();
    let mut world = reporting(&operator).await;
    world.sidecar.config.change(|config| {
        config.process.drain_seconds = 11;
        config.routes[0].rules.clear();
    });
    eventually_within(IN_FORCE, "it is reported", async || operator.report(&world.sidecar).await.restart_required)
        .await;
    let call = Call::tool(Era::Modern, "get_product").token(&world.token());
    world.refused(Wire::Http2, &call, &Refusal::new(403, Reason::NoRuleMatched).answering()).await;
    world.end();
}

#[tokio::test]
async fn counts_and_sessions_outlive_a_change_of_something_else() {
    let mut world = World::with(|config| {
        let tiers = json!({"basic": {"requests": 10, "windowSeconds": 3600, "burst": 2}});
        let limit = json!({"name": "calls", "match": {"methods": ["tools/call"]}, "per": ["Subject"], "tiers": tiers});
        let policy = json!({"policy": "standard", "tiers": {"default": "basic"}, "limits": [limit]});
        config.routes[0].rate_limits = vec![serde_json::from_value(policy).unwrap()];
    })
    .await;
    let token = world.token();
    let (reply, _) = world.passed(Wire::Http1, &Call::initialize().token(&token)).await;
    let call = Call::tool(Era::Legacy, "get_product").token(&token).session(reply.header("mcp-session-id"));
    let before = world.passed(Wire::Http1, &call).await.1.decision.policy_digest;
    let fetches = world.issuer.key_fetches();
    world.sidecar.config.change(|config| config.routes[0].endpoint.display_name = Some("New name".into()));
    let metadata = Call::bare(http::Method::GET, "/.well-known/oauth-protected-resource");
    eventually_within(IN_FORCE, "the new name is shown", async || {
        world.send(Wire::Http1, &metadata).await.json()["resource_name"] == "New name"
    })
    .await;
    let after = world.passed(Wire::Http1, &call).await.1.decision.policy_digest;
    assert_ne!(before, after);
    world.refused(Wire::Http1, &call, &Refusal::new(429, Reason::RateLimited).answering()).await;
    assert_eq!(world.issuer.key_fetches(), fetches, "keys of an unchanged provider are kept");
    world.end();
}
