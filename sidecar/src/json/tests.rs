//! What is strict JSON and what is not; and that nobody reads less into a document than `serde_json`.

use super::{ElementsError, Json, JsonError, MAX_DEPTH, MemberError, parse};
use proptest::prelude::*;
use serde_json::Value;
use std::fmt::Write as _;

fn refused(text: &str) -> JsonError {
    parse(text.as_bytes()).expect_err(text)
}

#[test]
fn p02_repeated_keys_are_refused_at_every_depth_and_in_every_spelling() {
    for text in [
        r#"{"a":1,"a":1}"#,
        r#"{"name":1,"n\u0061me":2}"#,
        r#"{"a/b":1,"a\/b":2}"#,
        r#"{"x":{"y":[{"a":1,"b":2,"a":3}]}}"#,
        r#"[[{"":1,"":2}]]"#,
        r#"{"😀":1,"\ud83d\ude00":2}"#,
    ] {
        assert_eq!(refused(text), JsonError::DuplicateKey, "{text}");
    }
    let many = (0..100).fold(String::from("{"), |mut text, index| {
        let _ = write!(text, "\"k{index}\":0,");
        text
    });
    assert!(parse(format!("{many}\"x\":0}}").as_bytes()).is_ok());
    for repeated in ["k0", "k15", "k16", "k99"] {
        assert_eq!(refused(&format!("{many}\"{repeated}\":0}}")), JsonError::DuplicateKey, "{repeated}");
    }
}

#[test]
fn p04_keys_with_invisible_characters_are_refused() {
    for key in [r"name\u0000", r"\u0000", r"na\u200bme", "na\u{200B}me", r"\ufeffname", r"name\u2060"] {
        assert_eq!(refused(&format!("{{\"a\":{{\"{key}\":1}}}}")), JsonError::InvisibleKey, "{key}");
    }
    assert!(parse(r#"{"a\nb":1,"د\u200cر":2,"v":"\u0000"}"#.as_bytes()).is_ok());
}

#[test]
fn p08_nesting_ends_at_the_limit_without_harm() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(parse(nested(MAX_DEPTH).as_bytes()).is_ok());
    assert_eq!(refused(&nested(MAX_DEPTH + 1)), JsonError::TooDeep);
    assert_eq!(refused(&nested(10_000)), JsonError::TooDeep);
    assert_eq!(refused(&"[".repeat(1_000_000)), JsonError::TooDeep);
    assert_eq!(refused(&r#"{"a":"#.repeat(10_000)), JsonError::TooDeep);
}

#[test]
fn p08_odd_numbers_and_strings_pass_unchanged_or_are_refused() {
    for text in ["-0", "9007199254740993", "1e5", "1.50", r#""\u0000""#, r#""\ud83d\ude00""#, "18446744073709551616"] {
        assert_eq!(parse(text.as_bytes()).unwrap().text(), text);
    }
    for text in [
        "1e1000000",
        "0x1",
        "NaN",
        "Infinity",
        "-Infinity",
        "01",
        "1.",
        ".5",
        "+1",
        "'a'",
        "undefined",
        "True",
        r#""\ud800""#,
        r#""\udc00\ud800""#,
        r#"{"a":["\ud800"]}"#,
        r#"{"\ud800":1}"#,
        "\"a\nb\"",
        r#""\x41""#,
        "[1,]",
        r#"{"a":1,}"#,
        "/* c */ 1",
        "1 // c",
        "{a:1}",
    ] {
        assert!(matches!(refused(text), JsonError::Syntax { .. }), "{text}");
    }
}

#[test]
fn p08_a_long_key_and_many_keys_are_read_in_linear_time() {
    let long = format!("{{\"{}\":1}}", "k".repeat(1 << 20));
    assert!(parse(long.as_bytes()).is_ok());
    let mut many = String::from("{");
    for index in 0..400_000 {
        let _ = write!(many, "\"{index:x}\":0,");
    }
    many.push_str("\"end\":0}");
    assert!(parse(many.as_bytes()).is_ok());
}

#[test]
fn p09_p10_what_is_not_one_document_in_utf8_is_refused() {
    for text in ["", "  ", "{}{}", "{} x", "{}\n{}", "{", "\u{c}{}", "{}\u{a0}", "{}\0"] {
        assert!(matches!(refused(text), JsonError::Syntax { .. }), "{text:?}");
    }
    assert_eq!(refused("\u{FEFF}{}"), JsonError::ByteOrderMark);
    for bytes in [&b"{\"a\":\"\xff\"}"[..], b"\"\xc0\xaf\"", b"\"\xed\xa0\x80\"", b"{\0}\0", b"\xff\xfe{\0}\0"] {
        assert!(parse(bytes).is_err(), "{bytes:?}");
    }
    assert_eq!(parse(b"\"\xff\""), Err(JsonError::NotUtf8(1)));
    assert_eq!(parse(b" \r\n\t{} \n").unwrap().text(), "{}");
}

#[test]
fn members_are_found_by_their_decoded_names() {
    let document = parse(br#" { "x" : [1] , "n\u0061me" : "a\"b" , "other" : { } } "#).unwrap();
    let [name, x, missing] = document.members(["name", "x", "missing"]).unwrap();
    assert_eq!(name.and_then(Json::string).as_deref(), Some("a\"b"));
    assert_eq!(x.map(Json::text), Some("[1]"));
    assert_eq!(missing, None);
    assert_eq!(parse(b"[]").unwrap().members(["a"]), Err(MemberError::NotAnObject));
}

#[test]
fn keys_that_differ_in_case_only_are_refused() {
    for key in ["Method", "METHOD", "m\\u0045thod"] {
        let text = format!("{{\"method\":1,\"{key}\":2}}");
        let document = parse(text.as_bytes()).unwrap();
        assert_eq!(document.members(["method"]), Err(MemberError::LookAlike("method")), "{key}");
        assert!(document.members(["other"]).is_ok());
    }
    let long_s = parse("{\"param\u{17F}\":1}".as_bytes()).unwrap();
    assert_eq!(long_s.members(["params"]), Err(MemberError::LookAlike("params")));
    let kelvin = parse("{\"ta\u{17F}\u{212A}Id\":1}".as_bytes()).unwrap();
    assert_eq!(kelvin.members(["taskId"]), Err(MemberError::LookAlike("taskId")));
}

#[test]
fn elements_are_bounded() {
    let list = parse(br#"[1, {"a":2} ,"x"]"#).unwrap();
    let texts: Vec<_> = list.elements(3).unwrap().into_iter().map(Json::text).collect();
    assert_eq!(texts, ["1", r#"{"a":2}"#, "\"x\""]);
    assert_eq!(list.elements(2), Err(ElementsError::TooMany(2)));
    assert_eq!(parse(b"{}").unwrap().elements(2), Err(ElementsError::NotAnArray));
}

/// JSON values, as text with arbitrary keys.
pub(crate) fn json_text() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        any::<i64>().prop_map(|number| number.to_string()),
        ".{0,8}".prop_map(|text| Value::from(text).to_string()),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        let object = prop::collection::vec(("[a-c]{1,2}", inner.clone()), 0..5).prop_map(|members| {
            let members: Vec<_> = members.into_iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
            format!("{{{}}}", members.join(","))
        });
        let array = prop::collection::vec(inner, 0..5).prop_map(|items| format!("[{}]", items.join(" ,")));
        prop_oneof![object, array]
    })
}

/// True if some object of the text has a key twice, by `serde_json`'s own loss of members.
fn loses_members(text: &str, value: &Value) -> bool {
    let colons = |text: &str| text.matches("\":").count();
    colons(text) != colons(&value.to_string())
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic_and_pass_only_if_serde_json_reads_them(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        if parse(&bytes).is_ok() {
            prop_assert!(serde_json::from_slice::<Value>(&bytes).is_ok());
        }
    }

    #[test]
    fn almost_json_never_panics_and_passes_only_if_serde_json_reads_it(text in r#"[\[\]{}:,"\\udabc0-9 eE.+-]{0,40}"#) {
        if parse(text.as_bytes()).is_ok() {
            prop_assert!(serde_json::from_str::<Value>(&text).is_ok());
        }
    }

    #[test]
    fn a_document_passes_exactly_if_no_key_is_repeated(text in json_text()) {
        // Texts in strings may look like keys.
        prop_assume!(!text.contains("\\\""));
        let value: Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(parse(text.as_bytes()).is_err(), loses_members(&text, &value));
    }
}
