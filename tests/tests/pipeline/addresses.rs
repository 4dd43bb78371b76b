//! What one address may send before it is known who calls.

use http::{Method, StatusCode};
use serde_json::{Value, json};
use tollward_policy::config::SidecarConfig;
use tollward_policy::operation::Era;
use tollward_policy::reason::Reason;
use tollward_tests::client::Wire;
use tollward_tests::mcp::Call;
use tollward_tests::world::{CELLS, Refusal, World};

fn set(config: &mut SidecarConfig, before: &Value) {
    let policy = json!({"policy": "door", "tiers": {"default": "basic"}, "beforeAuthentication": before});
    config.routes[0].rate_limits = vec![serde_json::from_value(policy).expect("a policy of the right shape")];
}

/// `burst` at once, refilled so slowly that no test sees it.
fn rate(burst: u32) -> Value {
    json!({"requests": burst + 1, "windowSeconds": 86_400, "burst": burst})
}

fn get(era: Era, token: &str) -> Call {
    Call::tool(era, "get_product").token(token)
}

#[tokio::test]
async fn an_address_that_failed_too_often_is_refused_before_its_token_is_looked_at() {
    for (wire, era) in CELLS {
        let world = World::with(|config| set(config, &json!({"failures": rate(3)}))).await;
        world.passed(wire, &get(era, &world.token())).await;
        for _ in 0..5 {
            let first = Refusal::new(401, Reason::CredentialsMissing).challenge("");
            world.refused(wire, &Call::tool(era, "get_product"), &first).await;
        }
        let forged = world.issuer.token().with_claim("exp", 1).mint();
        for (number, token) in ["junk", "a.b.c", forged.as_str()].into_iter().enumerate() {
            let reply = world.send(wire, &get(era, token)).await;
            assert_eq!(reply.status, StatusCode::UNAUTHORIZED, "failure {number}: {}", reply.text());
        }
        for token in ["junk", world.token().as_str()] {
            let refusal = Refusal::new(429, Reason::RateLimited);
            let (reply, record) = world.refused(wire, &get(era, token), &refusal).await;
            assert_eq!(reply.header("ratelimit-policy"), "\"door/failed-authentication\";q=4;w=86400");
            let wait: u64 = reply.header("retry-after").parse().unwrap();
            assert!((86_000..=86_400).contains(&wait), "{wait}");
            assert!(record.caller.is_none() && record.limits[0].exceeded, "{record:#?}");
        }
        let metadata = Call::bare(Method::GET, "/.well-known/oauth-protected-resource/shop/mcp");
        assert_eq!(world.send(wire, &metadata).await.status, StatusCode::OK, "metadata is for everybody");
    }
}

#[tokio::test]
async fn an_address_has_a_budget_of_requests_whatever_comes_of_them() {
    for (wire, era) in CELLS {
        let world = World::with(|config| set(config, &json!({"requests": rate(4)}))).await;
        let (reply, record) = world.passed(wire, &get(era, &world.token())).await;
        assert_eq!(reply.header("ratelimit").split(';').nth(1), Some("r=3"));
        assert_eq!((record.limits[0].limit.as_str(), record.limits[0].remaining), ("door/before-authentication", 3));
        let reply = world.send(wire, &Call::tool(era, "get_product")).await;
        assert_eq!(
            (reply.status, reply.header("ratelimit").split(';').nth(1)),
            (StatusCode::UNAUTHORIZED, Some("r=2"))
        );
        assert_eq!(world.send(wire, &get(era, "junk")).await.status, StatusCode::UNAUTHORIZED);
        let denied = Call::tool(era, "drop_table").token(&world.token());
        world.refused(wire, &denied, &Refusal::new(403, Reason::NoRuleMatched).answering()).await;
        let spoofed =
            get(era, &world.token()).header("x-forwarded-for", "198.51.100.7").header("forwarded", "for=192.0.2.9");
        let (reply, _) = world.refused(wire, &spoofed, &Refusal::new(429, Reason::RateLimited)).await;
        assert_eq!(reply.json()["error"]["data"]["limit"], "door/before-authentication");
    }
}

#[tokio::test]
async fn of_many_requests_at_once_exactly_the_burst_reaches_authentication() {
    let world = World::with(|config| set(config, &json!({"requests": rate(10)}))).await;
    let call = get(Era::Modern, &world.token());
    let sent = (0..60).map(|index| world.send(Wire::ALL[index % 2], &call));
    let replies = futures_util::future::join_all(sent).await;
    let passed = replies.iter().filter(|reply| reply.status == StatusCode::OK).count();
    assert_eq!((passed, world.upstream.count()), (10, 10));
}
