//! What is read of messages, and that their value never changes but where it should.

use super::{Kind, Message, key, one_line};
use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

fn read(value: &Value) -> Message {
    Message::read(&Bytes::from(value.to_string())).unwrap()
}

#[test]
fn kinds_are_told_apart_and_anything_else_is_no_message() {
    assert_eq!(read(&json!({"jsonrpc": "2.0", "id": 1, "method": "ping"})).kind, Kind::Request);
    assert_eq!(read(&json!({"jsonrpc": "2.0", "method": "ping"})).kind, Kind::Notification);
    assert_eq!(read(&json!({"jsonrpc": "2.0", "id": "a", "result": {}})).kind, Kind::Response);
    let error = read(&json!({"jsonrpc": "2.0", "id": "a", "error": {"code": -32601, "message": "x"}}));
    assert_eq!((error.kind, error.error), (Kind::Response, Some(-32601)));
    for text in [
        "",
        "[]",
        "{}",
        "1",
        "{\"id\":1}",
        "[{\"id\":1,\"method\":\"a\"}]",
        "{\"id\":1,\"id\":2,\"method\":\"a\"}",
        "{\"id\":1,\"method\":\"a\",\"result\":1}",
    ] {
        assert!(Message::read(&Bytes::from_static(text.as_bytes())).is_none(), "{text}");
    }
}

#[test]
fn ids_are_found_wherever_they_stand_and_exchanged_in_place() {
    let text = r#"{"method":"tools/call", "params":{"arguments":{"id":1,"progressToken":1},"_meta":{"progressToken":"p"},"name":"1"},"id" : 1}"#;
    let message = Message::read(&Bytes::from_static(text.as_bytes())).unwrap();
    let (id, progress) = (message.id.as_ref().unwrap(), message.progress.as_ref().unwrap());
    assert_eq!((id.key.as_str(), progress.key.as_str()), ("1", "\"p\""));
    assert_eq!(
        message.with(vec![(id, "77"), (progress, "77")]),
        r#"{"method":"tools/call", "params":{"arguments":{"id":1,"progressToken":1},"_meta":{"progressToken":77},"name":"1"},"id" : 77}"#
    );
    let told = read(&json!({"method": "notifications/progress", "params": {"progressToken": 77, "progress": 1}}));
    assert_eq!(told.progress.unwrap().key, "77");
}

#[test]
fn an_id_is_known_again_however_the_server_writes_it() {
    for (ours, theirs) in [("1.0", "1"), ("\"\\u0061\"", "\"a\""), ("-0.0", "-0"), ("1e3", "1000")] {
        assert_eq!(key(ours), key(theirs), "{ours}");
    }
    assert_ne!(key("1"), key("\"1\""));
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".*".prop_map(Value::from)
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(".*", inner, 0..4).prop_map(|map| map.into_iter().collect()),
        ]
    })
}

proptest! {
    #[test]
    fn a_message_of_many_lines_is_the_same_on_one(value in any_json(), carriage in any::<bool>()) {
        let pretty = serde_json::to_string_pretty(&value).unwrap();
        let text = Bytes::from(if carriage { pretty.replace('\n', "\r\n") } else { pretty });
        let line = one_line(&text);
        prop_assert!(!line.iter().any(|byte| matches!(byte, b'\n' | b'\r')));
        prop_assert_eq!(serde_json::from_slice::<Value>(&line).unwrap(), value);
    }

    #[test]
    fn exchanging_ids_changes_nothing_else(arguments in any_json(), id in any::<i64>(), token in ".*") {
        let mut value = json!({"id": id, "method": "tools/call", "params": {"arguments": arguments, "_meta": {"progressToken": token}}});
        let message = Message::read(&Bytes::from(serde_json::to_string_pretty(&value).unwrap())).unwrap();
        let changed = message.with(vec![(message.id.as_ref().unwrap(), "5"), (message.progress.as_ref().unwrap(), "6")]);
        value["id"] = json!(5);
        value["params"]["_meta"]["progressToken"] = json!(6);
        prop_assert_eq!(serde_json::from_slice::<Value>(&changed).unwrap(), value);
    }

    #[test]
    fn no_bytes_upset_the_reader(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Message::read(&Bytes::from(bytes));
    }
}
