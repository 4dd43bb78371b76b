//! `explain`: what it says of tokens of a local issuer, by keys in a file, and its exit codes.

use crate::manifests::Manifests;
use crate::tokens::Issuer;
use serde_json::{Value, json};

/// A server with a rule of every kind, and limits.
const SHOP: &str = "apiVersion: tollward.dev/v1alpha1
kind: MCPServer
metadata: {name: shop, namespace: shop}
spec:
  source:
    type: Workload
    workload: {image: shop, transport: {port: 3000}}
  auth:
    mode: OAuth
    identityProviders: [{name: idp}]
    scopes:
      - {name: 'shop:read', description: look}
      - {name: 'shop:pay', description: pay}
    initialScopes: ['shop:read']
    rules:
      - {name: read, match: {tools: ['get_*']}, scopes: ['shop:read']}
      - {name: pay, match: {tools: [pay]}, scopes: ['shop:pay'], condition: args.amount <= 100}
      - {name: no-guests, match: {tools: [pay]}, action: Deny, condition: '\"guests\" in principal.groups'}
---
apiVersion: tollward.dev/v1alpha1
kind: RateLimitPolicy
metadata: {name: calls, namespace: shop}
spec:
  targetRefs: [{name: shop}]
  limits: [{name: each, per: [Client], rates: [{requests: 60, window: 1m, burst: 5}]}]
---
apiVersion: tollward.dev/v1alpha1
kind: IdentityProvider
metadata: {name: idp, namespace: shop}
spec: {type: External, external: {issuer: 'https://idp.example.com'}}
";

/// Beside the manifests: a token with these claims, keys, and arguments.
fn shop(claims: &Value, arguments: &str) -> (Manifests, String) {
    let manifests = Manifests::of(&[("shop.yaml", SHOP)]);
    let issuer = Issuer::new();
    let token = issuer.token("https://idp.example.com", "https://shop-tollward.shop.svc/mcp", claims);
    std::fs::write(manifests.path("token"), format!("{token}\n")).unwrap();
    std::fs::write(manifests.path("jwks.json"), issuer.keys()).unwrap();
    std::fs::write(manifests.path("args.json"), arguments).unwrap();
    (manifests, token)
}

fn asked(claims: &Value, arguments: &str, more: &[&str]) -> (String, Option<i32>) {
    let (manifests, token) = shop(claims, arguments);
    let mut all = vec!["explain", "-f", "manifests", "--token", "token", "--jwks", "jwks.json"];
    all.extend(more);
    let (text, code) = manifests.run(&all);
    for part in token.split('.') {
        assert!(!text.contains(part), "the token must not be printed: {text}");
    }
    (text, code)
}

const PAY: [&str; 4] = ["--tool", "pay", "--args", "args.json"];

#[test]
fn an_allowed_call_names_its_rule_its_condition_and_its_limits() {
    let (text, code) = asked(&json!({"scope": "shop:pay", "groups": ["staff"]}), r#"{"amount": 50}"#, &PAY);
    insta::assert_snapshot!(text);
    assert_eq!(code, Some(0));
}

#[test]
fn a_refused_call_names_what_is_missing() {
    for (claims, arguments, expected) in [
        (json!({"scope": "shop:read", "groups": []}), r#"{"amount": 50}"#, "would ask  for shop:pay"),
        (
            json!({"scope": "shop:pay", "groups": []}),
            r#"{"amount": 500}"#,
            "condition `args.amount <= 100` does not hold",
        ),
        (json!({"scope": "shop:pay", "groups": []}), r#"{"sum": 5}"#, "can't be decided: args has no `amount`"),
        (json!({"scope": "shop:pay", "groups": ["guests"]}), r#"{"amount": 5}"#, "`no-guests` denies it"),
        (json!({"scope": "shop:pay"}), r#"{"amount": 5}"#, "`no-guests` denies it"),
        (json!({"scope": "shop:pay", "groups": []}), r#"{"amount": 5, "amount": 500}"#, "body_malformed"),
        (json!({"scope": "shop:pay", "groups": [], "aud": "https://elsewhere"}), "{}", "audience_mismatch"),
        (json!({"scope": "shop:pay", "groups": [], "exp": 1}), "{}", "token_expired"),
    ] {
        let (text, code) = asked(&claims, arguments, &PAY);
        assert!(text.starts_with("DENY shop/shop: ") && text.contains(expected), "{expected}: {text}");
        assert_eq!(code, Some(1), "{text}");
    }
    let (text, code) = asked(&json!({"scope": "shop:pay"}), "{}", &["--tool", "drop_table"]);
    assert!(text.contains("no_rule_matched") && code == Some(1), "{text}");
    let (text, code) = asked(&json!({"scope": "shop:pay"}), "{}", &["--method", "tools/destroy"]);
    assert!(text.contains("method_unknown") && code == Some(1), "{text}");
}

#[test]
fn a_call_that_holds_its_own_token_is_refused_after_its_limits_are_charged() {
    let (manifests, token) = shop(&json!({"scope": "shop:pay", "groups": []}), "{}");
    let arguments = json!({"amount": 50, "note": format!("use {token}")});
    std::fs::write(manifests.path("args.json"), arguments.to_string()).unwrap();
    let base = ["explain", "-f", "manifests", "--token", "token", "--jwks", "jwks.json"];
    let (text, code) = manifests.run(&[&base[..], &PAY].concat());
    assert!(text.starts_with("DENY shop/shop: ") && text.contains("token_in_call"), "{text}");
    assert!(text.contains("`pay` allows it") && text.contains("charges    calls/each"), "{text}");
    assert!(!text.contains("decided by"), "no rule decided it: {text}");
    assert!(token.split('.').all(|part| !text.contains(part)), "the token must not be printed: {text}");
    assert_eq!(code, Some(1));
}

/// The bound of the sidecar, by default 4 MiB of the whole message.
#[test]
fn a_call_that_is_larger_than_what_is_read_is_refused() {
    let claims = json!({"scope": "shop:read"});
    for (length, expected) in [(4_194_304, ("DENY", Some(1))), (4_190_000, ("ALLOW", Some(0)))] {
        let arguments = json!({"note": "x".repeat(length)}).to_string();
        let (text, code) = asked(&claims, &arguments, &["--tool", "get_x", "--args", "args.json"]);
        assert_eq!((text.split(' ').next().unwrap(), code), expected, "{length}: {text}");
        assert_eq!(text.contains("body_too_large"), code == Some(1), "{text}");
    }
}

#[test]
fn programs_read_it_as_json() {
    let more = [&PAY[..], &["-o", "json"]].concat();
    let (text, code) = asked(&json!({"scope": "shop:read", "groups": []}), r#"{"amount": 50}"#, &more);
    let said: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((said["decision"].as_str(), said["reason"].as_str()), (Some("deny"), Some("scope_insufficient")));
    assert_eq!(said["missingScopes"], json!(["shop:pay"]));
    assert_eq!(said["rules"][0]["outcome"], "holds");
    assert_eq!(code, Some(1));
}

#[test]
fn lists_and_other_methods_of_either_era_are_explained_without_arguments() {
    for method in ["tools/list", "resources/templates/list", "initialize", "server/discover", "ping"] {
        let (text, code) = asked(&json!({"scope": "", "groups": []}), "{}", &["--method", method]);
        assert!(text.starts_with("ALLOW shop/shop"), "{method}: {text}");
        assert_eq!(code, Some(0));
    }
}

#[test]
fn what_can_not_be_told_is_exit_code_two() {
    let (manifests, _) = shop(&json!({"scope": "shop:read"}), "{}");
    let base = ["explain", "-f", "manifests", "--tool", "get_x", "--token", "token"];
    for (more, expected) in [
        (&["--jwks", "nowhere.json"][..], "can't read nowhere.json"),
        (&["--jwks", "args.json"][..], "keys_unavailable"),
        (&["--jwks", "jwks.json", "--args", "token"][..], "--args is not JSON"),
        (&["--jwks", "jwks.json", "--server", "other"][..], "there is no MCPServer `other`"),
    ] {
        let (text, code) = manifests.run(&[&base[..], more].concat());
        assert!(text.contains(expected), "{expected}: {text}");
        assert_eq!(code, Some(2), "{text}");
    }
    let (text, code) = manifests.run(&["explain", "-f", "manifests", "--tool", "get_x", "--jwks", "jwks.json"]);
    assert!(text.contains("credentials_missing") && code == Some(1), "{text}");
}

#[test]
fn standard_input_can_not_be_token_and_arguments_at_once() {
    let (manifests, _) = shop(&json!({}), "{}");
    let (text, code) = manifests.run(&["explain", "-f", "manifests", "--tool", "pay", "--token", "-", "--args", "-"]);
    assert!(text.contains("--token and --args can't both be standard input"), "{text}");
    assert_eq!(code, Some(2));
}
