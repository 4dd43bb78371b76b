//! How a token arrives.

use super::issuer::Key;
use super::world::{World, config, judge};
use crate::authenticate::{
    AUTHORIZATION_LIST, AUTHORIZATION_REPEATED, AUTHORIZATION_SCHEME, Authenticator, AuthenticatorError, Refusal,
};
use http::{HeaderMap, HeaderValue};
use tollward_policy::config::AuthConfig;
use tollward_policy::principal::Principal;
use tollward_policy::reason::Reason;

async fn send(authenticator: &Authenticator, headers: &[(&'static str, &str)]) -> Result<Principal, Refusal> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    judge(authenticator, &map).await.map(|authenticated| authenticated.principal)
}

#[tokio::test(start_paused = true)]
async fn the_scheme_is_read_in_any_case_and_nothing_else_is_forgiven() {
    let key = Key::new("k", "ES256");
    let world = World::with(config(), &[&key]).await;
    let token = key.token();
    let malformed = Reason::CredentialsMalformed;
    for (name, value, expected) in [
        ("T02 Bearer", format!("Bearer {token}"), Reason::Allowed),
        ("T02 bearer", format!("bearer {token}"), Reason::Allowed),
        ("T02 BEARER", format!("BEARER {token}"), Reason::Allowed),
        ("T02 tab", format!("Bearer\t{token}"), malformed),
        ("T02 two spaces", format!("Bearer  {token}"), malformed),
        ("T02 trailing space", format!("Bearer {token} "), malformed),
        ("T02 trailing word", format!("Bearer {token} x"), malformed),
        ("T02 leading space", format!(" Bearer {token}"), malformed),
        ("T02 alone", "Bearer".to_owned(), malformed),
        ("T02 alone with a space", "Bearer ".to_owned(), malformed),
        ("T02 no space", format!("Bearer{token}"), malformed),
        ("T02 empty", String::new(), malformed),
        ("T02 quoted", format!("Bearer \"{token}\""), malformed),
        ("T02 padding only", "Bearer ==".to_owned(), malformed),
        ("T02 padding inside", "Bearer a=b".to_owned(), malformed),
        ("T02 beyond ASCII", "Bearer tökén".to_owned(), malformed),
        ("T01 list", format!("Bearer {token}, Bearer {token}"), malformed),
        ("T04 Basic", "Basic dXNlcjpwYXNz".to_owned(), malformed),
        ("T04 Negotiate", "Negotiate YII=".to_owned(), malformed),
        ("T04 DPoP", format!("DPoP {token}"), malformed),
        ("T04 ApiKey", "ApiKey abc".to_owned(), malformed),
        ("J38 opaque", "Bearer 2YotnFZFEjr1zCsicMWpAA".to_owned(), Reason::TokenMalformed),
    ] {
        let answer = send(&world.authenticator, &[("authorization", &value)]).await;
        let reason = answer.map_or_else(|refusal| refusal.reason, |_| Reason::Allowed);
        assert_eq!(reason, expected, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn ambiguous_and_foreign_credentials_are_told_apart() {
    let key = Key::new("k", "ES256");
    let world = World::with(config(), &[&key]).await;
    let bearer = format!("Bearer {}", key.token());
    let list = format!("{bearer}, {bearer}");
    let twice = [("authorization", bearer.as_str()), ("authorization", &bearer)];
    for (name, headers, detail) in [
        ("T01 two headers", &twice[..], AUTHORIZATION_REPEATED),
        ("T01 list", &[("authorization", list.as_str())], AUTHORIZATION_LIST),
        ("T04 Basic", &[("authorization", "Basic eDp5")], AUTHORIZATION_SCHEME),
    ] {
        let refusal = send(&world.authenticator, headers).await.unwrap_err();
        assert_eq!((refusal.reason, refusal.detail), (Reason::CredentialsMalformed, detail), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_anywhere_but_in_the_authorization_header_is_no_token() {
    let key = Key::new("k", "ES256");
    let world = World::with(config(), &[&key]).await;
    let token = key.token();
    let cookie = format!("access_token={token}");
    let bearer = format!("Bearer {token}");
    for headers in [
        &[][..],
        &[("cookie", cookie.as_str())],
        &[("x-access-token", token.as_str())],
        &[("proxy-authorization", bearer.as_str())],
    ] {
        let refusal = send(&world.authenticator, headers).await.unwrap_err();
        assert_eq!(refusal.reason, Reason::CredentialsMissing, "T03 {headers:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_has_at_most_16_kib() {
    let key = Key::new("k", "ES256");
    let world = World::with(config(), &[&key]).await;
    let padded = |length: usize| {
        let bare = key.with_claims(|claims| claims["pad"] = "".into()).len();
        // Three bytes of JSON are four characters of a token.
        key.with_claims(|claims| claims["pad"] = "x".repeat((length - bare) * 3 / 4).into())
    };
    let largest = padded(16 * 1024);
    assert!((16 * 1024 - 4..=16 * 1024).contains(&largest.len()), "{}", largest.len());
    world
        .check(&[
            ("J13 8 KiB", padded(8 * 1024), Reason::Allowed),
            ("J13 16 KiB", largest, Reason::Allowed),
            ("J13 beyond 16 KiB", padded(16 * 1024 + 8), Reason::TokenMalformed),
            ("J13 a megabyte of dots", ".".repeat(1 << 20), Reason::TokenMalformed),
            ("J13 16 KiB of dots", ".".repeat(16 * 1024), Reason::TokenMalformed),
        ])
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_route_without_authentication_asks_nobody_and_only_if_it_is_written_out() {
    let world = World::offline(config());
    let build = |auth: &AuthConfig, configs: &[_]| world.build(auth, configs);
    let open = build(&AuthConfig::None {}, &[]).unwrap();
    assert_eq!(send(&open, &[]).await, Ok(Principal::Anonymous));

    let auth = super::world::route(&["a"], &[]);
    let error = build(&auth, &[]).err();
    assert_eq!(error, Some(AuthenticatorError::ProviderUnknown("team/idp".to_owned())));
    let error = build(&super::world::route(&[], &[]), &[config()]).err();
    assert_eq!(error, Some(AuthenticatorError::NoAudience), "J18");
    let AuthConfig::OAuth { audiences, auth_server_metadata, .. } = auth else {
        panic!("the route is not open");
    };
    let with = |providers: &[&str]| AuthConfig::OAuth {
        providers: providers.iter().map(|name| (*name).to_owned()).collect(),
        audiences: audiences.clone(),
        allowed_clients: Vec::new(),
        allowed_client_hosts: Vec::new(),
        scope_prefixes: std::collections::BTreeMap::new(),
        auth_server_metadata,
        sender_constraint: None,
    };
    assert_eq!(build(&with(&[]), &[config()]).err(), Some(AuthenticatorError::NoProvider));
    let mut twin = config();
    twin.name = "team/twin".to_owned();
    let error = build(&with(&["team/idp", "team/twin"]), &[config(), twin]).err();
    assert!(matches!(error, Some(AuthenticatorError::IssuerRepeated(_))), "{error:?}");
}
