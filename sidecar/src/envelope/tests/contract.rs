//! What `read` and `transport` make of messages that are in order, and properties that hold for all.

use super::{headers, legacy, legacy_params, modern, modern_body, post, refused};
use crate::envelope::{Message, Refused, Revision, read, transport};
use crate::json::tests::json_text;
use bytes::Bytes;
use http::{HeaderMap, Method as HttpMethod};
use proptest::prelude::*;
use serde_json::Value;
use tollward_policy::operation::{Era, Method, Target};

fn resources(uris: &[&str]) -> Target {
    Target::Resources(uris.iter().map(|uri| (*uri).to_owned()).collect())
}

#[test]
fn p21_every_method_that_names_something_has_its_target() {
    let named = |name: &str| format!(r#"{{"name":"{name}"}}"#);
    let table = [
        ("tools/call", named("t"), Target::Tool("t".into())),
        ("prompts/get", named("p"), Target::Prompt("p".into())),
        ("resources/read", r#"{"uri":"a://b"}"#.into(), resources(&["a://b"])),
        ("resources/subscribe", r#"{"uri":"a://b"}"#.into(), resources(&["a://b"])),
        ("resources/unsubscribe", r#"{"uri":"a://b"}"#.into(), resources(&["a://b"])),
        ("completion/complete", r#"{"ref":{"type":"ref/prompt","name":"p"}}"#.into(), Target::Prompt("p".into())),
        ("completion/complete", r#"{"ref":{"type":"ref/resource","uri":"a://{b}"}}"#.into(), resources(&["a://{b}"])),
        ("tasks/get", r#"{"taskId":"7"}"#.into(), Target::Task("7".into())),
        ("tasks/result", r#"{"taskId":"7"}"#.into(), Target::Task("7".into())),
        ("tasks/cancel", r#"{"taskId":"7"}"#.into(), Target::Task("7".into())),
        ("tasks/list", "{}".into(), Target::None),
        ("logging/setLevel", r#"{"level":"debug"}"#.into(), Target::None),
    ];
    for (method, params, target) in table {
        assert_eq!(legacy_params(method, &params).unwrap().operation().target, target, "{method}");
    }
    for params in [
        "{}",
        r#"{"ref":"ref/prompt"}"#,
        r#"{"ref":{"type":"ref/tool","name":"t"}}"#,
        r#"{"ref":{"name":"p"}}"#,
        r#"{"ref":{"type":"ref/prompt","uri":"a://b"}}"#,
    ] {
        assert_eq!(refused(legacy_params("completion/complete", params)), ("message_invalid", -32602), "{params}");
    }
}

#[test]
fn p21_a_subscription_names_each_of_its_resources() {
    let listen =
        |notifications: &str| modern("subscriptions/listen", None, &format!(",\"notifications\":{notifications}"));
    let target = |notifications: &str| listen(notifications).unwrap().operation().target.clone();
    assert_eq!(target(r#"{"toolsListChanged":true}"#), Target::None);
    assert_eq!(target(r#"{"resourceSubscriptions":[]}"#), Target::None);
    assert_eq!(target(r#"{"resourceSubscriptions":["a://1","a://2"]}"#), resources(&["a://1", "a://2"]));
    let many = format!(r#"{{"resourceSubscriptions":[{}"a://x"]}}"#, r#""a://x","#.repeat(256));
    for notifications in [
        "[]",
        r#"{"resourceSubscriptions":"a://1"}"#,
        r#"{"resourceSubscriptions":["a://1",2]}"#,
        r#"{"resourceSubscriptions":["a://../2"]}"#,
        r#"{"ResourceSubscriptions":["a://1"]}"#,
        &many,
    ] {
        assert_eq!(refused(listen(notifications)), ("message_invalid", -32602), "{notifications}");
    }
    assert_eq!(refused(modern("subscriptions/listen", None, "")), ("message_invalid", -32602));
}

#[test]
fn p21_every_method_can_be_read_in_its_eras() {
    let params = r#""name":"n","uri":"a://b","taskId":"n","notifications":{},"ref":{"type":"ref/prompt","name":"n"}"#;
    for method in Method::ALL.iter().copied().filter(|method| !method.is_transport()) {
        let id = if method.is_notification() { "" } else { r#""id":1,"# };
        let body = format!(r#"{{"jsonrpc":"2.0",{id}"method":"{}","params":{{{params}}}}}"#, method.as_str());
        assert_eq!(legacy(&body).is_ok(), method.exists_in(Era::Legacy), "{method:?}");
        let name = if matches!(
            method,
            Method::ToolsCall | Method::PromptsGet | Method::TasksGet | Method::TasksUpdate | Method::TasksCancel
        ) {
            Some("n")
        } else {
            (method == Method::ResourcesRead).then_some("a://b")
        };
        let mut body = modern_body(method.as_str(), &format!(",{params}"));
        if method.is_notification() {
            body = body.replace(r#""id":"r-1","#, "");
        }
        let mut lines = vec![("mcp-protocol-version", "2026-07-28"), ("mcp-method", method.as_str())];
        lines.extend(name.map(|name| ("mcp-name", name)));
        let result = post(&lines, &body);
        assert_eq!(result.is_ok(), method.exists_in(Era::Modern), "{method:?} {result:?}");
        if let (Ok(_), Some(_)) = (result, name) {
            lines.pop();
            assert_eq!(refused(post(&lines, &body)), ("header_mismatch", -32020), "{method:?}");
        }
    }
}

#[test]
fn a_legacy_message_without_version_is_of_the_first_revision() {
    let message = post(&[], r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#).unwrap();
    assert_eq!((message.era(), message.revision()), (Era::Legacy, Revision::V2025_03_26));
    assert_eq!(message.operation().method, Method::ToolsList);
}

#[test]
fn initialize_may_offer_any_version() {
    let offer = |version: &str| legacy_params("initialize", &format!(r#"{{"protocolVersion":{version}}}"#));
    let table = [
        ("2025-06-18", Revision::V2025_06_18),
        ("2024-11-05", Revision::V2025_11_25),
        ("2026-07-28", Revision::V2025_11_25),
        ("2030-01-01", Revision::V2025_11_25),
    ];
    for (version, revision) in table {
        let message = offer(&format!("\"{version}\"")).unwrap();
        assert_eq!(
            (message.era(), message.revision(), message.offered_version()),
            (Era::Legacy, revision, Some(version))
        );
    }
    for version in ["1", "null", "\"a b\"", &format!("\"{}\"", "1".repeat(65))] {
        assert_eq!(refused(offer(version)), ("message_invalid", -32602), "{version}");
    }
}

#[test]
fn a_modern_request_needs_its_version_and_capabilities_in_the_body() {
    let lines = [("mcp-protocol-version", "2026-07-28"), ("mcp-method", "tools/list")];
    let version = r#""io.modelcontextprotocol/protocolVersion":"2026-07-28""#;
    for meta in [
        "{}".to_owned(),
        format!("{{{version}}}"),
        format!(r#"{{{version},"io.modelcontextprotocol/clientCapabilities":1}}"#),
        r#"{"io.modelcontextprotocol/protocolVersion":1}"#.to_owned(),
        "1".to_owned(),
    ] {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{{"_meta":{meta}}}}}"#);
        assert_eq!(refused(post(&lines, &body)), ("message_invalid", -32602), "{meta}");
    }
    let legacy_in_meta = modern_body("tools/list", "").replace("2026-07-28", "2025-11-25");
    let result = post(&[("mcp-protocol-version", "2025-11-25")], &legacy_in_meta);
    assert_eq!(refused(result), ("message_invalid", -32602));
}

#[test]
fn a_modern_call_is_read_whole() {
    let body = modern_body("tools/call", r#","name":"get_product","arguments":{"id":"p-1"}"#)
        .replace(r#""_meta":{"#, r#""_meta":{"traceparent":"00-1-2-01","tracestate":"a=b","baggage":"c=\nd","#);
    let lines = [("mcp-protocol-version", "2026-07-28"), ("mcp-method", "tools/call"), ("mcp-name", "get_product")];
    insta::assert_debug_snapshot!(post(&lines, &body).unwrap(), @r#"
    Message {
        operation: Operation {
            method: ToolsCall,
            target: Tool(
                "get_product",
            ),
        },
        id: Some(
            "r-1",
        ),
        revision: V2026_07_28,
        arguments: Some(
            b"{\"id\":\"p-1\"}",
        ),
        offered_version: None,
        trace: TraceContext {
            traceparent: Some(
                "00-1-2-01",
            ),
            tracestate: Some(
                "a=b",
            ),
            baggage: None,
        },
    }
    "#);
}

#[test]
fn a_refusal_answers_the_request_in_its_era() {
    insta::assert_debug_snapshot!(modern("foo/bar", None, "").unwrap_err(), @r#"
    Refused {
        reason: MethodUnknown,
        rpc_code: -32601,
        message: "the method is not served",
        data: None,
        id: Some(
            "r-1",
        ),
        era: Some(
            Modern,
        ),
    }
    "#);
}

#[test]
fn get_and_delete_exist_in_the_legacy_era_only() {
    let used = |method: &HttpMethod, lines: &[(&str, &str)]| transport(&headers(lines), method);
    for version in ["2025-03-26", "2025-06-18", "2025-11-25"] {
        let lines = [("mcp-protocol-version", version), ("accept", "text/event-stream")];
        assert_eq!(used(&HttpMethod::GET, &lines).unwrap().operation().method, Method::StreamOpen);
        assert_eq!(used(&HttpMethod::DELETE, &lines).unwrap().operation().method, Method::SessionEnd);
    }
    assert_eq!(transport(&HeaderMap::new(), &HttpMethod::GET).unwrap().revision(), Revision::V2025_03_26);
    for method in [HttpMethod::GET, HttpMethod::DELETE] {
        let modern = [("mcp-protocol-version", "2026-07-28")];
        assert_eq!(refused(used(&method, &modern)).0, "method_not_allowed");
        let junk = [("mcp-protocol-version", "junk")];
        assert_eq!(refused(used(&method, &junk)), ("protocol_version_unsupported", -32022));
    }
    assert_eq!(refused(used(&HttpMethod::PUT, &[])).0, "method_not_allowed");
    assert_eq!(refused(used(&HttpMethod::GET, &[("accept", "application/json")])).0, "media_type_refused");
}

fn read_any(lines: &[(&str, &str)], body: &[u8]) -> Result<Message, Refused> {
    read(&headers(lines), &Bytes::copy_from_slice(body))
}

proptest! {
    #[test]
    fn arbitrary_bodies_never_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        if read_any(&[], &body).is_ok() {
            prop_assert!(serde_json::from_slice::<Value>(&body).is_ok());
        }
    }

    #[test]
    fn what_is_read_is_what_serde_json_reads(
        method in prop::sample::select(&["tools/call", "tools/list", "resources/read", "prompts/get", "ping"][..]),
        member in prop::sample::select(&["name", "uri", "Name", "arguments", "_meta"][..]),
        value in json_text(),
        more in json_text(),
        version in prop::option::of(prop::sample::select(&["2025-06-18", "2026-07-28"][..])),
    ) {
        let body = format!(
            r#"{{"id":1,"params":{{"name":"n","{member}":{value},"x":{more}}},"method":"{method}","jsonrpc":"2.0"}}"#
        );
        let lines: Vec<_> = version.map(|version| ("mcp-protocol-version", version)).into_iter().collect();
        if let Ok(message) = read_any(&lines, body.as_bytes()) {
            let value: Value = serde_json::from_str(&body).unwrap();
            prop_assert_eq!(message.operation().method.as_str(), value["method"].as_str().unwrap());
            let params = &value["params"];
            let named = match &message.operation().target {
                Target::Tool(_) | Target::Prompt(_) => params["name"].as_str(),
                Target::Resources(_) => params["uri"].as_str(),
                Target::None | Target::Task(_) => None,
            };
            prop_assert_eq!(message.operation().target.name(), named);
            let arguments: Option<Value> = message.arguments().map(|text| serde_json::from_slice(text).unwrap());
            if let Some(arguments) = arguments {
                prop_assert_eq!(&arguments, &params["arguments"]);
            }
        }
    }

    #[test]
    fn arbitrary_header_values_never_panic_and_never_change_the_target(
        value in prop::collection::vec(any::<u8>(), 0..40),
        name in prop::sample::select(&["mcp-name", "mcp-method", "mcp-protocol-version", "mcp-param-x", "accept"][..]),
    ) {
        let mut headers = headers(&[]);
        if let Ok(value) = http::HeaderValue::from_bytes(&value) {
            headers.append(http::HeaderName::from_static(name), value);
        }
        let body = Bytes::from_static(br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"evil"}}"#);
        if let Ok(message) = read(&headers, &body) {
            prop_assert_eq!(&message.operation().target, &Target::Tool("evil".into()));
        }
    }
}
