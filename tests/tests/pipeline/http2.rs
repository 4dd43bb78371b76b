//! HTTP/2 as no library would send it: pseudo-header fields that contradict themselves, bodies of another length than announced, and
//! floods of frames that cost their sender nothing. Nothing of it reaches the MCP server, and others are served meanwhile.

use std::time::{Duration, Instant};
use tollward_policy::operation::Era;
use tollward_policy::reason::Reason;
use tollward_tests::client::Wire;
use tollward_tests::client::frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, Fate, Frames, HEADERS, PING, RST_STREAM, SETTINGS, WINDOW_UPDATE,
    Written, block, frame,
};
use tollward_tests::config::{AUTHORITY, PATH};
use tollward_tests::mcp::{Call, LEGACY};
use tollward_tests::upstream::Answer;
use tollward_tests::world::World;

type Fields<'a> = Vec<(&'a str, &'a str)>;

/// A good request without its body.
fn good(authorization: &str) -> Fields<'_> {
    vec![
        (":method", "POST"),
        (":scheme", "http"),
        (":path", PATH),
        (":authority", AUTHORITY),
        ("authorization", authorization),
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
        ("mcp-protocol-version", LEGACY),
    ]
}

fn with<'a>(fields: &Fields<'a>, name: &str, value: &'a str) -> Fields<'a> {
    fields.iter().map(|field| if field.0 == name { (field.0, value) } else { *field }).collect()
}

fn without<'a>(fields: &Fields<'a>, name: &str) -> Fields<'a> {
    fields.iter().filter(|field| field.0 != name).copied().collect()
}

fn adding<'a>(fields: &Fields<'a>, name: &'a str, value: &'a str) -> Fields<'a> {
    [fields.clone(), vec![(name, value)]].concat()
}

/// The whole request on stream 1.
fn request(fields: &Fields<'_>, body: &[u8]) -> Vec<u8> {
    let head = frame(HEADERS, END_HEADERS, 1, &block(fields));
    [head, frame(DATA, END_STREAM, 1, body)].concat()
}

/// Sends a request on a connection of its own.
async fn sent(world: &World, fields: &Fields<'_>, body: &[u8]) -> Fate {
    let mut frames = Frames::open(world.sidecar.public, &[]).await;
    frames.send(&request(fields, body)).await;
    frames.fate(1).await
}

fn body() -> Vec<u8> {
    Call::tool(Era::Legacy, "get_product").body.to_vec()
}

#[tokio::test]
async fn the_good_request_passes_so_that_the_bad_ones_say_something() {
    let world = World::start().await;
    let authorization = format!("Bearer {}", world.token());
    assert_eq!(sent(&world, &good(&authorization), &body()).await, Fate::Answered);
    assert_eq!(
        (world.upstream.count(), world.sidecar.records.wait_for(1).await.outcome.unwrap().status),
        (1, Some(200))
    );
    world.end();
}

/// Each with what is wrong.
fn contradictory<'a>(good: &Fields<'a>) -> Vec<(&'static str, Fields<'a>)> {
    let first = |name: &'a str, value: &'a str| [vec![(name, value)], good.clone()].concat();
    let last = |name: &'a str| {
        let value = good.iter().find(|field| field.0 == name).map_or("", |field| field.1);
        adding(&without(good, name), name, value)
    };
    vec![
        ("a path without slash", with(good, ":path", "shop/mcp")),
        ("an asterisk for a path", with(good, ":path", "*")),
        ("an empty path", with(good, ":path", "")),
        ("a URL for a path", with(good, ":path", "http://mcp.example.test/shop/mcp")),
        ("no path", without(good, ":path")),
        ("two paths", first(":path", "/other")),
        ("a path behind the fields", last(":path")),
        ("no method", without(good, ":method")),
        ("two methods", first(":method", "GET")),
        ("a method that is no token", with(good, ":method", "POST /")),
        ("no scheme", without(good, ":scheme")),
        ("two authorities", first(":authority", "evil.example")),
        ("no authority", without(good, ":authority")),
        ("an empty authority", with(good, ":authority", "")),
        ("an authority with a user", with(good, ":authority", "a@mcp.example.test")),
        ("an authority that is not ours", with(good, ":authority", "evil.example")),
        ("a host that differs from the authority", adding(good, "host", "evil.example")),
        ("two hosts", adding(&adding(good, "host", AUTHORITY), "host", AUTHORITY)),
        ("a field in upper case", adding(good, "X-A", "1")),
        ("an unknown pseudo field", first(":admin", "1")),
        ("a status", first(":status", "200")),
        ("another protocol", first(":protocol", "websocket")),
        ("a connection field", adding(good, "connection", "close")),
        ("a transfer coding", adding(good, "transfer-encoding", "chunked")),
        ("an upgrade", adding(good, "upgrade", "h2c")),
        ("te other than trailers", adding(good, "te", "gzip")),
        ("a line break in a value", adding(good, "x-a", "1\r\nx-b: 2")),
        ("a null in a value", adding(good, "x-a", "1\u{0}")),
        ("an empty name", adding(good, "", "1")),
        ("a name with a space", adding(good, "x a", "1")),
        ("a name with a colon", adding(good, "x:a", "1")),
        ("a tunnel", with(&without(&without(good, ":path"), ":scheme"), ":method", "CONNECT")),
    ]
}

#[tokio::test]
async fn heads_that_contradict_themselves_are_refused() {
    let world = World::start().await;
    let authorization = format!("Bearer {}", world.token());
    let mut wrong = Vec::new();
    for (what, fields) in contradictory(&good(&authorization)) {
        let records = world.sidecar.records.count();
        let fate = sent(&world, &fields, &body()).await;
        if fate == Fate::Answered && world.sidecar.records.count() > records {
            let status = world.sidecar.records.wait_for(records + 1).await.outcome.unwrap().status;
            if !status.is_some_and(|status| (400..500).contains(&status)) {
                wrong.push(format!("{what}: answered {status:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(world.upstream.count(), 0);
    world.end();
}

#[tokio::test]
async fn a_body_of_another_length_than_announced_is_refused() {
    let world = World::start().await;
    let (authorization, body) = (format!("Bearer {}", world.token()), body());
    let good = good(&authorization);
    let lengths = [
        (body.len() - 1).to_string(),
        (body.len() + 1).to_string(),
        format!("0{}", body.len()),
        "-1".into(),
        "x".into(),
    ];
    for length in &lengths {
        sent(&world, &adding(&good, "content-length", length), &body).await;
    }
    let length = body.len().to_string();
    sent(&world, &adding(&adding(&good, "content-length", &length), "content-length", "1"), &body).await;
    assert_eq!(world.upstream.count(), 0);
    assert_eq!(sent(&world, &adding(&good, "content-length", &length), &body).await, Fate::Answered);
    assert_eq!(world.upstream.count(), 1);
    world.end();
}

#[tokio::test]
async fn a_body_without_a_length_is_refused_at_the_limit() {
    let world = World::with(|config| config.process.http.max_body_bytes = 32 * 1024).await;
    let authorization = format!("Bearer {}", world.token());
    let mut frames = Frames::open(world.sidecar.public, &[]).await;
    frames.send(&frame(HEADERS, END_HEADERS, 1, &block(&good(&authorization)))).await;
    // One byte more than the limit, and the stream does not end.
    frames.send(&frame(DATA, 0, 1, &[b' '; 16_384]).repeat(2)).await;
    frames.send(&frame(DATA, 0, 1, b" ")).await;
    assert_eq!(frames.fate(1).await, Fate::Answered);
    let record = world.sidecar.records.wait_for(1).await;
    assert_eq!((record.decision.reason, record.call, world.upstream.count()), (Reason::BodyTooLarge, None, 0));
    world.end();
}

#[tokio::test]
async fn settings_that_no_client_may_have_end_the_connection() {
    let world = World::start().await;
    let setting = |name: u8, value: u32| [&[0, name][..], &value.to_be_bytes()[..]].concat();
    for (what, settings) in [
        ("frames of no size", setting(5, 0)),
        ("frames beyond all sizes", setting(5, 0x0100_0000)),
        ("a window that overflows", setting(4, 0x8000_0000)),
        ("half a setting", vec![0, 4, 0]),
    ] {
        let mut frames = Frames::open(world.sidecar.public, &settings).await;
        assert!(matches!(frames.fate(1).await, Fate::Ended(_)), "{what}");
    }
    world.end();
}

/// What is sent again and again, and how often at most.
struct Flood {
    what: &'static str,
    begin: Vec<u8>,
    each: Box<dyn Fn(u32) -> Vec<u8>>,
    times: u32,
}

impl Flood {
    fn new(what: &'static str, times: u32, each: impl Fn(u32) -> Vec<u8> + 'static) -> Self {
        Self { what, begin: Vec::new(), each: Box::new(each), times }
    }

    fn after(mut self, begin: Vec<u8>) -> Self {
        self.begin = begin;
        self
    }
}

fn floods(authorization: &str) -> Vec<Flood> {
    let head = block(&good(authorization));
    let (reset, made_reset, many) = (head.clone(), head.clone(), head.clone());
    // One entry of 4 KiB in the dynamic table, and then a thousand times its index: 4 MiB of fields in a kibibyte.
    let bomb = [block(&good(authorization)), vec![0x40, 1, b'x', 0x7f, 0xa1, 0x1e], vec![b'y'; 4_000]].concat();
    let bomb = [bomb, vec![0xbe; 1_000]].concat();
    let stream = |number: u32| 2 * number + 1;
    vec![
        Flood::new("streams that are reset at once (CVE-2023-44487)", 20_000, move |number| {
            let of = stream(number);
            [frame(HEADERS, END_HEADERS, of, &reset), frame(RST_STREAM, 0, of, &[0, 0, 0, 8])].concat()
        }),
        Flood::new("streams that the server is made to reset (CVE-2025-8671)", 20_000, move |number| {
            let of = stream(number);
            [frame(HEADERS, END_HEADERS, of, &made_reset), frame(WINDOW_UPDATE, 0, of, &[0; 4])].concat()
        }),
        Flood::new("a head without end (CVE-2024-27316)", 20_000, |_| {
            frame(CONTINUATION, 0, 1, &[0x10, 1, b'x', 1, b'y'])
        })
        .after(frame(HEADERS, 0, 1, &head)),
        Flood::new("data without data (CVE-2019-9518)", 200_000, |_| frame(DATA, 0, 1, &[])).after(frame(
            HEADERS,
            END_HEADERS,
            1,
            &head,
        )),
        Flood::new("a head that unpacks to a thousand times its size", 20_000, move |number| {
            frame(HEADERS, END_HEADERS | END_STREAM, stream(number), &bomb)
        }),
        Flood::new("streams without number", 20_000, move |number| frame(HEADERS, END_HEADERS, stream(number), &many)),
        Flood::new("settings (CVE-2019-9515)", 2_000_000, |_| frame(SETTINGS, 0, 0, &[])),
        Flood::new("pings (CVE-2019-9512)", 2_000_000, |_| frame(PING, 0, 0, &[0; 8])),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_frames_ends_or_waits_and_others_are_served() {
    let world = World::with(|config| config.process.http.body_timeout_seconds = 1).await;
    let authorization = format!("Bearer {}", world.token());
    for flood in floods(&authorization) {
        let begun = Instant::now();
        let mut frames = Frames::open(world.sidecar.public, &[]).await;
        frames.send(&flood.begin).await;
        let mut written = Written::Taken;
        // In larger pieces, since it is the server that is to be kept busy.
        for piece in 0..flood.times / 100 {
            let bytes: Vec<u8> = (piece * 100..(piece + 1) * 100).flat_map(&flood.each).collect();
            written = frames.flood(&bytes, 1).await;
            if written != Written::Taken {
                break;
            }
        }
        if written == Written::Taken {
            // What comes after the end is read and thrown away for a while.
            assert!(matches!(frames.fate(u32::MAX).await, Fate::Ended(_)), "{}", flood.what);
        }
        println!("{written:?}, {:?}: {}", begun.elapsed(), flood.what);
        let call = Call::tool(Era::Modern, "get_product").token(&world.token());
        let asked = Instant::now();
        assert!(world.send(Wire::Http2, &call).await.status.is_success(), "{}", flood.what);
        assert!(asked.elapsed() < Duration::from_secs(2), "others are served during {}", flood.what);
    }
}

#[tokio::test]
async fn a_client_that_resets_on_and_on_what_the_mcp_server_has_begun_is_ended() {
    let world = World::start().await;
    let authorization = format!("Bearer {}", world.token());
    let (head, body) = (block(&good(&authorization)), body());
    let mut frames = Frames::open(world.sidecar.public, &[]).await;
    let mut decisions = Vec::new();
    let mut begun = 0;
    // Each is with the MCP server before it is reset, so that no more than one is under way.
    while begun < 1_000 {
        let (answer, decision) = Answer::later();
        world.upstream.next(answer);
        decisions.push(decision);
        let of = 2 * begun + 1;
        let call = [frame(HEADERS, END_HEADERS, of, &head), frame(DATA, END_STREAM, of, &body)].concat();
        frames.send(&call).await;
        tokio::select! {
            () = world.upstream.received(usize::try_from(begun).unwrap() + 1) => {}
            fate = frames.fate(of) => {
                assert!(matches!(fate, Fate::Ended(_)), "{fate:?}");
                break;
            }
        }
        frames.send(&frame(RST_STREAM, 0, of, &[0, 0, 0, 8])).await;
        begun += 1;
    }
    assert!((100..=300).contains(&begun), "{begun} were begun before the connection ended");
    assert_eq!(
        world.sidecar.records.wait_for(usize::try_from(begun).unwrap()).await.decision.reason,
        Reason::ClientGone
    );
}

#[tokio::test]
async fn a_client_that_opens_no_window_holds_up_no_other() {
    let world = World::start().await;
    let authorization = format!("Bearer {}", world.token());
    // SETTINGS_INITIAL_WINDOW_SIZE 0: the answer's head may come, its body may not.
    let mut frames = Frames::open(world.sidecar.public, &[0, 4, 0, 0, 0, 0]).await;
    frames.send(&request(&good(&authorization), &body())).await;
    assert_eq!(frames.fate(1).await, Fate::Answered);
    let call = Call::tool(Era::Modern, "get_product").token(&world.token());
    for wire in Wire::ALL {
        assert!(world.send(wire, &call).await.status.is_success());
    }
    drop(frames);
    world.sidecar.records.wait_for(3).await;
    world.end();
}
