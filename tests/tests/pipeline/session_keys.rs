//! Session keys that are replaced: what was sealed by the ones before is opened, what is older is not.

use http::StatusCode;
use serde_json::json;
use tollward_policy::config::{SessionKey, SidecarConfig};
use tollward_policy::operation::Era;
use tollward_policy::reason::Reason;
use tollward_tests::client::{Connection, Reply, Wire};
use tollward_tests::config::ConfigFile;
use tollward_tests::deadline::{eventually, within};
use tollward_tests::issuer::Health;
use tollward_tests::mcp::Call;
use tollward_tests::sidecar::Sidecar;
use tollward_tests::upstream::{Answer, RAW_SESSION};
use tollward_tests::world::World;

/// The keys of a pod as the operator gives them: of its epoch, the one before and the one after.
fn keys(config: &mut SidecarConfig, file: &ConfigFile, epoch: u8) {
    let key = |id: u8, epoch: u8| SessionKey {
        id,
        file: file.beside(&format!("session-{id}-{epoch}.key"), &char::from(b'A' + epoch).to_string().repeat(32)),
    };
    config.routes[0].session.keys = vec![key(0, epoch), key(1, epoch - 1), key(2, epoch + 1)];
}

/// A pod of that epoch beside the others.
async fn pod(world: &World, epoch: u8) -> Sidecar {
    let mut file = ConfigFile::new(world.sidecar.config.current().clone());
    let mut config = file.current().clone();
    keys(&mut config, &file, epoch);
    file.change(|current| *current = config);
    let sidecar = Sidecar::start(file, world.clock.clone()).await.expect("a pod starts");
    sidecar.ready().await;
    sidecar
}

async fn ask(sidecar: &Sidecar, wire: Wire, call: &Call) -> Reply {
    let opened = within("an answer", Connection::plain(wire, sidecar.public).await.send_only(call.request(wire)));
    opened.await.expect("an answer begins").whole().await.expect("an answer ends")
}

/// Begins a session and gives its id and that of an event in it.
async fn begin(world: &World, sidecar: &Sidecar, wire: Wire, token: &str) -> (String, String) {
    let session = ask(sidecar, wire, &Call::initialize().token(token)).await.header("mcp-session-id").to_owned();
    assert!(!session.is_empty());
    let text = format!("id: 7\ndata: {}\n\n", json!({"jsonrpc": "2.0", "method": "notifications/message"}));
    world.upstream.next(Answer::typed(StatusCode::OK, "text/event-stream", text));
    let stream = ask(sidecar, wire, &Call::listen().token(token).session(&session)).await.text();
    let event = stream.lines().next().unwrap().strip_prefix("id: ").unwrap().to_owned();
    (session, event)
}

/// Whether the session and the event are known there.
async fn knows(world: &World, sidecar: &Sidecar, wire: Wire, token: &str, (session, event): &(String, String)) -> bool {
    let tool = Call::tool(Era::Legacy, "get_product").token(token).session(session);
    let resumed = Call::listen().token(token).session(session).header("last-event-id", event);
    let before = world.upstream.count();
    let mut known = Vec::new();
    for call in [tool, resumed] {
        let reply = ask(sidecar, wire, &call).await;
        if reply.status == StatusCode::OK {
            assert!(world.upstream.last().header("mcp-session-id").starts_with(RAW_SESSION));
        } else {
            assert_eq!((reply.status.as_u16(), reply.reason().as_str()), (404, Reason::SessionUnknown.code()));
        }
        known.push(reply.status == StatusCode::OK);
    }
    assert_eq!(known[0], known[1], "what is of the session is known with it");
    assert_eq!(world.upstream.count() - before, if known[0] { 2 } else { 0 });
    known[0]
}

#[tokio::test]
async fn a_rotation_of_keys_ends_no_session_and_a_second_one_ends_those_of_the_first() {
    let world = World::cold(Health::Good, |config, file| keys(config, file, 4)).await;
    world.sidecar.ready().await;
    let (old, new, newest) = (&world.sidecar, pod(&world, 5).await, pod(&world, 6).await);
    for wire in Wire::ALL {
        let token = world.token();
        let before = begin(&world, old, wire, &token).await;
        let after = begin(&world, &new, wire, &token).await;
        // While pods roll, those of two epochs serve side by side.
        for (pod, session, known) in [
            (old, &before, true),
            (old, &after, true),
            (&new, &before, true),
            (&new, &after, true),
            (&newest, &after, true),
            (&newest, &before, false),
        ] {
            assert_eq!(knows(&world, pod, wire, &token, session).await, known, "{wire:?}");
        }
        // A jump over an epoch is for keys that somebody saw.
        let late = begin(&world, &newest, wire, &token).await;
        assert!(!knows(&world, old, wire, &token, &late).await);
    }
}

#[tokio::test]
async fn keys_on_file_are_replaced_without_a_new_process() {
    let mut world = World::cold(Health::Good, |config, file| keys(config, file, 4)).await;
    world.sidecar.ready().await;
    let (wire, token) = (Wire::Http1, world.token());
    let session = begin(&world, &world.sidecar, wire, &token).await;
    let call = Call::tool(Era::Modern, "get_product").token(&token);
    for (epoch, known) in [(5, true), (6, false)] {
        let before = world.passed(wire, &call).await.1.decision.policy_digest;
        let mut config = world.sidecar.config.current().clone();
        keys(&mut config, &world.sidecar.config, epoch);
        world.sidecar.config.change(|current| *current = config);
        eventually("the new keys are in force", async || {
            world.passed(wire, &call).await.1.decision.policy_digest != before
        })
        .await;
        assert_eq!(knows(&world, &world.sidecar, wire, &token, &session).await, known, "{epoch}");
    }
}
