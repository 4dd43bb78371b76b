//! Ids of events: a client goes on after an event of its own session, and nobody else does.

use http::header::CONTENT_LENGTH;
use serde_json::json;
use tollward_policy::operation::Era;
use tollward_policy::reason::Reason;
use tollward_tests::client::Wire;
use tollward_tests::mcp::Call;
use tollward_tests::upstream::{Answer, RAW_SESSION};
use tollward_tests::world::{CELLS, Refusal, World};

/// What an upstream's id looks like.
const RAW_EVENT: &str = "raw-event-stream-1_42";

async fn begin(world: &World, wire: Wire, token: &str) -> String {
    let (reply, _) = world.passed(wire, &Call::initialize().token(token)).await;
    reply.header("mcp-session-id").to_owned()
}

fn stream() -> Answer {
    Answer::typed(
        http::StatusCode::OK,
        "text/event-stream",
        format!("id: {RAW_EVENT}\r\ndata: \r\n\r\n: alive\r\nevent: message\r\ndata: {}\r\n\r\n", answer()),
    )
}

fn answer() -> String {
    json!({"jsonrpc": "2.0", "id": 1, "result": {"content": []}}).to_string()
}

/// The id as the client got it, after all around it was found as the MCP server wrote it. A stream whose lists are filtered
/// has other line ends.
fn id_in(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    let (first, rest) = text.split_once('\n').expect("a line");
    assert_eq!(rest, format!("data: \n\n: alive\nevent: message\ndata: {}\n\n", answer()));
    assert!(!text.contains(RAW_EVENT), "{text}");
    first.strip_prefix("id: ").expect("an id").to_owned()
}

/// Goes on after an event.
fn resume(token: &str, session: &str, event: &str) -> Call {
    Call::listen().token(token).session(session).header("last-event-id", event)
}

#[tokio::test]
async fn a_client_goes_on_after_its_own_event_and_never_sees_the_mcp_servers_id() {
    let world = World::start().await;
    for wire in Wire::ALL {
        let token = world.token();
        let session = begin(&world, wire, &token).await;
        let call = Call::tool(Era::Legacy, "get_product").token(&token).session(&session);
        for call in [call, Call::listen().token(&token).session(&session)] {
            world.upstream.next(stream());
            let (reply, _) = world.passed(wire, &call).await;
            assert!(!reply.headers.contains_key(CONTENT_LENGTH));
            let event = id_in(&reply.text());
            world.upstream.next(stream());
            let (resumed, record) = world.passed(wire, &resume(&token, &session, &event)).await;
            assert_eq!(world.upstream.last().header("last-event-id"), RAW_EVENT);
            assert_ne!(id_in(&resumed.text()), event, "each is sealed anew");
            let told = serde_json::to_string(&record).unwrap();
            assert!(!told.contains(&event) && !told.contains(RAW_EVENT), "{told}");
        }
    }
    world.end();
}

#[tokio::test]
async fn the_answer_to_initialize_can_be_resumed_in_the_session_that_it_began() {
    let world = World::start().await;
    let token = world.token();
    world.upstream.next(stream().with("mcp-session-id", &format!("{RAW_SESSION}-streamed")));
    let (reply, _) = world.passed(Wire::Http1, &Call::initialize().token(&token)).await;
    let (session, event) = (reply.header("mcp-session-id").to_owned(), id_in(&reply.text()));
    world.upstream.next(stream());
    world.passed(Wire::Http1, &resume(&token, &session, &event)).await;
    assert_eq!(world.upstream.last().header("last-event-id"), RAW_EVENT);
    world.end();
}

#[tokio::test]
async fn nobody_goes_on_after_an_event_of_another_session_or_caller_or_of_none() {
    let world = World::start().await;
    let unknown = Refusal::new(404, Reason::SessionUnknown);
    for wire in Wire::ALL {
        let (alice, mallory) = (world.token(), world.issuer.token().subject("mallory").mint());
        let (hers, other, his) =
            (begin(&world, wire, &alice).await, begin(&world, wire, &alice).await, begin(&world, wire, &mallory).await);
        world.upstream.next(stream());
        let (reply, _) = world.passed(wire, &Call::listen().token(&alice).session(&hers)).await;
        let event = id_in(&reply.text());
        for (token, session) in [(&alice, &other), (&mallory, &his), (&mallory, &hers)] {
            world.refused(wire, &resume(token, session, &event), &unknown).await;
        }
        let without_session = resume(&alice, &hers, &event).without("mcp-session-id");
        world.refused(wire, &without_session, &unknown).await;
        let mut changed = event.clone();
        changed.replace_range(20..21, if &event[20..21] == "A" { "B" } else { "A" });
        for forged in [RAW_EVENT, "7", "", &hers, &changed, &format!("{event}="), &"x".repeat(4096)] {
            world.refused(wire, &resume(&alice, &hers, forged), &unknown).await;
        }
        let twice = resume(&alice, &hers, &event);
        let mut twice = twice.clone();
        twice.headers.append("last-event-id", event.parse().unwrap());
        world.refused(wire, &twice, &Refusal::new(400, Reason::RequestMalformed)).await;
        world.upstream.next(stream());
        world.passed(wire, &resume(&alice, &hers, &event)).await;
    }
    world.end();
}

#[tokio::test]
async fn an_id_that_can_not_come_back_is_left_out_and_so_is_every_one_of_the_modern_era() {
    let world = World::start().await;
    let too_long = "x".repeat(600);
    for (wire, era) in CELLS {
        for id in [too_long.as_str(), "nul\0byte"] {
            let text = format!("id: {id}\ndata: {}\n\n", answer());
            world.upstream.next(Answer::typed(http::StatusCode::OK, "text/event-stream", text));
            let call = Call::tool(era, "get_product").token(&world.token());
            let (reply, _) = world.passed(wire, &call).await;
            assert_eq!(reply.text(), format!(":\ndata: {}\n\n", answer()));
        }
    }
    for wire in Wire::ALL {
        world.upstream.next(stream());
        let call = Call::tool(Era::Modern, "get_product").token(&world.token()).header("last-event-id", "7");
        let (reply, _) = world.passed(wire, &call).await;
        assert!(reply.text().starts_with(":\r\ndata: \r\n") && !reply.text().contains("raw-event"), "{}", reply.text());
        assert_eq!(world.upstream.last().header("last-event-id"), "");
    }
    world.end();
}
