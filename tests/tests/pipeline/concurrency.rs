//! How many at once, by caller: places are taken when a call is let through and given back however it ends.

use http::StatusCode;
use serde_json::{Value, json};
use tollward_policy::config::SidecarConfig;
use tollward_policy::operation::Era;
use tollward_policy::reason::Reason;
use tollward_tests::client::Wire;
use tollward_tests::deadline::eventually;
use tollward_tests::mcp::Call;
use tollward_tests::upstream::{Answer, event};
use tollward_tests::world::{CELLS, Refusal, World};

fn set(config: &mut SidecarConfig, counts: &str, open: u32) {
    let limit = json!({"name": "at-once", "counts": counts, "match": {}, "per": ["Client"], "tiers": {"basic": open}});
    let policy = json!({"policy": "standard", "tiers": {"default": "basic"}, "concurrency": [limit]});
    config.routes[0].rate_limits = vec![serde_json::from_value(policy).expect("a policy of the right shape")];
}

fn limited() -> Refusal {
    Refusal::new(429, Reason::RateLimited).answering()
}

fn whole() -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "result": {"content": []}})
}

/// The place is back once a call passes. The call before ends a moment after its client has seen the end.
async fn passes_again(world: &World, wire: Wire, call: &Call) {
    eventually("the place is free again", async || world.send(wire, call).await.status == StatusCode::OK).await;
}

#[tokio::test]
async fn a_caller_has_its_places_and_no_more_while_others_have_theirs() {
    for (wire, era) in CELLS {
        let world = World::with(|config| set(config, "Calls", 2)).await;
        let call = Call::tool(era, "get_product").token(&world.token());
        let (answer, first) = Answer::stream("text/event-stream");
        world.upstream.next(answer);
        let mut opened = world.open(wire, &call).await;
        assert_eq!(opened.header("ratelimit-policy"), "\"standard/at-once\";q=2;qu=\"concurrent-requests\"");
        assert_eq!(opened.header("ratelimit"), "\"standard/at-once\";r=1");
        let (answer, _second) = Answer::stream("application/json");
        world.upstream.next(answer);
        let _other = world.open(wire, &call).await;
        let (reply, record) = world.refused(wire, &call, &limited()).await;
        assert_eq!((reply.header("retry-after"), reply.header("ratelimit")), ("1", "\"standard/at-once\";r=0;t=1"));
        let data = reply.json()["error"]["data"].clone();
        assert_eq!((&data["limit"], &data["remaining"]), (&json!("standard/at-once"), &json!(0)));
        assert!(record.limits[0].exceeded && record.limits[0].window_seconds.is_none(), "{record:#?}");
        let bob = Call::tool(era, "get_product").token(&world.issuer.token().client("client-2").mint());
        world.passed(wire, &bob).await;
        first.send(event(&whole())).await;
        drop(first);
        while opened.event().await.is_some() {}
        passes_again(&world, wire, &call).await;
        world.end();
    }
}

#[tokio::test]
async fn a_place_comes_back_when_the_client_leaves_and_when_the_mcp_server_fails() {
    for (wire, era) in CELLS {
        let world = World::with(|config| set(config, "Calls", 1)).await;
        let call = Call::tool(era, "get_product").token(&world.token());
        // The client leaves in the middle of the answer.
        let (answer, tap) = Answer::stream("text/event-stream");
        world.upstream.next(answer);
        let opened = world.open(wire, &call).await;
        world.refused(wire, &call, &limited()).await;
        drop(opened);
        tap.gone().await;
        passes_again(&world, wire, &call).await;
        // The MCP server breaks its answer off.
        let (answer, tap) = Answer::stream("application/json");
        world.upstream.next(answer);
        let opened = world.open(wire, &call).await;
        tap.cut().await;
        assert!(opened.whole().await.is_err());
        passes_again(&world, wire, &call).await;
        // It gives none.
        world.upstream.next(Answer::Cut);
        assert_eq!(world.send(wire, &call).await.status, StatusCode::BAD_GATEWAY);
        passes_again(&world, wire, &call).await;
        world.end();
    }
}

#[tokio::test]
async fn a_client_that_leaves_before_there_is_an_answer_leaves_its_place() {
    let world = World::with(|config| set(config, "Calls", 1)).await;
    let call = Call::tool(Era::Modern, "get_product").token(&world.token());
    for wire in Wire::ALL {
        let (answer, mut decision) = Answer::later();
        world.upstream.next(answer);
        let count = world.upstream.count();
        {
            let waiting = world.open(wire, &call);
            tokio::pin!(waiting);
            tokio::select! {
                _ = &mut waiting => panic!("nobody has answered"),
                () = eventually("the call is there", async || world.upstream.count() > count) => {}
            }
            world.refused(wire, &call, &limited()).await;
        }
        decision.gone().await;
        passes_again(&world, wire, &call).await;
    }
    world.end();
}

#[tokio::test]
async fn streams_have_places_of_their_own() {
    let world = World::with(|config| set(config, "Streams", 1)).await;
    let listen = Call::listen().token(&world.token());
    for wire in Wire::ALL {
        let (answer, tap) = Answer::stream("text/event-stream");
        world.upstream.next(answer);
        let opened = world.open(wire, &listen).await;
        assert_eq!(opened.header("ratelimit"), "\"standard/at-once\";r=0");
        world.refused(wire, &listen, &Refusal::new(429, Reason::RateLimited)).await;
        let (reply, _) = world.passed(wire, &Call::tool(Era::Modern, "get_product").token(&world.token())).await;
        assert_eq!(reply.header("ratelimit"), "", "a call is no stream");
        drop(opened);
        tap.gone().await;
        eventually("the place is free again", async || {
            let (answer, tap) = Answer::stream("text/event-stream");
            world.upstream.next(answer);
            let status = world.open(wire, &listen).await.status;
            drop(tap);
            status == StatusCode::OK
        })
        .await;
    }
}
