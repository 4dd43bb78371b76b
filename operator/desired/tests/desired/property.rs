//! Whatever a specification says: either there are findings, or the data plane loads what is written.

use crate::fixture::{catalog, change, has_place};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use tollward_api::condition::ConditionReason;
use tollward_desired::{Inputs, desired, validate};
use tollward_policy::config::load;

/// Texts that are fine, borderline and hostile.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(vec![
            "mcp:catalog-read", "mcp:cart-write", "mcp:checkout", "read", "cart", "catalog", "basic", "production", "/a",
        ]).prop_map(str::to_owned),
        1 => prop::sample::select(vec![
            "", "*", "mcp:*", "admin", "a b", "../x", "/", "x-tollward", "tollward-x", "${ENV}", "`", "}", "\n", "\u{0}", "ä", "a\"b",
        ]).prop_map(str::to_owned),
        1 => "[ -~]{0,12}",
        1 => any::<String>(),
    ]
}

fn url() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => prop::sample::select(vec![
            "https://a.example/mcp", "https://a.example:8443/x/mcp", "http://127.0.0.1:1/mcp", "https://[::1]/mcp",
        ]).prop_map(str::to_owned),
        1 => prop::sample::select(vec![
            "https://a.example", "https://A.example/mcp", "https://a.example:443/mcp", "https://u@a/mcp", "https://a/mcp?x", "x",
            "https://a/mcp/", "http://[::1/mcp", "https://xn--a/mcp", "file:///etc", "https://a b/mcp",
        ]).prop_map(str::to_owned),
        1 => "https://[a-z.:0-9\\[\\]%@]{1,12}/[a-z/.%]{0,8}",
    ]
}

fn duration() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[1-9][0-9]{0,3}(h|m|s)",
        1 => prop::sample::select(vec!["", "0s", "-1s", "1.5h", "99999h99999h", "1d", "1"]).prop_map(str::to_owned),
    ]
}

fn list(item: impl Strategy<Value = String>) -> impl Strategy<Value = Value> {
    prop::collection::vec(item, 0..4).prop_map(|items| json!(items))
}

fn matches() -> impl Strategy<Value = Value> {
    (list(text()), list(text()), list(text()), prop::bool::ANY).prop_map(|(tools, resources, prompts, call)| {
        let methods = if call { json!(["tools/call"]) } else { json!([]) };
        json!({"methods": methods, "tools": tools, "resources": resources, "prompts": prompts})
    })
}

fn rules() -> impl Strategy<Value = Value> {
    let action = prop::sample::select(vec!["Allow", "Allow", "Allow", "Deny"]);
    let rule = (text(), matches(), list(text()), action).prop_map(
        |(name, matches, scopes, action)| json!({"name": name, "match": matches, "scopes": scopes, "action": action}),
    );
    prop::collection::vec(rule, 0..4).prop_map(Value::from)
}

fn scopes() -> impl Strategy<Value = Value> {
    let scope = (text(), list(text()))
        .prop_map(|(name, implies)| json!({"name": name, "description": "d", "implies": implies}));
    prop::collection::vec(scope, 0..5).prop_map(Value::from)
}

fn sender_constraint() -> impl Strategy<Value = Value> {
    let methods = prop::sample::subsequence(vec!["DPoP", "MutualTLS"], 0..=2);
    let mode = prop::sample::select(vec!["Optional", "Required"]);
    let proofs = prop::option::of((prop::sample::select(vec!["Off", "Required"]), duration()));
    (mode, methods, proofs).prop_map(|(mode, methods, proofs)| {
        let mut constraint = json!({"mode": mode, "methods": methods});
        if let Some((nonce, age)) = proofs {
            constraint["dpop"] = json!({"nonce": nonce, "proofMaxAge": age});
        }
        constraint
    })
}

/// A change of the server.
fn server() -> impl Strategy<Value = (&'static str, Value)> {
    let at = |path: &'static str| move |value: Value| (path, value);
    prop_oneof![
        url().prop_map(|url| ("/spec/endpoint/url", json!(url))),
        list(text()).prop_map(at("/spec/endpoint/hosts")),
        list(url()).prop_map(at("/spec/endpoint/allowedOrigins")),
        prop::sample::select(vec![
            json!({"mode": "Off"}),
            json!({"mode": "Secret", "secretName": "s"}),
            json!({"mode": "Secret"})
        ])
        .prop_map(at("/spec/endpoint/tls")),
        rules().prop_map(at("/spec/auth/rules")),
        scopes().prop_map(at("/spec/auth/scopes")),
        list(text()).prop_map(at("/spec/auth/initialScopes")),
        text().prop_map(|value| ("/spec/auth/audience", json!({"value": value}))),
        sender_constraint().prop_map(at("/spec/auth/senderConstraint")),
        list(text()).prop_map(|allow| ("/spec/auth/clients", json!({"allow": allow}))),
        prop::sample::select(vec!["None", "OAuth"]).prop_map(|mode| ("/spec/auth/mode", json!(mode))),
        duration().prop_map(|age| ("/spec/session", json!({"maxAge": age}))),
        list(text()).prop_map(|redact| ("/spec/audit", json!({"redact": redact}))),
        (any::<i32>(), text())
            .prop_map(|(port, path)| ("/spec/source/workload/transport", json!({"port": port, "path": path}))),
        (0..70_000, "/[a-z/?#%]{0,6}")
            .prop_map(|(port, path)| ("/spec/source/workload/transport", json!({"port": port, "path": path}))),
        (text(), any::<i32>()).prop_map(|(name, port)| (
            "/spec/source",
            json!({"type": "Service", "service": {"name": name, "port": port}})
        )),
        (0..70_000, "/[a-z]{0,6}").prop_map(|(port, path)| (
            "/spec/source",
            json!({"type": "Service", "service": {"name": "s", "port": port, "path": path}})
        )),
        text().prop_map(|name| ("/metadata/name", json!(name))),
    ]
}

fn rate() -> impl Strategy<Value = Value> {
    (text(), -1..50, duration(), prop::option::of(-1..50)).prop_map(|(tier, requests, window, burst)| {
        let mut rate = json!({"tier": tier, "requests": requests, "window": window});
        if let Some(burst) = burst {
            rate["burst"] = json!(burst);
        }
        rate
    })
}

/// A change of the policy.
fn policy() -> impl Strategy<Value = (&'static str, Value)> {
    prop_oneof![
        prop::collection::vec(rate(), 0..4).prop_map(|rates| ("/spec/limits/0/rates", json!(rates))),
        matches().prop_map(|matches| ("/spec/limits/1/match", matches)),
        text().prop_map(|name| ("/spec/limits/1/name", json!(name))),
        text().prop_map(|section| (
            "/spec/targetRefs",
            json!([{"name": "catalog", "sectionName": section}, {"name": "catalog"}])
        )),
        (text(), list(text())).prop_map(|(tier, ids)| (
            "/spec/tiers",
            json!({"default": "basic", "clients": [{"tier": tier, "ids": ids}]})
        )),
    ]
}

/// A change of the provider.
fn provider() -> impl Strategy<Value = (&'static str, Value)> {
    prop_oneof![
        url().prop_map(|url| ("/spec/external/issuer", json!(url))),
        url().prop_map(|url| ("/spec/external/jwksURL", json!(url))),
        duration().prop_map(|leeway| ("/spec/external/leeway", json!(leeway))),
        duration().prop_map(|lifetime| ("/spec/external/maxTokenLifetime", json!(lifetime))),
        list(text()).prop_map(|scopes| ("/spec/external/claims", json!({"scopes": scopes}))),
        text().prop_map(|key| ("/spec/external/caConfigMap", json!({"name": "ca", "key": key}))),
        (text(), text(), duration(), url()).prop_map(|(id, secret, ttl, url)| (
            "/spec/external/introspection",
            json!({"endpointURL": url, "client": {"id": id, "secret": {"name": secret}}, "cacheTTL": ttl})
        )),
    ]
}

fn inputs() -> impl Strategy<Value = Inputs> {
    let changes = (
        prop::collection::vec(server(), 0..3),
        prop::collection::vec(policy(), 0..2),
        prop::collection::vec(provider(), 0..2),
    );
    changes.prop_map(|(server, policy, provider)| {
        let mut inputs = catalog();
        for (path, value) in server {
            // An earlier change may have taken the place away.
            if !has_place(&inputs.server, path) {
                continue;
            }
            inputs.server = change(&inputs.server, path, value);
        }
        for (path, value) in policy {
            inputs.policies[0] = change(&inputs.policies[0], path, value);
        }
        for (path, value) in provider {
            inputs.providers[0] = change(&inputs.providers[0], path, value);
        }
        inputs
    })
}

#[test]
fn the_generator_makes_enough_of_both_kinds_for_the_properties_to_mean_something() {
    let mut runner = TestRunner::deterministic();
    let drawn = (0..300).map(|_| inputs().new_tree(&mut runner).unwrap().current());
    let accepted = drawn.filter(|inputs| validate(inputs).is_ok()).count();
    assert!((45..=255).contains(&accepted), "{accepted} of 300 accepted");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn either_there_are_findings_or_the_data_plane_loads_the_configuration(inputs in inputs()) {
        match validate(&inputs) {
            Err(findings) => prop_assert!(!findings.is_empty()),
            Ok(validated) => {
                let desired = desired(&validated);
                prop_assert!(desired.is_ok(), "accepted, but the data plane refuses: {:?}", desired.err());
                let text = desired.unwrap().configuration.text().to_owned();
                prop_assert!(load(text.as_bytes()).is_ok());
            }
        }
    }

    #[test]
    fn findings_are_sentences_for_a_person(inputs in inputs()) {
        for finding in validate(&inputs).err().into_iter().flatten() {
            prop_assert!(!finding.message.is_empty());
            prop_assert!(finding.reason != ConditionReason::Rejected, "{finding}");
        }
    }
}
