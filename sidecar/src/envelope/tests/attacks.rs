//! Group P: bodies and headers that try to be read in two ways.

use super::{LEGACY, headers, legacy, legacy_params, modern, modern_body, post, refused};
use crate::envelope::read;
use tollward_policy::operation::Target;

const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;

#[test]
fn p01_batches_are_refused_in_every_revision() {
    for body in ["[]", " \n[", "[1]", &format!("[{PING}]"), "\u{FEFF}[]"] {
        for version in ["2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"] {
            let result = post(&[("mcp-protocol-version", version)], body);
            assert_eq!(result.as_ref().map_err(|refused| refused.id.clone()), Err(None), "{body}");
            assert_eq!(refused(result), ("batch_refused", -32600), "{body} {version}");
        }
    }
}

#[test]
fn p02_repeated_members_are_refused() {
    for body in [
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","method":"tools/call"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{},"params":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","jsonrpc":"2.0","id":1,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"safe","n\u0061me":"evil"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"x":{"y":1,"y":2}}}}"#,
    ] {
        assert_eq!(refused(legacy(body)), ("body_malformed", -32700), "{body}");
    }
}

#[test]
fn p02_members_that_a_lenient_server_would_confuse_are_refused() {
    for body in [
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/call"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"},"Params":{"name":"b"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","error":{}}"#,
    ] {
        assert_eq!(refused(legacy(body)), ("message_invalid", -32600), "{body}");
    }
    assert_eq!(refused(legacy_params("tools/call", r#"{"name":"safe","Name":"evil"}"#)), ("message_invalid", -32602));
    let kelvin = "{\"name\":\"safe\",\"_META\":{}}";
    assert_eq!(refused(legacy_params("tools/call", kelvin)), ("message_invalid", -32602));
}

#[test]
fn p04_keys_with_nul_or_zero_width_characters_are_refused() {
    for key in [r"name\u0000", r"name\u200b"] {
        let result = legacy_params("tools/call", &format!(r#"{{"name":"safe","{key}":"evil"}}"#));
        assert_eq!(refused(result), ("body_malformed", -32700));
    }
}

#[test]
fn p05_tool_names_reach_the_policy_byte_by_byte() {
    for name in ["Admin_Tool", " admin", "ａｄｍｉｎ", "аdmin", "e\u{301}", "é", "admin%20", "a/b.c-d"] {
        let message = legacy_params("tools/call", &format!(r#"{{"name":"{name}"}}"#)).unwrap();
        assert_eq!(message.operation().target, Target::Tool(name.to_owned()));
    }
    for name in [r"admin\n", r"admin\u0000", &"x".repeat(513), &"x".repeat(10 * 1024)] {
        let result = legacy_params("tools/call", &format!(r#"{{"name":"{name}"}}"#));
        assert_eq!(refused(result), ("message_invalid", -32602), "{name}");
    }
}

#[test]
fn p06_a_name_is_a_non_empty_string() {
    let cases = [("tools/call", "name"), ("prompts/get", "name"), ("resources/read", "uri"), ("tasks/get", "taskId")];
    for (method, member) in cases {
        for value in ["1", "[]", "{}", "null", "true", "\"\"", "[\"a\"]"] {
            let result = legacy_params(method, &format!(r#"{{"{member}":{value}}}"#));
            assert_eq!(refused(result), ("message_invalid", -32602), "{method} {value}");
        }
        assert_eq!(refused(legacy_params(method, "{}")), ("message_invalid", -32602), "{method}");
        for params in ["null", "[]", "\"a\""] {
            assert_eq!(refused(legacy_params(method, params)), ("message_invalid", -32602), "{method} {params}");
        }
    }
}

#[test]
fn p07_uris_that_a_server_would_rewrite_are_refused() {
    for uri in ["file:///a/../b", "FILE:///a", "file:///%2e%2e/a", "file:///a/%2E./b", "file:///a\\\\..\\\\b"] {
        for method in ["resources/read", "resources/subscribe", "resources/unsubscribe"] {
            let result = legacy_params(method, &format!(r#"{{"uri":"{uri}"}}"#));
            assert_eq!(refused(result), ("message_invalid", -32602), "{method} {uri}");
        }
        let reference = format!(r#"{{"ref":{{"type":"ref/resource","uri":"{uri}"}}}}"#);
        assert_eq!(refused(legacy_params("completion/complete", &reference)), ("message_invalid", -32602), "{uri}");
    }
    let message = legacy_params("resources/read", r#"{"uri":"file:///a/b"}"#).unwrap();
    assert_eq!(message.operation().target, Target::Resources(vec!["file:///a/b".into()]));
}

#[test]
fn p08_extreme_arguments_pass_unchanged_or_are_refused() {
    for value in ["-0", "9007199254740993", r#""\u0000""#, r#"{"a":[1.0,2e3]}"#] {
        let arguments = format!(r#"{{ "v" : {value} }}"#);
        let message = legacy_params("tools/call", &format!(r#"{{"name":"a","arguments":{arguments}}}"#)).unwrap();
        assert_eq!(message.arguments().unwrap(), arguments.as_bytes());
    }
    for value in ["1e1000000", "0x1", "NaN", r#""\ud800""#, "/**/1", "[1,]", &"[".repeat(10_000)] {
        let result = legacy_params("tools/call", &format!(r#"{{"name":"a","arguments":{{"v":{value}}}}}"#));
        assert_eq!(refused(result), ("body_malformed", -32700));
    }
}

#[test]
fn p09_p10_what_is_not_one_document_in_utf8_is_refused() {
    for body in [
        "",
        " \n",
        &format!("{PING}{PING}"),
        &format!("{PING} x"),
        &format!("{PING}\n{PING}"),
        &format!("\u{FEFF}{PING}"),
    ] {
        assert_eq!(refused(legacy(body)), ("body_malformed", -32700), "{body}");
    }
    let utf16: Vec<u8> = PING.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for bytes in [utf16, b"{\"jsonrpc\":\"2.0\",\"id\":\"\xff\",\"method\":\"ping\"}".to_vec()] {
        assert_eq!(refused(read(&headers(LEGACY), &bytes.into())), ("body_malformed", -32700));
    }
    for body in ["1", "\"ping\"", "null", "true"] {
        assert_eq!(refused(legacy(body)), ("message_invalid", -32600), "{body}");
    }
}

#[test]
fn a_version_in_the_body_is_refused_with_those_that_may_stand_there() {
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{"_meta":{
        "io.modelcontextprotocol/protocolVersion":"v999.0.0","io.modelcontextprotocol/clientCapabilities":{}}}}"#;
    let error = post(&[("mcp-protocol-version", "v999.0.0"), ("mcp-method", "server/discover")], body).unwrap_err();
    assert_eq!(error.rpc_code, -32022);
    assert_eq!(error.data.unwrap()["supported"], serde_json::json!(["2026-07-28"]));
}

#[test]
fn p14_versions_that_are_not_served_are_refused_with_those_that_are() {
    for version in ["2024-11-05", "junk", "", "2026-07-29", "2025-06-18, 2026-07-28"] {
        let error = post(&[("mcp-protocol-version", version)], PING).unwrap_err();
        assert_eq!((error.reason.code(), error.rpc_code), ("protocol_version_unsupported", -32022), "{version}");
        let data = error.data.unwrap();
        assert_eq!(data["requested"], version);
        assert_eq!(data["supported"], serde_json::json!(["2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"]));
    }
    let two = [("mcp-protocol-version", "2025-06-18"), ("mcp-protocol-version", "2026-07-28")];
    assert_eq!(refused(post(&two, PING)), ("protocol_version_unsupported", -32022));
    let long = "v".repeat(4096);
    let error = post(&[("mcp-protocol-version", &long)], PING).unwrap_err();
    assert_eq!(error.data.unwrap()["requested"], "");
    let body = modern_body("tools/list", "").replace("2026-07-28", "2027-01-01");
    let unknown = [("mcp-protocol-version", "2027-01-01"), ("mcp-method", "tools/list")];
    assert_eq!(refused(post(&unknown, &body)), ("protocol_version_unsupported", -32022));
}

#[test]
fn p15_headers_that_disagree_with_a_modern_body_are_refused() {
    let base64 = |text: &[u8]| {
        use base64::Engine as _;
        format!("=?base64?{}?=", base64::engine::general_purpose::STANDARD.encode(text))
    };
    let call = |name: Option<&str>| modern("tools/call", name, r#","name":"grüße""#);
    assert!(call(Some(&base64("grüße".as_bytes()))).is_ok());
    let double = base64(base64("grüße".as_bytes()).as_bytes());
    let wrong_case = base64("grüße".as_bytes()).replace("=?base64?", "=?BASE64?");
    for header in [
        None,
        Some("safe"),
        Some(""),
        Some("grüße"),
        Some(double.as_str()),
        Some(wrong_case.as_str()),
        Some("=?base64?Z3LDvMOfZQ?="),
        Some("=?base64?!!?="),
        Some(&base64(b"\xff\xfe")),
        Some("=?base64??="),
    ] {
        assert_eq!(refused(call(header)), ("header_mismatch", -32020), "{header:?}");
    }
    let body = modern_body("tools/call", r#","name":"evil""#);
    let version = ("mcp-protocol-version", "2026-07-28");
    let method = ("mcp-method", "tools/call");
    let long = "x".repeat(16 * 1024);
    for lines in [
        vec![version, method, ("mcp-name", "safe")],
        vec![version, method, ("mcp-name", "evil"), ("mcp-name", "evil")],
        vec![version, method, ("mcp-name", &long)],
        vec![version, ("mcp-name", "evil")],
        vec![version, ("mcp-method", "tools/list"), ("mcp-name", "evil")],
        vec![version, ("mcp-method", "TOOLS/CALL"), ("mcp-name", "evil")],
        vec![version, method, method, ("mcp-name", "evil")],
        vec![method, ("mcp-name", "evil")],
        vec![("mcp-protocol-version", "2025-11-25"), method, ("mcp-name", "evil")],
    ] {
        assert_eq!(refused(post(&lines, &body)), ("header_mismatch", -32020), "{lines:?}");
    }
    assert!(post(&[version, method, ("mcp-name", " evil\t")], &body).is_ok());
}

#[test]
fn p15_parameter_headers_pass_within_bounds() {
    let body = modern_body("tools/call", r#","name":"a","arguments":{"id":42}"#);
    let base = [("mcp-protocol-version", "2026-07-28"), ("mcp-method", "tools/call"), ("mcp-name", "a")];
    let with = |extra: &[(&str, &str)]| post(&[&base[..], extra].concat(), &body);
    assert!(with(&[("mcp-param-id", "42.0"), ("mcp-param-city", "=?base64?w5xi?=")]).is_ok());
    let names: Vec<_> = (0..65).map(|index| format!("mcp-param-{index}")).collect();
    let many: Vec<_> = names.iter().map(|name| (name.as_str(), "1")).collect();
    assert!(with(&many[..64]).is_ok());
    for extra in [&many[..], &[("mcp-param-id", "1"), ("mcp-param-id", "1")], &[("mcp-param-id", "=?base64?*?=")]] {
        assert_eq!(refused(with(extra)), ("header_mismatch", -32020));
    }
}

#[test]
fn p15_legacy_messages_may_repeat_themselves_in_headers_but_not_contradict() {
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"evil"}}"#;
    assert!(post(&[("mcp-method", "tools/call"), ("mcp-name", "evil")], body).is_ok());
    for line in [("mcp-method", "tools/list"), ("mcp-name", "safe"), ("mcp-name", "=?base64?/w==?=")] {
        assert_eq!(refused(post(&[line], body)), ("header_mismatch", -32020), "{line:?}");
    }
    assert_eq!(refused(post(&[("mcp-name", "a")], PING)), ("header_mismatch", -32020));
}

#[test]
fn p17_a_call_without_id_and_a_notification_with_one_are_refused() {
    for body in [
        r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"a"}}"#,
        r#"{"jsonrpc":"2.0","method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"notifications/initialized"}"#,
    ] {
        assert_eq!(refused(legacy(body)), ("message_invalid", -32600), "{body}");
    }
    let body = modern_body("tools/call", r#","name":"a""#).replace(r#""id":"r-1","#, "");
    let lines = [("mcp-protocol-version", "2026-07-28"), ("mcp-method", "tools/call"), ("mcp-name", "a")];
    assert_eq!(refused(post(&lines, &body)), ("message_invalid", -32600));
}

#[test]
fn p18_an_id_is_a_string_or_an_integer() {
    let with = |id: &str| legacy(&format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#));
    for id in ["1", "-7", "0", "9007199254740993", "\"\"", r#""r\u002d1""#, &format!("\"{}\"", "x".repeat(254))] {
        assert_eq!(with(id).unwrap().id().unwrap().as_json(), id);
    }
    let long = format!("\"{}\"", "x".repeat(255));
    for id in ["null", "1.0", "1e3", "-0", "true", "{}", "[]", "9223372036854775808", &long] {
        let error = with(id).unwrap_err();
        assert_eq!((error.reason.code(), error.rpc_code, error.id), ("message_invalid", -32600, None), "{id}");
    }
}

#[test]
fn p19_posted_responses_exist_in_the_legacy_era_only() {
    let answers = [
        r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":"a","error":{"code":-1,"message":"no"}}"#,
        r#"{"jsonrpc":"2.0","error":{"code":-1,"message":"no"}}"#,
    ];
    for body in answers {
        let message = legacy(body).unwrap();
        assert_eq!(message.operation().method.as_str(), "(response)");
        assert_eq!(message.id(), None);
        assert_eq!(refused(post(&[("mcp-protocol-version", "2026-07-28")], body)), ("message_invalid", -32600));
    }
    for body in [
        r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{}}"#,
        r#"{"jsonrpc":"2.0","result":{}}"#,
        r#"{"jsonrpc":"2.0","id":null,"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":1}"#,
        r#"{"jsonrpc":"2.0","id":1,"error":1}"#,
    ] {
        assert_eq!(refused(legacy(body)), ("message_invalid", -32600), "{body}");
    }
}

#[test]
fn p20_unknown_methods_are_denied_in_both_eras() {
    for method in [
        "foo/bar",
        "tools/callx",
        "tools//call",
        "TOOLS/CALL",
        "tools/call ",
        "rpc.discover",
        "",
        "(response)",
        "(stream)",
        "(session end)",
        "notifications/message",
    ] {
        let error = legacy_params(method, "{}").unwrap_err();
        assert_eq!((error.reason.code(), error.rpc_code), ("method_unknown", -32601), "{method}");
        assert_eq!(error.id.unwrap().as_json(), "1");
        // The header is trimmed by HTTP, so that this method can't be repeated there.
        if method != "tools/call " {
            assert_eq!(refused(modern(method, None, "")), ("method_unknown", -32601), "{method}");
        }
    }
    for method in ["initialize", "ping", "logging/setLevel", "resources/subscribe"] {
        assert_eq!(refused(modern(method, None, "")), ("method_unknown", -32601), "{method}");
    }
    assert_eq!(refused(legacy_params("server/discover", "{}")), ("method_unknown", -32601));
}

#[test]
fn p26_arguments_stay_as_they_are() {
    let arguments = r#"{ "url" : "{{evil}}\r\n${x}" ,"n":1.50 }"#;
    let message = legacy_params("tools/call", &format!(r#"{{"name":"a","arguments":{arguments}}}"#)).unwrap();
    assert_eq!(message.arguments().unwrap(), arguments.as_bytes());
    for arguments in ["[]", "\"a\"", "1"] {
        let result = legacy_params("tools/call", &format!(r#"{{"name":"a","arguments":{arguments}}}"#));
        assert_eq!(refused(result), ("message_invalid", -32602), "{arguments}");
    }
}

#[test]
fn p27_a_refusal_repeats_nothing_of_the_body() {
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"SECRET/x","params":{"SECRET":1}}"#;
    assert!(!legacy(body).unwrap_err().message.contains("SECRET"));
    assert!(!legacy("{\"SECRET\":1").unwrap_err().message.contains("SECRET"));
    let result = legacy_params("tools/call", r#"{"name":["SECRET"]}"#);
    assert!(!result.unwrap_err().message.contains("SECRET"));
}
