//! Two callers at once, over one connection to the MCP server or to Tollward: nothing of the one reaches the other.

use serde_json::json;
use tollward_policy::operation::Era;
use tollward_policy::reason::Reason;
use tollward_tests::client::{Connection, Wire};
use tollward_tests::deadline::within;
use tollward_tests::mcp::Call;
use tollward_tests::upstream::{Answer, RAW_SESSION, event};
use tollward_tests::world::{CELLS, Refusal, World};

#[tokio::test]
async fn answers_to_two_callers_with_one_id_do_not_cross() {
    let world = World::start().await;
    for (wire, era) in CELLS {
        let mut decisions = Vec::new();
        let mut waiting = Vec::new();
        let before = world.upstream.count();
        for (number, subject) in ["alice", "bob", "carol"].into_iter().enumerate() {
            let (answer, decision) = Answer::later();
            world.upstream.next(answer);
            let token = world.issuer.token().subject(subject).mint();
            let request = Call::tool(era, "get_product").token(&token).request(wire);
            let connection = Connection::plain(wire, world.sidecar.public).await;
            waiting.push((subject, tokio::spawn(connection.send_only(request))));
            world.upstream.received(before + number + 1).await;
            decisions.push((subject, decision));
        }
        for (subject, decision) in decisions.into_iter().rev() {
            decision.give(Answer::json(&json!({"jsonrpc": "2.0", "id": 1, "result": {"for": subject}})));
        }
        for (subject, answer) in waiting {
            let opened = within("an answer", answer).await.unwrap().unwrap();
            assert_eq!(opened.whole().await.unwrap().json()["result"]["for"], subject, "{wire:?} {era:?}");
        }
    }
    world.end();
}

#[tokio::test]
async fn callers_on_one_connection_have_counts_and_traces_of_their_own() {
    let limit = json!({"name": "calls", "match": {}, "per": ["Subject"], "tiers": {"basic": {"requests": 10, "windowSeconds": 3600, "burst": 1}}});
    let policy = json!({"policy": "standard", "tiers": {"default": "basic"}, "limits": [limit]});
    let world =
        World::with(|config| config.routes[0].rate_limits = vec![serde_json::from_value(policy).unwrap()]).await;
    for wire in Wire::ALL {
        let mut connection = Connection::plain(wire, world.sidecar.public).await;
        let mut seen = Vec::new();
        let people = [format!("alice-{wire:?}"), format!("bob-{wire:?}")];
        for subject in [&people[0], &people[0], &people[1], &people[1]] {
            let token = world.issuer.token().subject(subject).mint();
            let records = world.sidecar.records.count();
            let call =
                Call::tool(Era::Modern, "get_product").token(&token).header("baggage", &format!("who={subject}"));
            let opened = connection.send(call.request(wire)).await.unwrap();
            seen.push(opened.status.as_u16());
            opened.whole().await.unwrap();
            let record = world.sidecar.records.wait_for(records + 1).await;
            assert!(serde_json::to_string(&record.caller).unwrap().contains(subject.as_str()));
        }
        assert_eq!(seen, [200, 429, 200, 429]);
        for (at, request) in world.upstream.requests().iter().rev().take(2).enumerate() {
            let other = &people[at];
            assert!(!format!("{:?}", request.headers).contains(other.as_str()), "{request:?}");
        }
    }
    world.end();
}

#[tokio::test]
async fn a_second_stream_of_a_session_takes_nothing_from_the_first_and_a_strangers_none() {
    let world = World::start().await;
    for wire in Wire::ALL {
        let (token, records) = (world.token(), world.sidecar.records.count());
        let (reply, _) = world.passed(wire, &Call::initialize().token(&token)).await;
        let id = reply.header("mcp-session-id").to_owned();
        let listen = |token: &str| Call::listen().token(token).session(&id);
        let (first, first_tap) = Answer::stream("text/event-stream");
        world.upstream.next(first);
        let mut first = world.open(wire, &listen(&token)).await;
        let (second, second_tap) = Answer::stream("text/event-stream");
        world.upstream.next(second);
        let mut second = world.open(wire, &listen(&token)).await;
        assert!(world.upstream.last().header("mcp-session-id").starts_with(RAW_SESSION));
        let before = world.upstream.count();
        let stranger = world.issuer.token().subject("mallory").mint();
        let reply = world.send(wire, &listen(&stranger)).await;
        assert_eq!((reply.status.as_u16(), reply.reason().as_str()), (404, "session_unknown"));
        assert_eq!(world.upstream.count(), before);
        for (tap, stream, number) in [(&first_tap, &mut first, 1), (&second_tap, &mut second, 2)] {
            let message = event(&json!({"jsonrpc": "2.0", "method": "notifications/message", "params": {"n": number}}));
            tap.send(message.clone()).await;
            assert_eq!(within("its own event", stream.event()).await.unwrap(), message.trim_end());
        }
        drop((first, second));
        // The beginning, the stranger, and both streams.
        world.sidecar.records.wait_for(records + 4).await;
    }
    world.end();
}

#[tokio::test]
async fn no_other_path_takes_a_session_from_the_query() {
    let world = World::start().await;
    for (wire, era) in CELLS {
        let call = Call::tool(era, "get_product").token(&world.token());
        for target in [
            "/messages?sessionId=1",
            "/sse",
            "/shop/mcp/messages?sessionId=1",
            "/shop/mcp/sse",
            "/message?session_id=1",
        ] {
            world.refused(wire, &call.clone().target(target), &Refusal::new(404, Reason::RouteNotFound)).await;
        }
    }
    world.end();
}
