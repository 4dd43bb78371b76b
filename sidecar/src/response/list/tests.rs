//! Lists as JSON documents: what is shown, what stays, what is refused. Cases P13, P24 and P25.

use super::{FilterError, Filtered, ListKind, MAX_MESSAGE, filter};
use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};
use tollward_policy::operation::{Method, Target};

fn run(kind: ListKind, body: &str, shown: &[&str]) -> Result<Filtered, FilterError> {
    let mut may_use = |_: ListKind, target: &Target| target.name().is_some_and(|name| shown.contains(&name));
    filter(kind, &Bytes::copy_from_slice(body.as_bytes()), &mut may_use)
}

fn text(kind: ListKind, body: &str, shown: &[&str]) -> String {
    String::from_utf8(run(kind, body, shown).unwrap().body.to_vec()).unwrap()
}

#[test]
fn p13_hidden_tools_are_gone_and_the_rest_stays_byte_by_byte() {
    let body = concat!(
        r#"{ "jsonrpc":"2.0", "id" : 1,"result":{"tools":[ {"name":"get" , "n":1.50},"#,
        r#" {"name":"delete","x":{"name":"get"}},{"name":"n\u0061me"} ],"nextCursor":"c","ttlMs":5,"_meta":{"a":[]}}}"#
    );
    insta::assert_snapshot!(
        text(ListKind::Tools, body, &["get", "name"]),
        @r#"{ "jsonrpc":"2.0", "id" : 1,"result":{"tools":[{"name":"get" , "n":1.50},{"name":"n\u0061me"}],"nextCursor":"c","ttlMs":5,"_meta":{"a":[]}}}"#
    );
    let filtered = run(ListKind::Tools, body, &["get", "name"]).unwrap();
    assert_eq!((filtered.names, filtered.shown), (vec!["get".into(), "delete".into(), "name".into()], 2));
    assert_eq!(text(ListKind::Tools, body, &["get", "delete", "name"]), body);
}

#[test]
fn p24_a_public_list_becomes_private() {
    let list = |scope: &str| format!(r#"{{"result":{{"cacheScope":{scope},"ttlMs":60000,"tools":[{{"name":"a"}}]}}}}"#);
    for scope in [r#""public""#, r#""publ\u0069c""#, "null", r#""shared""#] {
        assert_eq!(text(ListKind::Tools, &list(scope), &["a"]), list(r#""private""#), "{scope}");
    }
    let body = r#"{"result":{"tools":[{"name":"a"},{"name":"b"}],"ttlMs":1,"cacheScope":"public"}}"#;
    let expected = r#"{"result":{"tools":[{"name":"b"}],"ttlMs":1,"cacheScope":"private"}}"#;
    assert_eq!(text(ListKind::Tools, body, &["b"]), expected);
}

#[test]
fn p25_an_emptied_page_keeps_its_cursor() {
    let body = r#"{"id":1,"result":{"tools":[{"name":"a"}],"nextCursor":"bob-2"}}"#;
    assert_eq!(text(ListKind::Tools, body, &[]), r#"{"id":1,"result":{"tools":[],"nextCursor":"bob-2"}}"#);
}

#[test]
fn every_kind_is_judged_by_what_its_items_are_called_by() {
    let table = [
        (ListKind::Resources, "resources", json!([{"uri": "a://1", "name": "x"}, {"uri": "a://2", "name": "a://1"}])),
        (ListKind::Prompts, "prompts", json!([{"name": "a://1", "title": "y"}, {"name": "z", "title": "a://1"}])),
        (
            ListKind::ResourceTemplates,
            "resourceTemplates",
            json!([{"uriTemplate": "a://1", "name": "x"}, {"uriTemplate": "a://{x}", "name": "a://1"}]),
        ),
    ];
    for (kind, member, items) in table {
        let body = json!({"result": {member: items}}).to_string();
        let shown: Value = serde_json::from_str(&text(kind, &body, &["a://1"])).unwrap();
        assert_eq!(shown["result"][member], json!([items[0]]), "{member}");
    }
}

#[test]
fn a_template_is_shown_by_what_it_commonly_expands_to() {
    let expanded = |template: &str| match ListKind::ResourceTemplates.target(template) {
        Target::Resources(uris) => uris,
        Target::None | Target::Tool(_) | Target::Prompt(_) | Target::Task(_) => Vec::new(),
    };
    let table = [
        ("shop://items/{id}/{part}", "shop://items/~/~"),
        ("{+uri}", "~/~"),
        ("shop://items{/path*}{?q,page}", "shop://items/~?~=~"),
        ("shop://fixed", "shop://fixed"),
        ("shop://broken/{id", "shop://broken/~"),
    ];
    for (template, expansion) in table {
        assert_eq!(expanded(template), [expansion]);
    }
}

#[test]
fn a_list_of_another_kind_can_not_be_smuggled_in() {
    let body = r#"{"result":{"tools":[{"name":"a"}],"prompts":[{"name":"secret"}],"resources":"text"}}"#;
    assert_eq!(
        text(ListKind::Tools, body, &["a"]),
        r#"{"result":{"tools":[{"name":"a"}],"prompts":[],"resources":"text"}}"#
    );
}

#[test]
fn errors_pass_as_they_are() {
    let body = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"tools"}}"#;
    assert_eq!(text(ListKind::Tools, body, &[]), body);
}

#[test]
fn what_can_not_be_judged_is_refused() {
    for body in [
        "",
        "<html>",
        r#"{"result":{"tools":[{"name":"a","name":"b"}]}}"#,
        r#"{"result":{"tools":[]},"result":{"tools":[{"name":"a"}]}}"#,
        r#"{"result":{"tools":[]}}{}"#,
        "\u{FEFF}{\"result\":{\"tools\":[]}}",
    ] {
        assert!(matches!(run(ListKind::Tools, body, &[]), Err(FilterError::Undecodable(_))), "{body}");
    }
    for body in [
        "[]",
        r#"[{"result":{"tools":[]}}]"#,
        r#"{"result":{}}"#,
        r#"{"result":[]}"#,
        r#"{"result":{"tools":{}}}"#,
        r#"{"result":{"Tools":[{"name":"a"}]}}"#,
        r#"{"result":{"tools":[],"TOOLS":[{"name":"a"}]}}"#,
        r#"{"result":{"tools":["a"]}}"#,
        r#"{"result":{"tools":[{"title":"a"}]}}"#,
        r#"{"result":{"tools":[{"name":1}]}}"#,
        r#"{"result":{"tools":[{"name":"a","Name":"b"}]}}"#,
        r#"{"method":"notifications/message"}"#,
        r#"{"result":{"tools":[]},"error":{}}"#,
        r#"{"result":{"tools":[]},"method":"x"}"#,
        "{}",
    ] {
        assert!(matches!(run(ListKind::Tools, body, &["a"]), Err(FilterError::NotAList(_))), "{body}");
    }
    let large = format!(r#"{{"result":{{"tools":[]}},"x":"{}"}}"#, "x".repeat(MAX_MESSAGE));
    assert_eq!(run(ListKind::Tools, &large, &[]), Err(FilterError::TooLarge));
    let many = format!(r#"{{"result":{{"tools":[{}0]}}}}"#, "0,".repeat(70_000));
    assert_eq!(run(ListKind::Tools, &many, &[]), Err(FilterError::TooLarge));
}

#[test]
fn every_list_method_has_a_kind() {
    use tollward_policy::operation::Class;
    for method in Method::ALL.iter().copied() {
        // Tasks are no part of what a server offers: a list of them needs a rule, and is filtered all the same.
        let is_list = method.class() == Class::List || method == Method::TasksList;
        assert_eq!(ListKind::of(method).is_some(), is_list, "{method:?}");
    }
    for kind in ListKind::ALL {
        assert_eq!(kind.used_by().class(), Class::Guarded);
    }
}

/// Items of a list, names that are shown, and whether the list is written in many lines.
pub(crate) fn lists() -> impl Strategy<Value = (Value, Vec<String>, bool)> {
    let item = ("[a-e\"\\\\{é😀]{1,3}", prop::collection::vec("[a-e]{1,2}", 0..3))
        .prop_map(|(name, tags)| json!({"title": "t", "name": name, "tags": tags}));
    let items = prop::collection::vec(item, 0..8);
    let shown = prop::collection::vec("[a-e\"\\\\{é😀]{1,3}", 0..8);
    (items, shown, any::<bool>()).prop_map(|(items, shown, pretty)| (Value::Array(items), shown, pretty))
}

/// A response with that list.
pub(crate) fn response(items: &Value, pretty: bool) -> String {
    let body =
        json!({"jsonrpc": "2.0", "id": 1, "result": {"tools": items, "nextCursor": "c", "cacheScope": "public"}});
    if pretty { serde_json::to_string_pretty(&body).unwrap() } else { body.to_string() }
}

/// The response that a caller must get.
pub(crate) fn expected(items: &Value, shown: &[String]) -> Value {
    let items = items.as_array().unwrap().iter();
    let kept: Vec<_> = items.filter(|item| shown.iter().any(|name| item["name"] == **name)).collect();
    json!({"jsonrpc": "2.0", "id": 1, "result": {"tools": kept, "nextCursor": "c", "cacheScope": "private"}})
}

proptest! {
    #[test]
    fn exactly_the_permitted_items_are_shown((items, shown, pretty) in lists()) {
        let body = Bytes::from(response(&items, pretty));
        let filtered = filter(ListKind::Tools, &body, &mut |_, target| {
            shown.iter().any(|name| target.name() == Some(name))
        })
        .unwrap();
        let value: Value = serde_json::from_slice(&filtered.body).unwrap();
        prop_assert_eq!(value, expected(&items, &shown));
        prop_assert_eq!(filtered.names.len(), items.as_array().unwrap().len());
    }

    #[test]
    fn arbitrary_answers_never_panic(body in r#"[\[\]{}:,"\\a-c0-9 ]{0,60}"#) {
        let _ = filter(ListKind::Tools, &Bytes::from(body), &mut |_, _| true);
    }
}
