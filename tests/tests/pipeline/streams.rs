//! Answers that come bit by bit: nothing is held back, and both ends learn at once when the other is gone.

use http::StatusCode;
use serde_json::json;
use std::time::Duration;
use tollward_policy::operation::Era;
use tollward_policy::reason::Reason;
use tollward_sidecar::audit::Ended;
use tollward_tests::client::{Connection, Wire};
use tollward_tests::deadline::{within, within_time};
use tollward_tests::mcp::Call;
use tollward_tests::upstream::{Answer, event};
use tollward_tests::world::{CELLS, World};

const SECOND: Duration = Duration::from_secs(1);

fn call(world: &World, era: Era) -> Call {
    Call::tool(era, "get_product").token(&world.token())
}

fn progress(number: u32) -> String {
    event(&json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progress": number}}))
}

#[tokio::test]
async fn each_event_arrives_while_the_mcp_server_holds_the_next() {
    let world = World::start().await;
    for (wire, era) in CELLS {
        let (answer, tap) = Answer::stream("text/event-stream");
        world.upstream.next(answer.with("x-accel-buffering", "no"));
        let records = world.sidecar.records.count();
        let mut opened = world.open(wire, &call(&world, era)).await;
        assert_eq!((opened.status, opened.header("x-accel-buffering")), (StatusCode::OK, "no"));
        for number in 0..5 {
            tap.send(progress(number)).await;
            let seen = within("the event arrives", opened.event()).await.unwrap();
            assert_eq!(seen, progress(number).trim_end());
        }
        assert_eq!(world.sidecar.records.count(), records, "the record waits for the end");
        tap.send(event(&json!({"jsonrpc": "2.0", "id": 1, "error": {"code": -32000, "message": "late"}}))).await;
        drop(tap);
        assert!(opened.event().await.is_some() && opened.event().await.is_none());
        let outcome = world.sidecar.records.wait_for(records + 1).await.outcome.unwrap();
        assert_eq!((outcome.ended, outcome.rpc_code), (Ended::Complete, Some(-32000)));
    }
    world.end();
}

#[tokio::test]
async fn a_filtered_list_is_not_held_back_either() {
    let world = World::start().await;
    for (wire, era) in CELLS {
        let (answer, tap) = Answer::stream("text/event-stream");
        world.upstream.next(answer);
        let list = Call::rpc(era, "tools/list", json!({})).token(&world.token());
        let mut opened = world.open(wire, &list).await;
        tap.send(": keep-alive\n\n").await;
        let comment = within("the comment arrives", opened.piece()).await.unwrap().unwrap();
        assert!(comment.starts_with(b": keep-alive\n"), "{comment:?}");
        tap.send(progress(1)).await;
        let seen = within("the event arrives", opened.event()).await.unwrap();
        assert!(seen.contains("notifications/progress"), "{seen}");
    }
    world.end();
}

#[tokio::test]
async fn a_client_that_leaves_during_an_answer_is_noticed_by_the_mcp_server_within_a_second() {
    let world = World::start().await;
    for (wire, era) in CELLS {
        for media in ["text/event-stream", "application/json"] {
            let (answer, tap) = Answer::stream(media);
            world.upstream.next(answer);
            let records = world.sidecar.records.count();
            let mut opened = world.open(wire, &call(&world, era)).await;
            tap.send(progress(1)).await;
            opened.piece().await.unwrap().unwrap();
            drop(opened);
            within_time(SECOND, "the MCP server learns that the client left", tap.gone()).await;
            let record = world.sidecar.records.wait_for(records + 1).await;
            assert_eq!((record.decision.reason, record.decision.allowed), (Reason::ClientGone, true));
            let outcome = record.outcome.unwrap();
            assert_eq!((outcome.ended, outcome.status), (Ended::ClientGone, Some(200)));
        }
    }
    world.end();
}

#[tokio::test]
async fn a_client_that_leaves_before_an_answer_is_noticed_within_a_second() {
    let world = World::start().await;
    for (wire, era) in CELLS {
        let (answer, mut decision) = Answer::later();
        world.upstream.next(answer);
        let (calls, records) = (world.upstream.count(), world.sidecar.records.count());
        let mut connection = Connection::plain(wire, world.sidecar.public).await;
        tokio::select! {
            _ = connection.send(call(&world, era).request(wire)) => panic!("there is no answer"),
            () = world.upstream.received(calls + 1) => {}
        }
        drop(connection);
        within_time(SECOND, "the MCP server learns that the client left", decision.gone()).await;
        let record = world.sidecar.records.wait_for(records + 1).await;
        assert_eq!(record.decision.reason, Reason::ClientGone);
        let outcome = record.outcome.unwrap();
        assert_eq!((outcome.ended, outcome.status), (Ended::ClientGone, None));
    }
    world.end();
}

#[tokio::test]
async fn one_stream_of_an_http2_connection_that_is_reset_takes_no_other_with_it() {
    let world = World::start().await;
    let mut connection = Connection::plain(Wire::Http2, world.sidecar.public).await;
    let (first, first_tap) = Answer::stream("text/event-stream");
    let (second, second_tap) = Answer::stream("text/event-stream");
    world.upstream.next(first);
    let one = connection.send(call(&world, Era::Modern).request(Wire::Http2)).await.unwrap();
    world.upstream.next(second);
    let mut other = connection.send(call(&world, Era::Modern).request(Wire::Http2)).await.unwrap();
    drop(one);
    within_time(SECOND, "the MCP server learns of the reset", first_tap.gone()).await;
    second_tap.send(progress(1)).await;
    assert!(within("the other goes on", other.event()).await.is_some());
    world.end();
}

/// Streams without an end of their own: by GET in the legacy era, by `subscriptions/listen` in the modern one.
fn open_ended(era: Era, token: &str) -> Call {
    match era {
        Era::Legacy => Call::listen().token(token),
        Era::Modern => {
            Call::rpc(era, "subscriptions/listen", json!({"notifications": {"toolsListChanged": true}})).token(token)
        }
    }
}

#[tokio::test]
async fn an_open_ended_stream_ends_when_its_token_does() {
    let world = World::start().await;
    for (wire, era) in CELLS {
        let (answer, tap) = Answer::stream("text/event-stream");
        world.upstream.next(answer);
        let records = world.sidecar.records.count();
        let token = world.issuer.token().with_claim("exp", world.issuer.now() + 2).mint();
        let mut opened = world.open(wire, &open_ended(era, &token)).await;
        tap.send(progress(1)).await;
        assert!(opened.event().await.is_some());
        let rest = within_time(Duration::from_secs(5), "the stream ends with the token", opened.piece()).await;
        assert!(rest.is_none(), "{wire:?} {era:?}: it ends cleanly: {rest:?}");
        within_time(SECOND, "the MCP server is let go", tap.gone()).await;
        let record = world.sidecar.records.wait_for(records + 1).await;
        assert_eq!(record.outcome.unwrap().ended, Ended::TokenExpired);
    }
    world.end();
}

#[tokio::test]
async fn a_stream_that_never_pauses_ends_with_its_token_too() {
    let world = World::start().await;
    for (wire, era) in CELLS {
        let (answer, tap) = Answer::stream("text/event-stream");
        world.upstream.next(answer);
        let token = world.issuer.token().with_claim("exp", world.issuer.now() + 2).mint();
        let mut opened = world.open(wire, &open_ended(era, &token)).await;
        let talking = tokio::spawn(async move { while tap.offer(progress(1).repeat(200)).await {} });
        let reading = async { while let Some(Ok(_)) = opened.piece().await {} };
        within_time(Duration::from_secs(5), "the stream ends with the token", reading).await;
        within("the MCP server is let go", talking).await.unwrap();
    }
    world.end();
}

#[tokio::test]
async fn a_call_that_was_let_through_is_answered_although_its_token_expires_meanwhile() {
    let world = World::start().await;
    for (wire, era) in CELLS {
        let (answer, tap) = Answer::stream("text/event-stream");
        world.upstream.next(answer);
        let token = world.issuer.token().with_claim("exp", world.issuer.now() + 60).mint();
        let mut opened = world.open(wire, &Call::tool(era, "get_product").token(&token)).await;
        world.clock.advance(120);
        tap.send(progress(1)).await;
        assert!(within("the event arrives", opened.event()).await.is_some());
    }
    world.end();
}

#[tokio::test]
async fn a_client_that_leaves_with_its_response_in_hand_cut_nothing_short() {
    let world = World::start().await;
    for (wire, era) in CELLS {
        let (answer, tap) = Answer::stream("text/event-stream");
        world.upstream.next(answer);
        let records = world.sidecar.records.count();
        let mut opened = world.open(wire, &call(&world, era)).await;
        tap.send(event(&json!({"jsonrpc": "2.0", "id": 1, "result": {"content": [], "isError": true}}))).await;
        within("the response arrives", opened.event()).await.unwrap();
        drop(opened);
        let record = world.sidecar.records.wait_for(records + 1).await;
        let outcome = record.outcome.unwrap();
        assert_eq!(
            (record.decision.reason, outcome.ended, outcome.tool_error),
            (Reason::Allowed, Ended::Complete, true)
        );
        drop(tap);
    }
    world.end();
}
