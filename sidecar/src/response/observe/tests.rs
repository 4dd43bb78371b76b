//! Outcomes of answers in one piece and in many.

use super::{MAX_EVENT, Observer, RpcOutcome};
use crate::response::Media;
use proptest::prelude::*;

fn observe(media: Media, answer: &[u8], chunk: usize) -> RpcOutcome {
    let mut observer = Observer::new(media);
    for part in answer.chunks(chunk) {
        observer.push(part);
    }
    observer.finish()
}

fn ended(error_code: Option<i64>, tool_error: bool) -> RpcOutcome {
    RpcOutcome { error_code, tool_error, determined: true }
}

#[test]
fn answers_are_understood_as_documents_and_as_events() {
    let table = [
        (r#"{"jsonrpc":"2.0","id":1,"result":{"content":[],"isError":false}}"#, ended(None, false)),
        (r#"{"result":{"content":[],"isError":true},"id":1}"#, ended(None, true)),
        (r#"{"result":{},"error":null}"#, ended(None, false)),
        (r#"{"id":1,"error":{"code":-32602,"message":"no"}}"#, ended(Some(-32602), false)),
        (r#"{"id":1,"error":{"code":"no"}}"#, RpcOutcome::UNDETERMINED),
        (r#"{"id":1,"error":{"code":1},"result":{}}"#, RpcOutcome::UNDETERMINED),
        (r#"{"method":"notifications/message","params":{}}"#, RpcOutcome::UNDETERMINED),
        ("<html>", RpcOutcome::UNDETERMINED),
        ("", RpcOutcome::UNDETERMINED),
    ];
    for (answer, expected) in table {
        let progress = r#"{"method":"notifications/progress"}"#;
        let events = format!(": open\n\ndata:\n\ndata: {progress}\n\nid: 4\ndata: {answer}\n\n");
        for chunk in [1, 7, usize::MAX] {
            assert_eq!(observe(Media::Json, answer.as_bytes(), chunk), expected, "{answer}");
            assert_eq!(observe(Media::EventStream, events.as_bytes(), chunk), expected, "{answer}");
            assert_eq!(observe(Media::Opaque, answer.as_bytes(), chunk), RpcOutcome::UNDETERMINED);
        }
    }
}

#[test]
fn an_answer_beyond_the_bound_is_undetermined() {
    let large = format!(r#"{{"result":{{"text":"{}"}}}}"#, "x".repeat(MAX_EVENT));
    assert_eq!(observe(Media::Json, large.as_bytes(), 1000), RpcOutcome::UNDETERMINED);
    assert_eq!(observe(Media::EventStream, format!("data: {large}\n\n").as_bytes(), 1000), RpcOutcome::UNDETERMINED);
}

#[test]
fn a_large_event_before_the_answer_does_not_hide_it() {
    let large = format!("data: {{\"method\":\"{}\"}}\nid: 1\n\n", "x".repeat(MAX_EVENT));
    for chunk in [1, 1000, usize::MAX] {
        let stream = format!("{large}data: {{\"error\":{{\"code\":7}}}}\n\n");
        assert_eq!(observe(Media::EventStream, stream.as_bytes(), chunk), ended(Some(7), false));
    }
}

#[test]
fn memory_stays_bounded_however_much_comes() {
    for media in [Media::Json, Media::EventStream] {
        let mut observer = Observer::new(media);
        let part = vec![b'x'; 32 * 1024];
        for _ in 0..1000 {
            observer.push(&part);
            assert!(observer.held() <= MAX_EVENT, "{media:?}");
        }
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), chunk in 1..50_usize) {
        observe(Media::Json, &bytes, chunk);
        observe(Media::EventStream, &bytes, chunk);
    }
}
