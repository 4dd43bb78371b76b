//! How often.

use futures_util::future::join_all;
use http::StatusCode;
use serde_json::{Value, json};
use tollward_policy::config::SidecarConfig;
use tollward_policy::operation::Era;
use tollward_policy::reason::Reason;
use tollward_tests::client::{Reply, Wire};
use tollward_tests::deadline::eventually;
use tollward_tests::mcp::Call;
use tollward_tests::upstream::Answer;
use tollward_tests::world::{CELLS, Refusal, World};

/// A limit of `burst` at once, refilled so slowly that no test sees it.
fn limit(name: &str, matches: &Value, per: &[&str], burst: u32) -> Value {
    json!({"name": name, "match": matches, "per": per, "tiers": {"basic": rate(burst)}})
}

fn rate(burst: u32) -> Value {
    json!({"requests": burst + 7, "windowSeconds": 3600, "burst": burst})
}

fn set(config: &mut SidecarConfig, limits: &[Value]) {
    let policy = json!({"policy": "standard", "tiers": {"default": "basic"}, "limits": limits});
    config.routes[0].rate_limits = vec![serde_json::from_value(policy).expect("a policy of the right shape")];
}

fn get(era: Era, token: &str) -> Call {
    Call::tool(era, "get_product").token(token)
}

/// `r` and `t` of the field `RateLimit`.
fn standing(reply: &Reply, limit: &str) -> (u64, u64) {
    let field = reply.header("ratelimit").to_owned();
    let item =
        field.split(", ").find(|item| item.starts_with(&format!("\"{limit}\""))).expect("the limit is in the field");
    let number = |name: &str| {
        let value = item.split(';').find_map(|part| part.strip_prefix(name)).expect("a parameter");
        value.parse().expect("a number")
    };
    (number("r="), number("t="))
}

#[tokio::test]
async fn a_burst_passes_and_the_next_call_is_told_when_to_come_back() {
    for (wire, era) in CELLS {
        let world = World::with(|config| set(config, &[limit("calls", &json!({}), &["Client", "Subject"], 3)])).await;
        let call = get(era, &world.token());
        for left in [2, 1, 0] {
            let (reply, record) = world.passed(wire, &call).await;
            assert_eq!(reply.header("ratelimit-policy"), "\"standard/calls\";q=10;w=3600");
            assert_eq!(standing(&reply, "standard/calls").0, left);
            assert_eq!((record.limits[0].remaining, record.limits[0].exceeded), (u32::try_from(left).unwrap(), false));
        }
        let (reply, record) = world.refused(wire, &call, &Refusal::new(429, Reason::RateLimited).answering()).await;
        let wait: u64 = reply.header("retry-after").parse().unwrap();
        // 3600 s for 7 refills.
        assert!((500..=515).contains(&wait), "{wait}");
        assert_eq!(standing(&reply, "standard/calls"), (0, wait));
        let data = reply.json()["error"]["data"].clone();
        assert_eq!(
            (&data["limit"], &data["remaining"], &data["retryAfterSeconds"]),
            (&json!("standard/calls"), &json!(0), &json!(wait))
        );
        assert!(record.limits[0].exceeded && record.limits[0].limit == "standard/calls", "{record:#?}");
        // Others have counts of their own.
        for other in [world.issuer.token().client("client-2"), world.issuer.token().subject("bob")] {
            world.passed(wire, &get(era, &other.mint())).await;
        }
        world.end();
    }
}

#[tokio::test]
async fn nothing_that_a_client_can_choose_gives_it_another_count() {
    let world = World::with(|config| set(config, &[limit("calls", &json!({}), &["Client", "Subject"], 6)])).await;
    let token = |jti: &str| world.issuer.token().with_claim("jti", jti).mint();
    let calls = [
        get(Era::Modern, &token("a")).header("x-forwarded-for", "192.0.2.1"),
        get(Era::Legacy, &token("b")).header("forwarded", "for=192.0.2.2").header("user-agent", "one"),
        get(Era::Modern, &token("c")).header("x-real-ip", "192.0.2.3").header("user-agent", "two"),
        Call::rpc(Era::Legacy, "ping", json!({})).token(&token("d")),
        Call::notification(Era::Modern, "notifications/cancelled").token(&token("e")),
        Call::rpc(Era::Modern, "tools/list", json!({})).token(&token("f")),
    ];
    for (index, call) in calls.iter().enumerate() {
        world.passed(Wire::ALL[index % 2], call).await;
    }
    for (wire, era) in CELLS {
        world.refused(wire, &get(era, &token("g")), &Refusal::new(429, Reason::RateLimited).answering()).await;
    }
    let notification = Call::notification(Era::Legacy, "notifications/cancelled").token(&token("h"));
    world.refused(Wire::Http1, &notification, &Refusal::new(429, Reason::RateLimited)).await;
    world.end();
}

#[tokio::test]
async fn the_tier_comes_from_a_claim_or_a_list_of_clients() {
    let world = World::with(|config| {
        let tiers = json!({"basic": rate(1), "gold": rate(3), "partner": rate(2)});
        let calls = json!({"name": "calls", "match": {}, "per": ["Subject", "Client"], "tiers": tiers});
        let selection = json!({"claim": "tier", "clients": {"partner": ["client-9"]}, "default": "basic"});
        let policy = json!({"policy": "standard", "tiers": selection, "limits": [calls]});
        config.routes[0].rate_limits = vec![serde_json::from_value(policy).unwrap()];
    })
    .await;
    let cases = [
        (world.issuer.token().subject("a"), 1, "basic"),
        (world.issuer.token().subject("b").with_claim("tier", "gold"), 3, "gold"),
        (world.issuer.token().subject("c").with_claim("tier", "platinum"), 1, "basic"),
        (world.issuer.token().subject("d").with_claim("tier", json!(["gold"])), 1, "basic"),
        (world.issuer.token().subject("e").client("client-9").with_claim("tier", "gold"), 2, "partner"),
    ];
    for (token, burst, tier) in cases {
        let call = get(Era::Modern, &token.mint());
        for _ in 0..burst {
            let (_, record) = world.passed(Wire::Http2, &call).await;
            assert_eq!(record.limits[0].tier, tier);
        }
        world.refused(Wire::Http1, &call, &Refusal::new(429, Reason::RateLimited).answering()).await;
    }
    world.end();
}

#[tokio::test]
async fn tools_are_counted_apart_and_invented_names_together() {
    let world =
        World::with(|config| set(config, &[limit("tool", &json!({"methods": ["tools/call"]}), &["Tool"], 2)])).await;
    let token = world.issuer.token().scope("mcp:catalog-write").mint();
    let call = |name: &str| Call::tool(Era::Modern, name).token(&token);
    let limited = Refusal::new(429, Reason::RateLimited).answering();
    // A rule names it, so it is known.
    world.passed(Wire::Http1, &call("set_price")).await;
    for name in ["get_a", "get_b"] {
        world.passed(Wire::Http1, &call(name)).await;
    }
    for name in ["get_c", "get_a", "get_product"] {
        world.refused(Wire::Http1, &call(name), &limited).await;
    }
    // The server's own list makes names known.
    world.passed(Wire::Http1, &Call::rpc(Era::Modern, "tools/list", json!({})).token(&token)).await;
    world.passed(Wire::Http1, &call("get_product")).await;
    world.passed(Wire::Http1, &call("set_price")).await;
    world.refused(Wire::Http1, &call("set_price"), &limited).await;
    world.refused(Wire::Http1, &call("get_d"), &limited).await;
    world.end();
}

#[tokio::test]
async fn a_call_that_one_limit_refuses_is_charged_to_none() {
    let limits =
        [limit("server", &json!({}), &[], 3), limit("tool", &json!({"tools": ["set_price"]}), &["Client", "Tool"], 1)];
    let world = World::with(|config| set(config, &limits)).await;
    let token = world.issuer.token().scope("mcp:catalog-write").mint();
    let limited = Refusal::new(429, Reason::RateLimited).answering();
    world.passed(Wire::Http1, &Call::tool(Era::Modern, "set_price").token(&token)).await;
    for _ in 0..5 {
        world.refused(Wire::Http1, &Call::tool(Era::Modern, "set_price").token(&token), &limited).await;
    }
    for _ in 0..2 {
        world.passed(Wire::Http1, &get(Era::Modern, &token)).await;
    }
    world.refused(Wire::Http1, &get(Era::Modern, &token), &limited).await;
    world.end();
}

#[tokio::test]
async fn a_dear_tool_counts_for_as_many_calls_as_its_cost() {
    let mut calls = limit("calls", &json!({}), &["Client"], 10);
    calls["costs"] = json!([{"tools": ["set_*"], "cost": 4}]);
    let world = World::with(|config| set(config, &[calls])).await;
    let token = world.issuer.token().scope("mcp:catalog-write").mint();
    let write = Call::tool(Era::Modern, "set_price").token(&token);
    for left in [6, 2] {
        let (reply, record) = world.passed(Wire::Http2, &write).await;
        assert_eq!(standing(&reply, "standard/calls").0, left);
        assert_eq!(record.limits[0].cost, 4);
    }
    world.refused(Wire::Http1, &write, &Refusal::new(429, Reason::RateLimited).answering()).await;
    for left in [1, 0] {
        let (reply, record) = world.passed(Wire::Http1, &get(Era::Modern, &token)).await;
        assert_eq!((standing(&reply, "standard/calls").0, record.limits[0].cost), (left, 1));
    }
    world.refused(Wire::Http1, &get(Era::Modern, &token), &Refusal::new(429, Reason::RateLimited).answering()).await;
    world.end();
}

#[tokio::test]
async fn tenants_have_counts_of_their_own_whoever_calls_for_them() {
    let world = World::with(|config| {
        set(config, &[limit("tenant", &json!({}), &["Tenant"], 2)]);
        config.routes[0].rate_limits[0].tenant_claim = Some("tid".into());
    })
    .await;
    let call = |subject: &str, tenant: &str| {
        get(Era::Modern, &world.issuer.token().subject(subject).with_claim("tid", tenant).mint())
    };
    for subject in ["ada", "bob"] {
        world.passed(Wire::Http1, &call(subject, "north")).await;
    }
    world.refused(Wire::Http1, &call("eve", "north"), &Refusal::new(429, Reason::RateLimited).answering()).await;
    world.passed(Wire::Http1, &call("eve", "south")).await;
    world.end();
}

#[tokio::test]
async fn one_of_two_replicas_lets_its_half_through() {
    let world = World::with(|config| {
        set(config, &[limit("calls", &json!({}), &["Client"], 6)]);
        config.routes[0].replicas = std::num::NonZeroU32::new(2).unwrap();
    })
    .await;
    let call = get(Era::Modern, &world.token());
    for _ in 0..3 {
        let (reply, _) = world.passed(Wire::Http1, &call).await;
        assert_eq!(reply.header("ratelimit-policy"), "\"standard/calls\";q=6;w=3600");
    }
    world.refused(Wire::Http2, &call, &Refusal::new(429, Reason::RateLimited).answering()).await;
    world.end();
}

#[tokio::test]
async fn a_new_configuration_keeps_what_was_spent() {
    let mut world = World::with(|config| set(config, &[limit("calls", &json!({}), &["Client"], 2)])).await;
    let call = get(Era::Modern, &world.token());
    for _ in 0..2 {
        world.passed(Wire::Http1, &call).await;
    }
    let another = limit("another", &json!({}), &["Subject"], 5);
    world.sidecar.config.change(|config| set(config, &[limit("calls", &json!({}), &["Client"], 2), another]));
    let mut stranger = 0;
    eventually("the new limit holds", async || {
        stranger += 1;
        let token = world.issuer.token().client(&format!("client {stranger}")).mint();
        world.send(Wire::Http1, &get(Era::Modern, &token)).await.header("ratelimit").contains("standard/another")
    })
    .await;
    let (reply, _) = world.refused(Wire::Http1, &call, &Refusal::new(429, Reason::RateLimited).answering()).await;
    assert_eq!(standing(&reply, "standard/calls").0, 0);
    world.end();
}

#[tokio::test]
async fn calls_that_are_refused_for_other_reasons_are_not_charged() {
    let world = World::with(|config| set(config, &[limit("calls", &json!({}), &["Client"], 1)])).await;
    for (wire, era) in CELLS {
        let denied = Refusal::new(403, Reason::NoRuleMatched).answering();
        world.refused(wire, &Call::tool(era, "drop_table").token(&world.token()), &denied).await;
    }
    world.passed(Wire::Http1, &get(Era::Modern, &world.token())).await;
    world.end();
}

#[tokio::test]
async fn of_many_calls_at_once_exactly_the_burst_passes() {
    let world = World::with(|config| set(config, &[limit("calls", &json!({}), &["Client"], 10)])).await;
    let call = get(Era::Modern, &world.token());
    let replies = join_all((0..60).map(|index| world.send(Wire::ALL[index % 2], &call))).await;
    let passed = replies.iter().filter(|reply| reply.status == StatusCode::OK).count();
    let limited = replies.iter().filter(|reply| reply.status == StatusCode::TOO_MANY_REQUESTS).count();
    assert_eq!((passed, limited, world.upstream.count()), (10, 50, 10));
    world.sidecar.records.wait_for(60).await;
    world.end();
}

#[tokio::test]
async fn asking_without_a_token_is_no_failed_authentication() {
    let world = World::start().await;
    for index in 0..250 {
        let reply = world.send(Wire::ALL[index % 2], &Call::tool(Era::Modern, "get_product")).await;
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED, "request {index}");
    }
    world.passed(Wire::Http1, &get(Era::Modern, &world.token())).await;
    world.end();
}

#[tokio::test]
async fn calls_in_flight_are_bounded_and_their_slots_come_back() {
    let world = World::with(|config| config.process.http.max_in_flight = 1).await;
    let call = get(Era::Modern, &world.token());
    for wire in Wire::ALL {
        let (answer, tap) = Answer::stream("text/event-stream");
        world.upstream.next(answer);
        let opened = world.open(wire, &call).await;
        let refusal = Refusal::new(503, Reason::ConcurrencyLimited);
        let (reply, _) = world.refused(wire, &call, &refusal).await;
        assert_eq!(reply.header("retry-after"), "1");
        let records = world.sidecar.records.count();
        drop(opened);
        tap.gone().await;
        world.sidecar.records.wait_for(records + 1).await;
        world.passed(wire, &call).await;
    }
    world.end();
}

#[tokio::test]
async fn a_flood_of_junk_from_an_address_locks_out_nobody_behind_it() {
    let world = World::start().await;
    world.passed(Wire::Http1, &get(Era::Modern, &world.token())).await;
    let junk = get(Era::Modern, "junk");
    for _ in 0..12 {
        join_all((0..100).map(|_| world.send(Wire::Http1, &junk))).await;
    }
    let reply = world.send(Wire::Http1, &get(Era::Modern, &world.issuer.token().subject("bob").mint())).await;
    assert_eq!(reply.status, StatusCode::OK);
}
