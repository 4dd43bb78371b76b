//! What a known caller may do.

use http::StatusCode;
use serde_json::{Value, json};
use tollward_policy::operation::Era;
use tollward_policy::reason::Reason;
use tollward_tests::client::{Reply, Wire};
use tollward_tests::config::METADATA_URL;
use tollward_tests::mcp::Call;
use tollward_tests::world::{CELLS, Refusal, World};

#[tokio::test]
async fn a_call_with_its_scope_passes_and_the_record_says_why() {
    let world = World::start().await;
    for (wire, era) in CELLS {
        let (reply, record) = world.passed(wire, &Call::tool(era, "get_product").token(&world.token())).await;
        assert_eq!(reply.json()["result"]["content"][0]["text"], "get_product");
        assert_eq!(record.decision.rule.as_deref(), Some("read"));
        assert!(record.decision.policy_digest.is_some_and(|digest| digest.starts_with("sha256:")));
        assert_eq!(record.server.unwrap().uid, "uid-catalog");
        let call = record.call.unwrap();
        assert_eq!((call.method.as_str(), call.target.as_deref()), ("tools/call", Some("get_product")));
        assert_eq!(call.arguments, Some(json!({"sku": "A-1"})));
    }
    assert_eq!(world.sidecar.records.intents().len(), CELLS.len(), "an intent precedes each call");
    world.end();
}

#[tokio::test]
async fn a_missing_scope_is_named_in_a_challenge_that_a_client_can_step_up_by() {
    let world = World::start().await;
    for (wire, era) in CELLS {
        let call = Call::tool(era, "set_price").token(&world.token());
        let reply = world.send(wire, &call).await;
        assert_eq!(reply.status, StatusCode::FORBIDDEN);
        let expected = format!(
            "Bearer error=\"insufficient_scope\", error_description=\"{}\", resource_metadata=\"{METADATA_URL}\", \
             scope=\"mcp:catalog-write\"",
            Reason::ScopeInsufficient.meaning()
        );
        assert_eq!(reply.header("www-authenticate"), expected);
        assert_eq!((reply.json()["id"].clone(), reply.json()["error"]["code"].clone()), (json!(1), json!(403)));
        assert_eq!(reply.reason(), "scope_insufficient");
        let stepped_up = world.issuer.token().scope("mcp:catalog-write").mint();
        let (_, record) = world.passed(wire, &Call::tool(era, "set_price").token(&stepped_up)).await;
        assert_eq!(record.decision.rule.as_deref(), Some("write"));
        // Declared: who may write may read.
        world.passed(wire, &Call::tool(era, "get_product").token(&stepped_up)).await;
    }
    assert_eq!(world.upstream.count(), 2 * CELLS.len());
    world.end();
}

#[tokio::test]
async fn scopes_count_as_whole_names_only() {
    let world = World::start().await;
    for (wire, era) in CELLS {
        for scope in [
            "",
            "mcp:catalog",
            "mcp:catalog-rea",
            "mcp:catalog-readx",
            "MCP:CATALOG-READ",
            "mcp:*",
            "x:mcp:catalog-read",
        ] {
            let token = world.issuer.token().scope(scope).mint();
            let reply = world.send(wire, &Call::tool(era, "get_product").token(&token)).await;
            assert_eq!((reply.status.as_u16(), reply.reason().as_str()), (403, "scope_insufficient"), "{scope}");
        }
        let token = world.issuer.token().without("scope").mint();
        assert_eq!(
            world.send(wire, &Call::tool(era, "get_product").token(&token)).await.reason(),
            "scope_insufficient"
        );
    }
    assert_eq!(world.upstream.count(), 0);
    world.end();
}

/// An answer without what differs from request to request.
fn shape(reply: &Reply) -> (u16, Vec<String>, Value) {
    let mut body = reply.json();
    body["error"]["data"]["requestId"] = Value::Null;
    let mut names: Vec<_> = reply.headers.keys().map(ToString::to_string).filter(|name| name != "date").collect();
    names.sort();
    (reply.status.as_u16(), names, body)
}

#[tokio::test]
async fn a_hidden_tool_is_answered_like_one_that_does_not_exist() {
    let world = World::start().await;
    for (wire, era) in CELLS {
        let token = world.token();
        let hidden = Refusal::new(403, Reason::Hidden).answering();
        let (hidden, record) = world.refused(wire, &Call::tool(era, "secret_report").token(&token), &hidden).await;
        assert_eq!(record.decision.rule.as_deref(), Some("reports"), "the record knows");
        let none = Refusal::new(403, Reason::NoRuleMatched).answering();
        let (none, _) = world.refused(wire, &Call::tool(era, "no_such_tool").token(&token), &none).await;
        assert_eq!(shape(&hidden), shape(&none));
        let auditor = world.issuer.token().scope("mcp:catalog-audit").mint();
        world.passed(wire, &Call::tool(era, "secret_report").token(&auditor)).await;
    }
    world.end();
}

#[tokio::test]
async fn what_no_rule_names_is_denied_and_names_are_compared_byte_by_byte() {
    let world = World::start().await;
    let token = world.issuer.token().scope("mcp:catalog-read mcp:catalog-write mcp:catalog-audit").mint();
    let names = [
        "drop_table",
        "GET_PRODUCT",
        "Get_product",
        " get_product",
        "get-product",
        "get",
        "ｇｅｔ_product",
        "\u{0261}et_product",
        "x get_product",
        "*",
        "get*",
    ];
    let refusal = Refusal::new(403, Reason::NoRuleMatched).answering();
    for (wire, era) in CELLS {
        for name in names {
            let call = Call::rpc(era, "tools/call", json!({"name": "x"})).token(&token);
            let body = String::from_utf8(call.body.to_vec()).unwrap();
            let body = body.replacen("\"name\":\"x\"", &format!("\"name\":{}", json!(name)), 1);
            let encoded = format!("=?base64?{}?=", base64(name));
            let call = if era == Era::Modern { call.only("mcp-name", &encoded) } else { call };
            world.refused(wire, &call.body(body), &refusal).await;
        }
    }
    world.end();
}

fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}

#[tokio::test]
async fn a_deny_rule_beats_an_allow_rule() {
    let world = World::start().await;
    let refusal = Refusal::new(403, Reason::RuleDenied).answering();
    for (wire, era) in CELLS {
        let (_, record) = world.refused(wire, &Call::tool(era, "get_forbidden").token(&world.token()), &refusal).await;
        assert_eq!(record.decision.rule.as_deref(), Some("never"));
    }
    world.end();
}

#[tokio::test]
async fn resources_and_prompts_are_guarded_like_tools() {
    let world = World::start().await;
    let token = world.token();
    let refusal = Refusal::new(403, Reason::NoRuleMatched).answering();
    for (wire, era) in CELLS {
        let read = |uri: &str| Call::rpc(era, "resources/read", json!({"uri": uri})).token(&token);
        let prompt = |name: &str| Call::rpc(era, "prompts/get", json!({"name": name})).token(&token);
        world.passed(wire, &read("shop://products/1")).await;
        world.passed(wire, &prompt("describe")).await;
        for uri in ["shop://staff/1", "file:///etc/passwd", "shop://product/1", "shop://products"] {
            world.refused(wire, &read(uri), &refusal).await;
        }
        world.refused(wire, &prompt("hack"), &refusal).await;
        let complete = |name: &str| {
            let reference = json!({"type": "ref/prompt", "name": name});
            Call::rpc(era, "completion/complete", json!({"ref": reference, "argument": {}})).token(&token)
        };
        world.passed(wire, &complete("describe")).await;
        world.refused(wire, &complete("hack"), &refusal).await;
    }
    world.end();
}

#[tokio::test]
async fn a_resource_that_can_be_spelled_in_two_ways_does_not_pass() {
    let world = World::start().await;
    for (wire, era) in CELLS {
        for uri in [
            "SHOP://products/1",
            "shop://products/../staff/1",
            "shop://products/%2e%2e/staff/1",
            "shop://products/./../staff/1",
        ] {
            let call = Call::rpc(era, "resources/read", json!({"uri": uri})).token(&world.token());
            let reply = world.send(wire, &call).await;
            assert!(reply.status.is_client_error(), "{uri}: {} {}", reply.status, reply.text());
        }
    }
    assert_eq!(world.upstream.count(), 0);
    world.end();
}

#[tokio::test]
async fn protocol_mechanics_need_no_rule_and_guarded_methods_do() {
    let world = World::start().await;
    let token = world.issuer.token().scope("").mint();
    for wire in Wire::ALL {
        for call in [
            Call::initialize(),
            Call::rpc(Era::Legacy, "ping", json!({})),
            Call::rpc(Era::Modern, "server/discover", json!({})),
        ] {
            world.passed(wire, &call.token(&token)).await;
        }
        let level = Call::rpc(Era::Legacy, "logging/setLevel", json!({"level": "debug"}));
        assert_eq!(world.send(wire, &level.clone().token(&token)).await.reason(), "scope_insufficient");
        world.passed(wire, &level.token(&world.token())).await;
        let task = Call::rpc(Era::Legacy, "tasks/get", json!({"taskId": "t1"})).token(&world.token());
        world.refused(wire, &task, &Refusal::new(403, Reason::NoRuleMatched).answering()).await;
    }
    world.end();
}

#[tokio::test]
async fn a_subscription_is_judged_by_each_resource_in_it() {
    let world = World::start().await;
    let listen = |uris: Value| {
        let notifications = json!({"toolsListChanged": true, "resourceSubscriptions": uris});
        Call::rpc(Era::Modern, "subscriptions/listen", json!({"notifications": notifications})).token(&world.token())
    };
    for wire in Wire::ALL {
        world.passed(wire, &listen(json!(["shop://products/1", "shop://products/2"]))).await;
        let refusal = Refusal::new(403, Reason::NoRuleMatched).answering();
        world.refused(wire, &listen(json!(["shop://products/1", "shop://staff/1"])), &refusal).await;
    }
    world.end();
}
