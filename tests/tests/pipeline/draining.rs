//! The end of a process: what was let through is finished, what has no end of its own is ended.

use serde_json::json;
use tokio::net::TcpStream;
use tollward_policy::operation::Era;
use tollward_sidecar::audit::Ended;
use tollward_tests::client::{Connection, Wire};
use tollward_tests::deadline::{eventually, within};
use tollward_tests::mcp::Call;
use tollward_tests::upstream::{Answer, event};
use tollward_tests::world::{CELLS, World};

#[tokio::test]
async fn a_call_in_flight_is_answered_and_then_the_process_ends() {
    for (wire, era) in CELLS {
        let mut world = World::start().await;
        let (answer, decision) = Answer::later();
        world.upstream.next(answer);
        let call = Call::tool(era, "get_product").token(&world.token());
        let (public, request) = (world.sidecar.public, call.request(wire));
        let waiting = tokio::spawn(async move {
            let opened = Connection::plain(wire, public).await.send_only(request).await.expect("an answer begins");
            opened.whole().await.expect("an answer ends")
        });
        world.upstream.received(1).await;
        let drained = tokio::spawn(world.sidecar.drain());
        eventually("probes tell that it ends", async || world.sidecar.probe("/readyz").await.text().contains("ending"))
            .await;
        eventually("no new connection is accepted", async || TcpStream::connect(public).await.is_err()).await;
        decision.give(Answer::json(&json!({"jsonrpc": "2.0", "id": 1, "result": {"late": true}})));
        let reply = within("the answer comes", waiting).await.unwrap();
        assert_eq!((reply.status.as_u16(), reply.json()["result"]["late"].clone()), (200, json!(true)));
        within("the process ends", drained).await.unwrap();
        let record = world.sidecar.records.wait_for(1).await;
        assert_eq!(record.outcome.unwrap().ended, Ended::Complete);
        world.end();
    }
}

#[tokio::test]
async fn streams_without_an_end_are_ended_cleanly() {
    for (wire, era) in CELLS {
        let mut world = World::start().await;
        let (answer, tap) = Answer::stream("text/event-stream");
        world.upstream.next(answer);
        let call = match era {
            Era::Legacy => Call::listen(),
            Era::Modern => Call::rpc(era, "subscriptions/listen", json!({"notifications": {"toolsListChanged": true}})),
        };
        let mut opened = world.open(wire, &call.token(&world.token())).await;
        tap.send(event(&json!({"jsonrpc": "2.0", "method": "notifications/message"}))).await;
        assert!(within("the event arrives", opened.event()).await.is_some());
        let drained = tokio::spawn(world.sidecar.drain());
        let rest = within("the stream ends", opened.piece()).await;
        assert!(rest.is_none(), "{wire:?} {era:?}: it ends cleanly: {rest:?}");
        within("the MCP server is let go", tap.gone()).await;
        drop(opened);
        within("the process ends", drained).await.unwrap();
        let record = world.sidecar.records.wait_for(1).await;
        assert_eq!(record.outcome.unwrap().ended, Ended::Draining);
        world.end();
    }
}

#[tokio::test]
async fn an_idle_connection_does_not_delay_the_end() {
    for wire in Wire::ALL {
        let mut world = World::start().await;
        let mut connection = Connection::plain(wire, world.sidecar.public).await;
        let call = Call::tool(Era::Modern, "get_product").token(&world.token());
        connection.send(call.request(wire)).await.unwrap().whole().await.unwrap();
        let drained = tokio::spawn(world.sidecar.drain());
        within("the connection is closed", connection.closed()).await;
        within("the process ends", drained).await.unwrap();
        world.end();
    }
}

#[tokio::test]
async fn a_call_that_takes_too_long_does_not_hold_the_process_for_ever() {
    let mut world = World::with(|config| config.process.drain_seconds = 1).await;
    let (answer, _decision) = Answer::later();
    world.upstream.next(answer);
    let call = Call::tool(Era::Modern, "get_product").token(&world.token());
    let mut connection = Connection::plain(Wire::Http1, world.sidecar.public).await;
    let waiting = connection.send(call.request(Wire::Http1));
    let ended = async {
        world.upstream.received(1).await;
        world.sidecar.drain().await;
    };
    tokio::select! {
        _ = waiting => {}
        () = ended => {}
    }
}
