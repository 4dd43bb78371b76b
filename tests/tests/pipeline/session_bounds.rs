//! How many sessions and streams a caller, and all callers, may have.

use http::StatusCode;
use serde_json::json;
use tollward_policy::config::{AuthConfig, SessionBounds};
use tollward_policy::operation::Era;
use tollward_policy::reason::Reason;
use tollward_tests::client::{Opened, Wire};
use tollward_tests::deadline::{eventually, within};
use tollward_tests::mcp::Call;
use tollward_tests::upstream::{Answer, Tap, event};
use tollward_tests::world::{CELLS, Refusal, World};

const BOUNDS: SessionBounds =
    SessionBounds { max_sessions_per_client: 2, max_sessions: 3, max_streams_per_client: 2, max_streams: 3 };
/// What is promised for a session that nobody uses, in seconds.
const IDLE: i64 = 15 * 60;

async fn bounded() -> World {
    World::with(|config| config.routes[0].session.bounds = BOUNDS).await
}

fn own() -> Refusal {
    Refusal::new(429, Reason::SessionsLimited)
}

fn of_all() -> Refusal {
    Refusal::new(503, Reason::SessionsExhausted)
}

fn token(world: &World, subject: &str) -> String {
    world.issuer.token().subject(subject).mint()
}

async fn begin(world: &World, wire: Wire, token: &str) -> String {
    let (reply, _) = world.passed(wire, &Call::initialize().token(token)).await;
    reply.header("mcp-session-id").to_owned()
}

fn call(token: &str, session: &str) -> Call {
    Call::tool(Era::Legacy, "get_product").token(token).session(session)
}

#[tokio::test]
async fn a_client_that_begins_too_many_sessions_is_refused_and_others_are_not() {
    for wire in Wire::ALL {
        let world = bounded().await;
        let (alice, bob) = (token(&world, "alice"), token(&world, "bob"));
        let first = begin(&world, wire, &alice).await;
        let second = begin(&world, wire, &alice).await;
        let initialize = Call::initialize().token(&alice);
        for _ in 0..20 {
            let (reply, _) = world.refused(wire, &initialize, &own().answering()).await;
            assert_eq!(reply.header("retry-after"), "30");
        }
        let his = begin(&world, wire, &bob).await;
        world.refused(wire, &Call::initialize().token(&bob), &of_all().answering()).await;
        world.refused(wire, &Call::initialize().token(&token(&world, "carol")), &of_all().answering()).await;
        // Nobody was pushed out, and a call needs no further place.
        for (token, session) in [(&alice, &first), (&alice, &second), (&bob, &his)] {
            world.passed(wire, &call(token, session)).await;
        }
        world.passed(wire, &Call::tool(Era::Legacy, "get_product").token(&alice)).await;
        // One that was ended makes room.
        world.passed(wire, &Call::end_session().token(&alice).session(&first)).await;
        begin(&world, wire, &alice).await;
        world.refused(wire, &initialize, &own().answering()).await;
        // So does one that the MCP server does not know any more.
        world.upstream.next(Answer::typed(StatusCode::NOT_FOUND, "application/json", "{}"));
        assert_eq!(world.send(wire, &call(&alice, &second)).await.status, StatusCode::NOT_FOUND);
        begin(&world, wire, &alice).await;
        world.end();
    }
}

#[tokio::test]
async fn a_session_that_nobody_uses_gives_its_place_back_and_takes_one_when_it_is_used_again() {
    let world = bounded().await;
    let wire = Wire::Http1;
    let alice = || token(&world, "alice");
    let (first, second) = (begin(&world, wire, &alice()).await, begin(&world, wire, &alice()).await);
    world.clock.advance(IDLE - 1);
    world.passed(wire, &call(&alice(), &first)).await;
    world.clock.advance(2);
    begin(&world, wire, &alice()).await;
    world.refused(wire, &Call::initialize().token(&alice()), &own().answering()).await;
    // The unused one lives, but there is no room for it now.
    world.refused(wire, &call(&alice(), &second), &own().answering()).await;
    world.clock.advance(IDLE + 1);
    world.passed(wire, &call(&alice(), &second)).await;
    world.end();
}

#[tokio::test]
async fn an_initialize_that_begins_no_session_keeps_no_place() {
    let world = bounded().await;
    for wire in Wire::ALL {
        for _ in 0..5 {
            world.upstream.next(Answer::json(&json!({"jsonrpc": "2.0", "id": 1, "result": {}})));
            world.passed(wire, &Call::initialize().token(&token(&world, "alice"))).await;
            world.upstream.next(
                Answer::typed(StatusCode::INTERNAL_SERVER_ERROR, "application/json", "{}").with("mcp-session-id", "x"),
            );
            world.send(wire, &Call::initialize().token(&token(&world, "alice"))).await;
        }
    }
    world.end();
}

/// A stream without an end of its own.
async fn open(world: &World, wire: Wire, era: Era, token: &str) -> (Opened, Tap) {
    let (answer, tap) = Answer::stream("text/event-stream");
    world.upstream.next(answer);
    let opened = world.open(wire, &listening(era, token)).await;
    assert_eq!(opened.status, StatusCode::OK);
    (opened, tap)
}

fn listening(era: Era, token: &str) -> Call {
    match era {
        Era::Legacy => Call::listen().token(token),
        Era::Modern => {
            Call::rpc(era, "subscriptions/listen", json!({"notifications": {"toolsListChanged": true}})).token(token)
        }
    }
}

#[tokio::test]
async fn streams_are_bounded_for_each_client_and_for_all_and_come_back_when_they_end() {
    for (wire, era) in CELLS {
        let world = bounded().await;
        let answering = |refusal: Refusal| match era {
            Era::Legacy => refusal,
            Era::Modern => refusal.answering(),
        };
        let (alice, bob) = (token(&world, "alice"), token(&world, "bob"));
        let mut hers = vec![open(&world, wire, era, &alice).await, open(&world, wire, era, &alice).await];
        world.refused(wire, &listening(era, &alice), &answering(own())).await;
        let _his = open(&world, wire, era, &bob).await;
        world.refused(wire, &listening(era, &bob), &answering(of_all())).await;
        // Calls are no streams.
        world.passed(wire, &Call::tool(era, "get_product").token(&alice)).await;
        let (stream, tap) = hers.pop().unwrap();
        drop(stream);
        within("the stream is let go", tap.gone()).await;
        let (answer, tap) = Answer::stream("text/event-stream");
        world.upstream.next(answer);
        eventually("her place is free", async || {
            let mut opened = world.open(wire, &listening(era, &bob)).await;
            let is_open = opened.status == StatusCode::OK;
            if is_open {
                tap.send(event(&json!({"jsonrpc": "2.0", "method": "notifications/message"}))).await;
                assert!(opened.event().await.is_some());
            }
            is_open
        })
        .await;
    }
}

#[tokio::test]
async fn callers_without_tokens_are_told_apart_by_address_and_bounded_all_the_same() {
    let world = World::with(|config| {
        config.routes[0].session.bounds = BOUNDS;
        config.routes[0].auth = AuthConfig::None {};
    })
    .await;
    for _ in 0..2 {
        world.passed(Wire::Http1, &Call::initialize()).await;
    }
    world.refused(Wire::Http1, &Call::initialize(), &own().answering()).await;
    world.end();
}

#[tokio::test]
async fn a_change_of_configuration_forgets_no_session() {
    let mut world = bounded().await;
    let alice = token(&world, "alice");
    let wire = Wire::Http2;
    begin(&world, wire, &alice).await;
    begin(&world, wire, &alice).await;
    world.sidecar.config.change(|config| config.routes[0].session.bounds.max_sessions_per_client = 3);
    eventually("there is room for one more", async || {
        world.send(wire, &Call::initialize().token(&alice)).await.status == StatusCode::OK
    })
    .await;
    world.refused(wire, &Call::initialize().token(&alice), &own().answering()).await;
}
