//! What becomes of what was typed.

use super::{Setting, entry};
use crate::arguments::{Arguments, Command, RevokeArguments};
use crate::revoke::token::tests::claims;
use clap::Parser as _;
use serde_json::{Value, json};

const NOW: &str = "2026-11-23T12:00:00.5Z";

fn typed(arguments: &[&str]) -> RevokeArguments {
    let all = ["tollward", "revoke", "--provider", "idp"].iter().chain(arguments);
    let Command::Revoke(arguments) = Arguments::try_parse_from(all).unwrap().command else { panic!("revoke") };
    *arguments
}

fn provider() -> Value {
    json!({"spec": {"external": {"issuer": "https://idp.example", "leeway": "10s"}}})
}

fn made(arguments: &[&str], token: Option<&Value>, provider: &Value) -> Result<Value, String> {
    let token = token.map(claims);
    let setting = Setting { provider, token, now: NOW.parse().unwrap(), random: "ab12".into() };
    entry(&typed(arguments), &setting).map_err(|error| error.to_string())
}

#[test]
fn what_was_typed_is_what_stands_there() {
    let typed = ["--subject", "ada", "--client", "c", "--token-id", "t", "--reason", "lost", "--name", "laptop"];
    let expected = json!({"name": "laptop", "reason": "lost", "subject": "ada", "client": "c", "tokenId": "t"});
    assert_eq!(made(&typed, None, &provider()), Ok(expected));
    let named = made(&["--subject", "ada"], None, &provider()).unwrap();
    assert_eq!(named["name"], "revoked-20261123t120000z-ab12");
}

#[test]
fn now_is_rounded_up_and_allows_for_the_clocks_of_the_issuer() {
    let made = |arguments: &[&str]| made(arguments, None, &provider()).unwrap();
    assert_eq!(made(&["--issued-before", "now"])["issuedBefore"], "2026-11-23T12:00:12Z");
    assert_eq!(made(&["--issued-before", "2026-11-23T10:00:00Z"])["issuedBefore"], "2026-11-23T10:00:00Z");
    assert_eq!(made(&["--subject", "a", "--until", "1h"])["until"], "2026-11-23T13:00:01Z");
}

#[test]
fn an_end_in_the_past_is_refused() {
    let error = made(&["--subject", "a", "--until", "2026-11-23T11:00:00Z"], None, &provider()).unwrap_err();
    assert!(error.contains("in the past"), "{error}");
}

#[test]
fn a_token_is_named_by_its_subject_and_id_until_it_has_expired() {
    let token =
        json!({"iss": "https://idp.example", "sub": "ada", "jti": "t-1", "iat": 1_795_430_000, "exp": 1_795_435_200});
    let expected = json!({"name": "x", "subject": "ada", "tokenId": "t-1", "until": "2026-11-23T13:00:00Z"});
    assert_eq!(made(&["--token", "f", "--name", "x"], Some(&token), &provider()), Ok(expected));
    let chosen = made(&["--token", "f", "--until", "10h"], Some(&token), &provider()).unwrap();
    assert_eq!(chosen["until"], "2026-11-23T22:00:01Z", "what was typed counts");
    let mut custom = provider();
    custom["spec"]["external"]["claims"] = json!({"subject": "oid", "tokenId": ["uti"]});
    let token = json!({"iss": "https://idp.example", "sub": "ada", "oid": "4711", "uti": "u-1", "jti": "t-1"});
    let made = made(&["--token", "f"], Some(&token), &custom).unwrap();
    assert_eq!((&made["subject"], &made["tokenId"]), (&json!("4711"), &json!("u-1")));
}

#[test]
fn a_token_without_an_id_is_named_by_its_age() {
    let token = json!({"iss": "https://idp.example", "sub": "ada", "iat": 1_795_428_000});
    let entry = made(&["--token", "f"], Some(&token), &provider()).unwrap();
    assert_eq!((&entry["issuedBefore"], entry.get("tokenId")), (&json!("2026-11-23T10:00:01Z"), None));
    for (token, expected) in [
        (json!({"iss": "https://idp.example", "sub": "ada"}), "revoke its --subject"),
        (json!({"iss": "https://idp.example", "jti": "t"}), "names no subject"),
        (json!({"iss": "https://other.example", "sub": "ada", "jti": "t"}), "another issuer"),
        (json!({"sub": "ada", "jti": "t"}), "another issuer"),
    ] {
        let error = made(&["--token", "f"], Some(&token), &provider()).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
}

const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";

#[test]
fn a_token_is_named_by_the_claims_that_the_data_plane_looks_at() {
    let entra = |external: Value| json!({"spec": {"external": external}});
    let one = entra(json!({"preset": "Entra", "issuer": format!("https://login.microsoftonline.com/{TENANT}/v2.0")}));
    let several = entra(json!({
        "preset": "Entra", "issuer": "https://login.microsoftonline.com/{tenantid}/v2.0", "tenants": [TENANT],
    }));
    let token = |tenant: &str| {
        let issuer = format!("https://login.microsoftonline.com/{tenant}/v2.0");
        json!({"iss": issuer, "sub": "differs from app to app", "oid": "690222be-ff1a", "uti": "u-1", "jti": "t-1"})
    };
    for provider in [&one, &several] {
        let made = made(&["--token", "f"], Some(&token(TENANT)), provider).unwrap();
        assert_eq!((&made["subject"], &made["tokenId"]), (&json!("690222be-ff1a"), &json!("u-1")));
    }
    let other = token("fa15d692-e9c7-4460-a743-29f2956fd429");
    for provider in [&one, &several] {
        let error = made(&["--token", "f"], Some(&other), provider).unwrap_err();
        assert!(error.contains("another issuer"), "{error}");
    }
}

#[test]
fn without_knowing_the_providers_claims_no_token_is_named() {
    let newer = json!({"spec": {"external": {"preset": "Newer", "issuer": "https://idp.example"}}});
    let token = json!({"iss": "https://idp.example", "sub": "ada", "jti": "t"});
    let error = made(&["--token", "f"], Some(&token), &newer).unwrap_err();
    assert!(error.contains("--subject"), "{error}");
    assert!(made(&["--subject", "ada"], None, &newer).is_ok(), "what was typed needs no preset");
}
