//! Bodies with a small change at every place: whatever is let through, the JSON libraries of other languages read as it was judged.
//! Go reads twice, once with names of members regardless of case.

use super::scene::Scene;
use serde_json::{Value, json};
use tollward_policy::operation::Era;
use tollward_tests::client::{Connection, Wire};
use tollward_tests::deadline::within;
use tollward_tests::mcp::Call;
use tollward_tests::real::reader::{Kind, Read};
use tollward_tests::upstream::UPSTREAM_PATH;

/// What a change puts in.
const PIECES: &[&str] = &[
    "\"",
    "\\",
    ",",
    ":",
    "{",
    "}",
    "[",
    "]",
    " ",
    "\r\n",
    "\u{b}",
    "\u{85}",
    "\u{a0}",
    "\u{feff}",
    "\u{2028}",
    "\u{0}",
    "0",
    "-",
    "e9",
    ".5",
    "'",
    "//",
    "/**/",
    "NaN",
    "null",
    "\\u0000",
    "\\ud800",
    "\\u006e",
    ",\"method\":\"tools/list\",",
    ",\"Method\":\"tools/list\",",
    ",\"name\":\"drop_table\",",
    ",\"Name\":\"drop_table\",",
    ",\"\\u006eame\":\"drop_table\",",
    ",\"param\u{17f}\":{\"name\":\"drop_table\"},",
    ",\"ARGUMENTS\":{\"sku\":\"B\"},",
];
/// A piece is put in at every place of this step, each piece beginning elsewhere.
const STEP: usize = 7;
const BODY: &str = "{\"jsonrpc\":\"2.0\",\"id\":17,\"method\":\"tools/call\",\"params\":{\"name\":\"get_product\",\"arguments\":{\"sku\":\"A-1\",\"count\":12,\"near\":[0.25,true,null]}}}";

fn changed() -> Vec<Vec<u8>> {
    let body = BODY.as_bytes();
    let mut all = Vec::new();
    for (number, piece) in PIECES.iter().enumerate() {
        for place in (number % STEP..=body.len()).step_by(STEP) {
            let (before, after) = body.split_at(place);
            all.push([before, piece.as_bytes(), after].concat());
        }
        // Where a whole member fits, it is put in at once.
        for (place, _) in BODY.match_indices(',') {
            let (before, after) = body.split_at(place);
            let piece = piece.strip_suffix(',').unwrap_or(piece);
            all.push([before, piece.as_bytes(), after].concat());
        }
    }
    for place in 0..body.len() {
        let (before, rest) = body.split_at(place);
        let (letter, after) = rest.split_at(1);
        all.push([before, after].concat());
        all.push([before, letter, letter, after].concat());
        all.push([before, &[0xC3], after].concat());
        if letter.iter().all(u8::is_ascii_alphabetic) {
            all.push([before, &letter.to_ascii_uppercase(), after].concat());
        }
    }
    all
}

/// What was judged, by the strict parser of the data plane's own language.
fn judged(body: &[u8]) -> Value {
    let whole: Value = serde_json::from_slice(body).expect("what is let through is JSON");
    let of = |pointer: &str| whole.pointer(pointer).cloned().unwrap_or_default();
    json!({"id": of("/id"), "method": of("/method"), "name": of("/params/name"), "arguments": of("/params/arguments")})
}

/// Whether two languages mean the same: numbers by their value, and what is absent is null.
fn alike(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => match (left.as_f64(), right.as_f64()) {
            (Some(left), Some(right)) => (left - right).abs() <= left.abs() * 1e-15,
            (None, _) | (_, None) => false,
        },
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| alike(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            let has =
                |name: &String| alike(left.get(name).unwrap_or(&Value::Null), right.get(name).unwrap_or(&Value::Null));
            left.keys().chain(right.keys()).all(has)
        }
        (left, right) => left == right,
    }
}

async fn send(connection: &mut Connection, call: &Call) {
    let sent = async { connection.send(call.request(Wire::Http2)).await?.whole().await };
    let answered: Result<_, hyper::Error> = within("an answer", sent).await;
    answered.expect("each message is answered, on one connection");
}

fn check(kind: Kind, body: &[u8], read: &Read, named: Option<&str>) {
    let text = String::from_utf8_lossy(body);
    assert_eq!((read.body.as_slice(), read.target.as_str()), (body, UPSTREAM_PATH), "{kind:?} {text}");
    let judged = judged(body);
    assert!(!read.messages.is_empty(), "{kind:?} reads messages");
    for (how, message) in &read.messages {
        assert!(alike(message, &judged), "{kind:?} {how} reads {message}\nof {text}\njudged as {judged}");
        if let Some(target) = named {
            assert_eq!(message.get("name").and_then(Value::as_str), Some(target), "{kind:?} {how}: {text}");
        }
    }
}

#[tokio::test]
async fn languages_read_the_message_that_was_judged() {
    for kind in Kind::LANGUAGES {
        let scene = Scene::start(kind).await;
        let token = scene.world.token();
        let mut connection = Connection::plain(Wire::Http2, scene.world.sidecar.public).await;
        let (mut passed, mut refused) = (0, 0);
        for body in changed() {
            let records = scene.world.sidecar.records.count();
            send(&mut connection, &Call::post(Era::Legacy, body.clone()).token(&token)).await;
            let record = scene.world.sidecar.records.wait_for(records + 1).await;
            if !record.decision.allowed {
                refused += 1;
                continue;
            }
            passed += 1;
            let call = record.call.expect("what is let through was understood");
            check(kind, &body, &scene.only(), call.target.as_deref());
        }
        println!("{kind:?}: {passed} of {} bodies were let through and read alike", passed + refused);
        assert!(passed >= 250 && refused >= 1_000, "{kind:?}: {passed} passed, {refused} were refused");
        scene.end().await;
    }
}
