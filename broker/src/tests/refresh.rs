//! Refresh tokens: rotation, reuse, bounds of what was granted (attack case C15).

use std::time::Duration;

use http::StatusCode;
use serde_json::Value;

use super::harness::{CATALOG, World, config, redemption, refreshing};
use crate::{BrokerEvent, ClientId, RevocationCause, StoreLimits, Subject};

fn refresh_token(tokens: &Value) -> &str {
    tokens["refresh_token"].as_str().unwrap()
}

#[tokio::test]
async fn each_refresh_rotates_the_token_until_the_sign_in_ends() {
    let world = World::new();
    let client_id = world.client().await;
    let mut tokens = world.tokens(&client_id).await;
    for _ in 0..5 {
        world.pass(Duration::from_mins(10));
        let reply = world.token(&refreshing(&client_id, refresh_token(&tokens))).await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.body);
        let next = reply.json();
        assert_ne!(refresh_token(&next), refresh_token(&tokens));
        assert_eq!(next["scope"], "catalog:read catalog:write");
        tokens = next;
    }
    world.pass(Duration::from_mins(10));
    world.token(&refreshing(&client_id, refresh_token(&tokens))).await.is_oauth_error(400, "invalid_grant");
}

#[tokio::test]
async fn a_used_refresh_token_ends_the_family_of_thief_and_owner() {
    let world = World::new();
    let client_id = world.client().await;
    let first = world.tokens(&client_id).await;
    let second = world.token(&refreshing(&client_id, refresh_token(&first))).await.json();
    world.token(&refreshing(&client_id, refresh_token(&first))).await.is_oauth_error(400, "invalid_grant");
    world.token(&refreshing(&client_id, refresh_token(&second))).await.is_oauth_error(400, "invalid_grant");
    let reused = |event: &BrokerEvent| {
        matches!(event, BrokerEvent::FamilyRevoked { cause: RevocationCause::RefreshReused, family: _ })
    };
    assert_eq!(world.events().iter().filter(|event| reused(event)).count(), 1);
}

#[tokio::test]
async fn forged_or_misdirected_refresh_tokens_have_no_effect() {
    let world = World::new();
    let client_id = world.client().await;
    let thief = world.client().await;
    let tokens = world.tokens(&client_id).await;
    let genuine = refresh_token(&tokens);
    let parts: Vec<&str> = genuine.split('.').collect();
    for forged in [
        format!("{}.1.{}", parts[0], parts[2]),
        format!("{}.0.", parts[0]),
        format!("{}.00.{}", parts[0], parts[2]),
        format!("{genuine}x"),
        parts[0].to_owned(),
        "..".to_owned(),
    ] {
        world.token(&refreshing(&client_id, &forged)).await.is_oauth_error(400, "invalid_grant");
    }
    world.token(&refreshing(&thief, genuine)).await.is_oauth_error(400, "invalid_grant");
    let elsewhere = refreshing(&client_id, genuine).with("resource", "http://127.0.0.1:8081/mcp");
    world.token(&elsewhere).await.is_oauth_error(400, "invalid_target");
    let wider = refreshing(&client_id, genuine).with("scope", "catalog:read orders:read");
    world.token(&wider).await.is_oauth_error(400, "invalid_scope");
    let good = refreshing(&client_id, genuine).with("resource", CATALOG);
    assert_eq!(world.token(&good).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_refresh_may_ask_for_less_without_losing_the_rest() {
    let world = World::new();
    let client_id = world.client().await;
    let tokens = world.tokens(&client_id).await;
    let narrow = refreshing(&client_id, refresh_token(&tokens)).with("scope", "catalog:read");
    let narrow = world.token(&narrow).await.json();
    assert_eq!(narrow["scope"], "catalog:read");
    let full = world.token(&refreshing(&client_id, refresh_token(&narrow))).await.json();
    assert_eq!(full["scope"], "catalog:read catalog:write");
}

#[tokio::test]
async fn withdrawing_consent_ends_codes_and_refresh_tokens_for_good() {
    let world = World::new();
    let client_id = world.client().await;
    let tokens = world.tokens(&client_id).await;
    let code = world.code(&client_id).await;
    let (alice, client) = (Subject::parse("alice").unwrap(), ClientId::parse(&client_id).unwrap());
    assert_eq!(world.broker.withdraw_consent(&alice, &client).await, Ok(true));
    assert_eq!(world.broker.withdraw_consent(&alice, &client).await, Ok(false));
    let again = world.tokens(&client_id).await;
    for form in [refreshing(&client_id, refresh_token(&tokens)), redemption(&client_id, &code)] {
        world.token(&form).await.is_oauth_error(400, "invalid_grant");
    }
    let reply = world.token(&refreshing(&client_id, refresh_token(&again))).await;
    assert_eq!(reply.status, StatusCode::OK, "a new consent begins a new family");
}

/// A full store forgets the oldest consent; without it nothing is renewed.
#[tokio::test]
async fn a_family_whose_consent_is_gone_from_the_store_ends() {
    let limits = StoreLimits { consents: 1, ..StoreLimits::standard() };
    let world = World::with_store(config(), limits);
    let (first, second) = (world.client().await, world.client().await);
    let tokens = world.tokens(&first).await;
    world.tokens(&second).await;
    let form = refreshing(&first, refresh_token(&tokens));
    world.token(&form).await.is_oauth_error(400, "invalid_grant");
    let ended = |event: &BrokerEvent| {
        matches!(event, BrokerEvent::FamilyRevoked { cause: RevocationCause::ConsentWithdrawn, family: _ })
    };
    assert!(world.events().iter().any(ended));
}
