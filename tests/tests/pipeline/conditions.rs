//! Conditions of rules on the wire: judged on the bytes that are forwarded, refused without a challenge, consistent with
//! what lists show.

use http::StatusCode;
use serde_json::{Value, json};
use std::time::Duration;
use tollward_policy::config::SidecarConfig;
use tollward_policy::operation::Era;
use tollward_policy::reason::Reason;
use tollward_tests::client::Wire;
use tollward_tests::deadline::eventually_within;
use tollward_tests::mcp::Call;
use tollward_tests::upstream::Answer;
use tollward_tests::world::{CELLS, Refusal, World};

/// Adds rules, and a provider that says where groups are.
fn rules(config: &mut SidecarConfig, rules: &Value) {
    let mut provider = serde_json::to_value(&config.identity_providers[0]).unwrap();
    provider["claims"]["groups"] = json!(["groups"]);
    provider["claims"]["roles"] = json!(["/realm_access/roles"]);
    config.identity_providers = vec![serde_json::from_value(provider).unwrap()];
    let mut all = serde_json::to_value(&config.routes[0].rules).unwrap();
    all.as_array_mut().unwrap().extend(rules.as_array().unwrap().iter().cloned());
    config.routes[0].rules = serde_json::from_value(all).unwrap();
}

fn rule(name: &str, tools: &str, action: &str, condition: &str) -> Value {
    let scopes = if action == "Allow" { json!(["mcp:catalog-read"]) } else { json!([]) };
    json!({"name": name, "match": {"tools": [tools]}, "action": action, "scopes": scopes, "onMissingScope": "Challenge", "condition": condition})
}

async fn shop() -> World {
    World::with(|config| {
        let rules_of_the_shop = json!([
            rule("small", "pay", "Allow", "args.amount <= 100 && args.amount > 0"),
            rule("approved", "refund", "Allow", "'approvers' in principal.groups && args.amount <= 1000"),
            rule("staff", "staff_*", "Allow", "'staff' in principal.roles"),
            rule("no-contractors", "staff_payroll", "Deny", "'contractors' in principal.groups"),
        ]);
        rules(config, &rules_of_the_shop);
    })
    .await
}

fn pay(era: Era, arguments: &Value) -> Call {
    Call::rpc(era, "tools/call", json!({"name": "pay", "arguments": arguments}))
}

#[tokio::test]
async fn a_call_within_its_condition_passes_and_its_very_bytes_go_upstream() {
    let world = shop().await;
    for (wire, era) in CELLS {
        let call = pay(era, &json!({"amount": 100.0, "note": "\u{e9}"})).token(&world.token());
        let (_, record) = world.passed(wire, &call).await;
        assert_eq!(record.decision.rule.as_deref(), Some("small"));
        assert_eq!(world.upstream.requests().last().unwrap().body, call.body);
    }
    world.end();
}

#[tokio::test]
async fn a_call_outside_its_condition_is_forbidden_and_no_other_token_is_asked_for() {
    let world = shop().await;
    for (wire, era) in CELLS {
        for arguments in [
            json!({"amount": 101}),
            json!({"amount": 100.001}),
            json!({"amount": 0}),
            json!({"amount": "50"}),
            json!({"amount": null}),
            json!({"amount": [50]}),
            json!({"amount": 50, "Amount": 5000}),
            json!({"Amount": 50}),
            json!({"amount": 1e300}),
            json!({}),
        ] {
            let call = pay(era, &arguments).token(&world.token());
            let expected = Refusal::new(403, Reason::ConditionFailed).answering();
            let (reply, record) = world.refused(wire, &call, &expected).await;
            assert_eq!(record.decision.rule.as_deref(), Some("small"), "{arguments}");
            assert!(
                !reply.text().contains("amount"),
                "the policy's inner working is not for the caller: {}",
                reply.text()
            );
        }
        let none = Call::rpc(era, "tools/call", json!({"name": "pay"})).token(&world.token());
        let (_, record) = world.refused(wire, &none, &Refusal::new(403, Reason::ConditionFailed).answering()).await;
        let detail = record.decision.detail.unwrap();
        assert_eq!(detail, "the condition can't be decided: args has no `amount`, or it is not known");
    }
    world.end();
}

#[tokio::test]
async fn arguments_that_two_parsers_could_read_in_two_ways_never_reach_a_condition() {
    let world = shop().await;
    for (wire, era) in CELLS {
        let good = pay(era, &json!({"amount": 50})).token(&world.token());
        let text = String::from_utf8(good.body.to_vec()).unwrap();
        for twice in [r#"{"amount":5000,"amount":50}"#, r#"{"amount":50,"am\u006funt":5000}"#, r#"{"amount":50e999}"#] {
            let call = good.clone().body(text.replace(r#"{"amount":50}"#, twice));
            assert_ne!(call.body, good.body);
            let reply = world.send(wire, &call).await;
            assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{twice}: {}", reply.text());
        }
    }
    assert_eq!(world.upstream.count(), 0);
    world.end();
}

#[tokio::test]
async fn a_missing_scope_is_challenged_only_where_it_would_help() {
    let world = shop().await;
    for (wire, era) in CELLS {
        let token = world.issuer.token().scope("").mint();
        let reply = world.send(wire, &pay(era, &json!({"amount": 50})).token(&token)).await;
        assert_eq!(reply.reason(), "scope_insufficient");
        assert!(reply.header("www-authenticate").contains("mcp:catalog-read"));
        let call = pay(era, &json!({"amount": 500})).token(&token);
        world.refused(wire, &call, &Refusal::new(403, Reason::ConditionFailed).answering()).await;
    }
    world.end();
}

#[tokio::test]
async fn groups_and_roles_count_where_they_are_known() {
    let world = shop().await;
    let staff = |groups: Value| {
        let token = world.issuer.token().with_claim("realm_access", json!({"roles": ["staff"]}));
        if groups.is_null() { token.mint() } else { token.with_claim("groups", groups).mint() }
    };
    for (wire, era) in CELLS {
        let payroll = |token: &str| Call::tool(era, "staff_payroll").token(token);
        world.passed(wire, &payroll(&staff(json!(["hr"])))).await;
        world.passed(wire, &Call::tool(era, "staff_rota").token(&staff(Value::Null))).await;
        let denied = Refusal::new(403, Reason::RuleDenied).answering();
        world.refused(wire, &payroll(&staff(json!(["contractors"]))), &denied).await;
        // Whether they are contractors can't be known, so it is assumed.
        world.refused(wire, &payroll(&staff(Value::Null)), &denied).await;
        world.refused(wire, &payroll(&staff(json!({"0": "hr"}))), &denied).await;
        let overage = world
            .issuer
            .token()
            .with_claim("realm_access", json!({"roles": ["staff"]}))
            .with_claim("groups", json!(["hr"]))
            .with_claim("_claim_names", json!({"groups": "src1"}))
            .mint();
        world.refused(wire, &payroll(&overage), &denied).await;
        let failed = Refusal::new(403, Reason::ConditionFailed).answering();
        world.refused(wire, &Call::tool(era, "staff_rota").token(&world.token()), &failed).await;
    }
    world.end();
}

#[tokio::test]
async fn a_list_shows_what_some_arguments_could_be_allowed_and_grants_nothing() {
    let world = shop().await;
    let listed = json!({"jsonrpc": "2.0", "id": 1, "result": {"tools": [
        {"name": "pay"}, {"name": "refund"}, {"name": "staff_rota"}, {"name": "staff_payroll"}, {"name": "get_product"}
    ]}});
    let shown = async |wire: Wire, era: Era, token: &str| {
        world.upstream.next(Answer::json(&listed));
        let call = Call::rpc(era, "tools/list", json!({})).token(token);
        let (reply, _) = world.passed(wire, &call).await;
        let tools = reply.json()["result"]["tools"].as_array().unwrap().clone();
        tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let approver = world.issuer.token().with_claim("groups", json!(["approvers"])).mint();
    for (wire, era) in CELLS {
        // Who is in no known group could never refund, whatever the amount.
        assert_eq!(shown(wire, era, &world.token()).await, ["pay", "get_product"]);
        let failed = Refusal::new(403, Reason::ConditionFailed).answering();
        let refund =
            |amount: i64| Call::rpc(era, "tools/call", json!({"name": "refund", "arguments": {"amount": amount}}));
        world.refused(wire, &refund(1).token(&world.token()), &failed).await;
        assert_eq!(shown(wire, era, &approver).await, ["pay", "refund", "get_product"]);
        world.passed(wire, &refund(1000).token(&approver)).await;
        world.refused(wire, &refund(1001).token(&approver), &failed).await;
    }
    world.end();
}

#[tokio::test]
async fn a_tightened_condition_is_enforced_when_the_file_changes() {
    let mut world = shop().await;
    let call = pay(Era::Modern, &json!({"amount": 50})).token(&world.token());
    world.passed(Wire::Http1, &call).await;
    world.sidecar.config.change(|config| {
        for rule in config.routes[0].rules.iter_mut().filter(|rule| rule.name == "small") {
            rule.condition = Some("args.amount <= 49".to_owned());
        }
    });
    eventually_within(Duration::from_secs(2), "the new condition refuses", async || {
        world.send(Wire::Http1, &call).await.reason() == "condition_failed"
    })
    .await;
    world.end();
}
