//! A server that speaks standard input and output, behind its bridge: the sidecar reaches it by a Unix socket, through the same
//! pipeline.

use http::StatusCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tollward_bridge::{Bridge, Door, Launch, SessionMode, Settings, serve};
use tollward_policy::operation::Era;
use tollward_policy::reason::Reason;
use tollward_tests::client::Wire;
use tollward_tests::deadline::within;
use tollward_tests::mcp::Call;
use tollward_tests::world::{Refusal, World};

const SERVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../sidecar/bridge/tests/server.sh");

fn settings() -> Settings {
    Settings {
        launch: Launch { program: "sh".into(), arguments: vec![SERVER.into()], max_message_bytes: 1 << 20 },
        mode: SessionMode::PerSession,
        max_processes: 8,
        idle: Duration::from_mins(5),
        adopts: false,
        log: Arc::new(|_| ()),
    }
}

fn call(token: &str, session: &str) -> Call {
    Call::tool(Era::Legacy, "get_product").token(token).session(session)
}

#[tokio::test]
async fn sessions_behind_a_socket_are_sealed_and_each_is_a_process() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("mcp.sock");
    let door = Door::bind(&socket, Some(rustix::process::getuid().as_raw())).unwrap();
    let (ending, ended) = oneshot::channel();
    let served = tokio::spawn(serve(door, Bridge::new(settings()).unwrap(), async move { drop(ended.await) }));
    let world = World::with(|config| config.routes[0].upstream.socket = Some(socket.clone())).await;
    let mut pids = Vec::new();
    for wire in Wire::ALL {
        let token = world.token();
        let begun = world.send(wire, &Call::initialize().token(&token)).await;
        assert_eq!(begun.status, StatusCode::OK, "{}", begun.text());
        let session = begun.header("mcp-session-id").to_owned();
        let answers =
            [world.send(wire, &call(&token, &session)).await, world.send(wire, &call(&token, &session)).await];
        let texts = answers.map(|answer| answer.json()["result"]["content"][0]["text"].as_str().unwrap().to_owned());
        assert_eq!(texts[0], texts[1], "the session has one process");
        let other = world.issuer.token().subject("eve").mint();
        let foreign = Refusal::new(404, Reason::SessionUnknown).answering();
        world.refused(wire, &call(&other, &session), &foreign).await;
        let ended = world.send(wire, &Call::end_session().token(&token).session(&session)).await;
        assert_eq!(ended.status, StatusCode::OK);
        assert_eq!(world.send(wire, &call(&token, &session)).await.status, StatusCode::NOT_FOUND);
        pids.extend(texts);
    }
    pids.dedup();
    assert_eq!(pids.len(), Wire::ALL.len(), "each session has its own process");
    assert_eq!(world.upstream.count(), 0, "nothing goes to the URL's host");
    ending.send(()).unwrap();
    within("the bridge ends", served).await.unwrap();
    // Nobody is behind the socket any more.
    let gone = Refusal::new(502, Reason::UpstreamUnreachable).answering();
    world.failed(Wire::Http1, &Call::tool(Era::Modern, "get_product").token(&world.token()), &gone).await;
    world.end();
}

#[tokio::test]
async fn a_client_of_the_stateless_revision_learns_that_a_server_is_older() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("mcp.sock");
    let door = Door::bind(&socket, None).unwrap();
    let (ending, ended) = oneshot::channel();
    let served = tokio::spawn(serve(door, Bridge::new(settings()).unwrap(), async move { drop(ended.await) }));
    let world = World::with(|config| config.routes[0].upstream.socket = Some(socket.clone())).await;
    let answer = world.send(Wire::Http2, &Call::tool(Era::Modern, "get_product").token(&world.token())).await;
    assert_eq!((answer.status, answer.json()["error"]["code"].as_i64()), (StatusCode::BAD_REQUEST, Some(-32022)));
    ending.send(()).unwrap();
    within("the bridge ends", served).await.unwrap();
    world.end();
}
