//! The kill switch: who is kept out although the signature is good, and what that costs everybody else.

use super::issuer::{ISSUER, Key, NOW, RESOURCE, claims, without};
use super::world::{JWKS_URL, World, call, config, route};
use crate::authenticate::{Authenticator, Withdrawn};
use serde_json::{Value, json};
use std::sync::Arc;
use tollward_policy::config::ProviderConfig;
use tollward_policy::principal::{Principal, TokenPrincipal};
use tollward_policy::reason::Reason;

const REVOKED: Reason = Reason::TokenRevoked;

fn denying(entries: &Value) -> ProviderConfig {
    ProviderConfig { deny: serde_json::from_value(entries.clone()).unwrap(), ..config() }
}

/// The route as a reload with these entries makes it.
fn reloaded(world: &World, entries: &Value) -> Authenticator {
    world.build(&route(&[RESOURCE], &[]), &[denying(entries)]).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_token_that_was_verified_before_is_refused_from_the_next_request_on() {
    let key = Key::new("k", "ES256");
    let world = World::with(config(), &[&key]).await;
    let (ada, eve) = (key.token(), key.with_claims(|claims| claims["sub"] = json!("eve")));
    let before = world.call(&ada).await.unwrap();
    world.call(&eve).await.unwrap();
    let (fetches, proofs) = (world.network.count(JWKS_URL), world.cache.len());

    let denying = reloaded(&world, &json!([{"name": "laptop", "subject": before.subject}]));
    let refusal = call(&denying, &ada).await.unwrap_err();
    assert_eq!(refusal.reason, REVOKED);
    let denied = refusal.denied.unwrap();
    assert_eq!(denied.entry, "team/idp/laptop");
    assert_eq!(denied.principal, Principal::Token(Arc::new(before.clone())), "the record can tell who it was");
    assert!(!refusal.detail.contains("laptop"), "the caller is not told");
    call(&denying, &eve).await.unwrap();
    let judged = (world.network.count(JWKS_URL), world.cache.len());
    assert_eq!(judged, (fetches, proofs), "no key was fetched and no signature verified again");

    assert_eq!(call(&reloaded(&world, &json!([])), &ada).await, Ok(before), "until the entry is taken back");
}

#[tokio::test(start_paused = true)]
async fn an_entry_is_judged_by_the_time_of_the_request() {
    let key = Key::new("k", "ES256");
    let world = World::with(config(), &[&key]).await;
    let token = key.token();
    let subject = world.call(&token).await.unwrap().subject;
    let denying = reloaded(&world, &json!([{"name": "a", "subject": subject, "until": NOW + 10}]));
    assert_eq!(call(&denying, &token).await.unwrap_err().reason, REVOKED);
    world.clock.set(NOW + 9);
    assert_eq!(call(&denying, &token).await.unwrap_err().reason, REVOKED);
    world.clock.set(NOW + 10);
    call(&denying, &token).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn every_older_token_can_be_refused_at_once_and_those_that_hide_their_age_with_them() {
    let key = Key::new("k", "ES256");
    let world = World::with(config(), &[&key]).await;
    let old = key.with_claims(|claims| claims["iat"] = json!(NOW - 1));
    let new = key.with_claims(|claims| claims["iat"] = json!(NOW));
    let ageless = key.token_with(&key.header(), &without(claims(), "iat"));
    let denying = reloaded(&world, &json!([{"name": "breach", "issuedBefore": NOW}]));
    assert_eq!(call(&denying, &old).await.unwrap_err().reason, REVOKED);
    assert_eq!(call(&denying, &ageless).await.unwrap_err().reason, REVOKED);
    call(&denying, &new).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_entry_is_about_its_own_provider_and_about_every_audience() {
    let key = Key::new("k", "ES256");
    let world = World::with(config(), &[&key]).await;
    let token = key.token();
    let subject = world.call(&token).await.unwrap().subject;
    let mut other = denying(&json!([{"name": "a", "subject": subject}]));
    other.name = "team/other".into();
    other.issuer = format!("{ISSUER}-other");
    let mut auth = route(&[RESOURCE], &[]);
    if let tollward_policy::config::AuthConfig::OAuth { providers, .. } = &mut auth {
        providers.push("team/other".into());
    }
    let both = world.build(&auth, &[config(), other]);
    call(&both.unwrap(), &token).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_forged_or_expired_token_of_a_denied_caller_is_refused_for_what_it_is() {
    let key = Key::new("k", "ES256");
    let world = World::with(config(), &[&key]).await;
    let subject = claims()["sub"].clone();
    let denying = reloaded(&world, &json!([{"name": "a", "subject": subject}]));
    let expired = key.with_claims(|claims| claims["exp"] = json!(NOW - 100));
    assert_eq!(call(&denying, &expired).await.unwrap_err().reason, Reason::TokenExpired);
    let forged = Key::new("k", "ES256").token();
    let refusal = call(&denying, &forged).await.unwrap_err();
    assert_eq!((refusal.reason, refusal.denied), (Reason::TokenSignatureInvalid, None), "nobody is named by a forgery");
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_was_let_in_is_judged_again_by_a_new_configuration() {
    let key = Key::new("k", "ES256");
    let world = World::with(config(), &[&key]).await;
    let caller = Principal::Token(Arc::new(world.call(&key.token()).await.unwrap()));
    let Principal::Token(token) = &caller else { panic!("a token") };
    assert_eq!(world.authenticator.withdrawn(&caller, NOW), None);
    let denied = reloaded(&world, &json!([{"name": "laptop", "subject": token.subject}]));
    let expected = Withdrawn { reason: REVOKED, entry: Some("team/idp/laptop".into()) };
    assert_eq!(denied.withdrawn(&caller, NOW), Some(expected));
    let because = |reason| Some(Withdrawn { reason, entry: None });
    assert_eq!(world.route(&[RESOURCE], &["somebody"]).withdrawn(&caller, NOW), because(Reason::ClientNotAllowed));
    let stranger = TokenPrincipal { provider: "team/gone".into(), ..(**token).clone() };
    let stranger = Principal::Token(Arc::new(stranger));
    assert_eq!(world.authenticator.withdrawn(&stranger, NOW), because(Reason::IssuerUnknown));
    let moved = TokenPrincipal { issuer: format!("{ISSUER}-before"), ..(**token).clone() };
    let moved = Principal::Token(Arc::new(moved));
    assert_eq!(
        world.authenticator.withdrawn(&moved, NOW),
        because(Reason::IssuerUnknown),
        "the same name, another issuer"
    );
    let elsewhere = world.route(&["https://other.example/mcp"], &[]);
    assert_eq!(elsewhere.withdrawn(&caller, NOW), because(Reason::AudienceMismatch));
    assert_eq!(world.authenticator.withdrawn(&Principal::Anonymous, NOW), because(Reason::CredentialsMissing));
}
