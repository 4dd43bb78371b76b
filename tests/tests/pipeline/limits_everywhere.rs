//! That no way in leads around the limits, and that nobody learns from them about others.

use http::StatusCode;
use serde_json::{Value, json};
use tollward_policy::config::SidecarConfig;
use tollward_policy::operation::Era;
use tollward_policy::reason::Reason;
use tollward_tests::client::Wire;
use tollward_tests::mcp::Call;
use tollward_tests::world::{Refusal, World};

/// A limit of `burst` at once, refilled so slowly that no test sees it.
fn set(config: &mut SidecarConfig, per: &[&str], burst: u32) {
    let rate = json!({"requests": burst + 7, "windowSeconds": 3600, "burst": burst});
    let limit = json!({"name": "calls", "match": {}, "per": per, "tiers": {"basic": rate}});
    let policy = json!({"policy": "standard", "tiers": {"default": "basic"}, "limits": [limit]});
    config.routes[0].rate_limits = vec![serde_json::from_value(policy).expect("a policy of the right shape")];
}

/// Every message of an era that a rule of the tests' configuration permits, and every HTTP method that carries one.
fn ways(era: Era) -> Vec<(&'static str, Call)> {
    let rpc = |method: &'static str, params: Value| (method, Call::rpc(era, method, params));
    let mut ways = vec![
        rpc("tools/call", json!({"name": "get_product", "arguments": {"sku": "A-1"}})),
        rpc("tools/list", json!({})),
        rpc("resources/list", json!({})),
        rpc("resources/templates/list", json!({})),
        rpc("prompts/list", json!({})),
        ("a notification", Call::notification(era, "notifications/cancelled")),
    ];
    match era {
        Era::Legacy => {
            ways.push(rpc("ping", json!({})));
            ways.push(("initialize", Call::initialize()));
            ways.push(("GET", Call::listen()));
        }
        Era::Modern => ways.push(rpc("server/discover", json!({}))),
    }
    ways
}

#[tokio::test]
async fn every_way_in_passes_the_limits() {
    let world = World::with(|config| set(config, &["Subject"], 1)).await;
    let token = world.token();
    world.passed(Wire::Http1, &Call::tool(Era::Modern, "get_product").token(&token)).await;
    let mut passed = Vec::new();
    for wire in Wire::ALL {
        for (era, (name, call)) in
            [Era::Legacy, Era::Modern].into_iter().flat_map(|era| ways(era).into_iter().map(move |way| (era, way)))
        {
            let reply = world.send(wire, &call.token(&token)).await;
            if reply.status != StatusCode::TOO_MANY_REQUESTS {
                passed.push(format!("{wire:?} {era:?} {name}: {}", reply.status));
            }
        }
    }
    assert!(passed.is_empty(), "{}", passed.join("\n"));
    assert_eq!(world.upstream.count(), 1);
    world.end();
}

#[tokio::test]
async fn a_person_with_many_clients_has_one_budget() {
    let world = World::with(|config| set(config, &["Subject"], 3)).await;
    for number in 0..20 {
        let token = world.issuer.token().client(&format!("https://client-{number}.example/metadata.json")).mint();
        let call = Call::tool(Era::Modern, "get_product").token(&token);
        let wire = Wire::ALL[number % 2];
        if number < 3 {
            world.passed(wire, &call).await;
        } else {
            world.refused(wire, &call, &Refusal::new(429, Reason::RateLimited).answering()).await;
        }
    }
    world.end();
}

#[tokio::test]
async fn sets_of_resources_give_nobody_a_new_budget() {
    let world = World::with(|config| set(config, &["Subject", "Resource"], 2)).await;
    let listen = |uris: Value| {
        let notifications = json!({"resourceSubscriptions": uris});
        Call::rpc(Era::Modern, "subscriptions/listen", json!({"notifications": notifications})).token(&world.token())
    };
    for wire in Wire::ALL {
        world.passed(wire, &listen(json!(["shop://products/1", "shop://products/2"]))).await;
    }
    for uris in [
        json!(["shop://products/2", "shop://products/1"]),
        json!(["shop://products/1", "shop://products/invented"]),
        json!(["shop://products/1", "shop://products/2", "shop://products/2"]),
    ] {
        world.refused(Wire::Http1, &listen(uris), &Refusal::new(429, Reason::RateLimited).answering()).await;
    }
    world.end();
}

#[tokio::test]
async fn nobody_is_told_what_others_have_used() {
    let world = World::with(|config| set(config, &["Subject"], 3)).await;
    let call = |subject: &str| {
        let token = world.issuer.token().subject(subject).mint();
        Call::tool(Era::Modern, "get_product").token(&token)
    };
    for _ in 0..2 {
        world.passed(Wire::Http2, &call("ada")).await;
    }
    let (reply, _) = world.passed(Wire::Http2, &call("bob")).await;
    assert!(reply.header("ratelimit").starts_with("\"standard/calls\";r=2;"), "{}", reply.header("ratelimit"));
    let stranger = Call::tool(Era::Modern, "get_product");
    let without_right = Call::tool(Era::Modern, "drop_table").token(&world.token());
    for (call, status) in [(stranger, StatusCode::UNAUTHORIZED), (without_right, StatusCode::FORBIDDEN)] {
        let reply = world.send(Wire::Http1, &call).await;
        assert_eq!(reply.status, status);
        let fields = ["ratelimit", "ratelimit-policy", "retry-after"];
        assert!(fields.iter().all(|name| !reply.headers.contains_key(*name)), "{:?}", reply.headers);
    }
    world.end();
}
