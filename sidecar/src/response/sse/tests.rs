//! Lists on event streams, in whatever pieces they arrive.

use super::super::list::tests::{expected, lists, response};
use super::{FilterError, ListKind, SseFilter};
use proptest::prelude::*;
use serde_json::Value;
use tollward_policy::operation::Target;

fn only_get(_: ListKind, target: &Target) -> bool {
    target.name() == Some("get")
}

/// What the client receives if the stream arrives in chunks of that size.
fn run(stream: &[u8], chunk: usize) -> Result<String, FilterError> {
    let mut filter = SseFilter::new(ListKind::Tools, only_get);
    let mut out = Vec::new();
    for part in stream.chunks(chunk) {
        out.extend_from_slice(&filter.push(part)?);
    }
    filter.finish()?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}

/// The data of events, as a client following the standard reads them: an implementation of its own.
fn events(stream: &str) -> Vec<String> {
    let lines = stream.trim_start_matches('\u{FEFF}').replace("\r\n", "\n").replace('\r', "\n");
    let blocks: Vec<_> = lines.split("\n\n").collect();
    let data = |block: &&str| {
        let lines = block.lines().filter_map(|line| line.strip_prefix("data:"));
        lines.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>().join("\n")
    };
    blocks.iter().map(data).filter(|data| !data.is_empty()).collect()
}

const LIST: &str = r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"get"},{"name":"delete"}]}}"#;

#[test]
fn the_response_is_filtered_and_everything_else_passes() {
    let stream = format!(
        ": open\n\nid: 0\nretry: 5\ndata:\n\nevent: message\ndata: {{\"method\":\"notifications/progress\"}}\n\n\
         :ping\nid: 7\ndata: {LIST}\nunknown: delete\n\n: bye\n"
    );
    insta::assert_snapshot!(run(stream.as_bytes(), 1000).unwrap(), @r#"
    : open
    id: 0
    retry: 5
    data: 

    event: message
    data: {"method":"notifications/progress"}

    :ping
    id: 7
    data: {"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"get"}]}}

    : bye
    "#);
}

#[test]
fn line_ends_marks_and_spaces_do_not_hide_an_event_from_the_filter() {
    let lines = LIST.replace(",{", "\ndata:,{");
    for stream in [
        format!("data:{LIST}\n\n"),
        format!("data: {LIST}\r\n\r\n"),
        format!("data: {LIST}\r\r"),
        format!("\u{FEFF}data: {LIST}\n\n"),
        format!("data: {lines}\n\n"),
        format!("event: other\ndata: {LIST}\n\n"),
        format!("data: {LIST}\rid: 1\n\r"),
        format!("data: {}\n\n", LIST.replace("\"id\":1", "\"id\":99")),
    ] {
        let whole = run(stream.as_bytes(), usize::MAX).unwrap();
        assert!(whole.contains("get") && !whole.contains("delete"), "{stream:?} {whole:?}");
        for chunk in 1..8 {
            assert_eq!(run(stream.as_bytes(), chunk).unwrap(), whole, "{stream:?}");
        }
    }
}

#[test]
fn a_comment_flows_at_once_also_within_an_event() {
    let mut filter = SseFilter::new(ListKind::Tools, only_get);
    assert_eq!(filter.push(b"data: {\"resu").unwrap(), "");
    assert_eq!(filter.push(b"lt\":{\"tools\":[]}}\n:pi").unwrap(), "");
    assert_eq!(filter.push(b"ng\r").unwrap(), ":ping\n");
    assert_eq!(filter.push(b"\n\n").unwrap(), "data: {\"result\":{\"tools\":[]}}\n\n");
}

#[test]
fn an_event_that_can_not_be_judged_ends_the_stream_for_good() {
    for data in ["not json", "[]", "{}", r#"{"result":{}}"#, r#"{"result":{"tools":[{"name":"a","name":"get"}]}}"#, " "]
    {
        let mut filter = SseFilter::new(ListKind::Tools, only_get);
        let error = filter.push(format!("data: {data}\n\n").as_bytes()).unwrap_err();
        assert_eq!(filter.push(b": ping\n"), Err(error.clone()), "{data}");
        assert_eq!(filter.finish(), Err(error));
    }
}

#[test]
fn an_event_beyond_the_bound_ends_the_stream() {
    let mut filter = SseFilter::new(ListKind::Tools, only_get);
    let megabyte = vec![b'x'; 1 << 20];
    assert!(filter.push(b"data: \"").is_ok());
    let ended = (0..10).find_map(|_| filter.push(&megabyte).err());
    assert_eq!(ended, Some(FilterError::TooLarge));
}

#[test]
fn an_event_without_end_is_discarded_as_clients_do() {
    let mut filter = SseFilter::new(ListKind::Tools, only_get);
    assert_eq!(filter.push(format!("data: {LIST}\n").as_bytes()).unwrap(), "");
    assert_eq!(filter.finish().unwrap().names, Vec::<String>::new());
}

#[test]
fn a_resumed_stream_shows_no_more_of_any_list_than_the_first_answer() {
    let mut filter = SseFilter::resumed(only_get);
    let call = r#"{"jsonrpc":"2.0","id":2,"result":{"content":[{"type":"text","text":"delete"}]}}"#;
    let prompts = r#"{"id":3,"result":{"prompts":[{"name":"delete"}]}}"#;
    let stream = format!("data: {LIST}\n\ndata: {call}\n\ndata: {prompts}\n\n");
    let out = filter.push(stream.as_bytes()).unwrap();
    insta::assert_snapshot!(std::str::from_utf8(&out).unwrap(), @r#"
    data: {"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"get"}]}}

    data: {"jsonrpc":"2.0","id":2,"result":{"content":[{"type":"text","text":"delete"}]}}

    data: {"id":3,"result":{"prompts":[]}}
    "#);
    assert_eq!(filter.finish().unwrap().names, ["get", "delete", "delete"]);
}

/// A message as an event, its lines ended in one of the three ways.
fn as_event(message: &str, end: &str) -> String {
    let lines: Vec<_> = message.lines().map(|line| format!("data: {line}{end}")).collect();
    format!("id: 1{end}{}{end}", lines.concat())
}

proptest! {
    #[test]
    fn no_chunking_shows_a_name_that_the_predicate_refuses(
        (items, shown, pretty) in lists(),
        end in prop::sample::select(&["\n", "\r\n", "\r"][..]),
        cuts in prop::collection::vec(1..20_usize, 0..40),
    ) {
        let ping = format!(":ping{end}{end}");
        let stream = format!("{ping}{}{ping}", as_event(&response(&items, pretty), end));
        let predicate = |_: ListKind, target: &Target| shown.iter().any(|name| target.name() == Some(name));
        let mut filter = SseFilter::new(ListKind::Tools, predicate);
        let mut out = Vec::new();
        let mut rest = stream.as_bytes();
        for cut in cuts {
            let (part, after) = rest.split_at(cut.min(rest.len()));
            out.extend_from_slice(&filter.push(part).unwrap());
            rest = after;
        }
        out.extend_from_slice(&filter.push(rest).unwrap());
        let out = String::from_utf8(out).unwrap();
        prop_assert_eq!(out.matches(":ping\n").count(), 2);
        let events = events(&out);
        prop_assert_eq!(events.len(), 1);
        let value: Value = serde_json::from_str(&events[0]).unwrap();
        prop_assert_eq!(value, expected(&items, &shown));
        prop_assert_eq!(filter.finish().unwrap().names.len(), items.as_array().unwrap().len());
    }

    #[test]
    fn the_result_does_not_depend_on_how_the_stream_is_cut(
        stream in prop::collection::vec(
            prop::sample::select(&[
                "data: {\"result\":{\"tools\":[{\"name\":\"get\"},{\"name\":\"x\"}]}}", "data: {\"method\":\"m\"}", "data",
                ":c", "id: 1", "event: e", "retry: 1", "junk", "\n", "\r\n", "\r", "\n\n", "\u{FEFF}",
            ][..]),
            0..30,
        ),
        chunk in 1..7_usize,
    ) {
        let stream = stream.concat();
        prop_assert_eq!(run(stream.as_bytes(), chunk).is_ok(), run(stream.as_bytes(), usize::MAX).is_ok());
        if let Ok(whole) = run(stream.as_bytes(), usize::MAX) {
            prop_assert_eq!(run(stream.as_bytes(), chunk).unwrap(), whole.clone());
            prop_assert!(!events(&whole).iter().any(|data| data.contains("\"x\"")));
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), chunk in 1..50_usize) {
        let _ = run(&bytes, chunk).map_err(|error| error.to_string());
    }
}
