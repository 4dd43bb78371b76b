//! Authorization codes: once, soon, for their owner (attack cases C06, C07, C14).

use std::time::Duration;

use http::StatusCode;

use super::harness::{VERIFIER, World, redemption, refreshing, request};
use crate::{BrokerEvent, Refusal, RevocationCause, TokenError};

#[tokio::test]
async fn a_failed_attempt_is_refused_and_does_not_burn_the_code() {
    let world = World::new();
    let client_id = world.client().await;
    let thief = world.client().await;
    let code = world.code(&client_id).await;
    let good = redemption(&client_id, &code);
    let short = VERIFIER.get(..42).unwrap();
    for (wrong, error) in [
        (good.clone().with("client_id", &thief), "invalid_grant"),
        (good.clone().with("redirect_uri", "http://127.0.0.1:1/oauth/callback"), "invalid_grant"),
        (good.clone().with("redirect_uri", "https://evil.example/"), "invalid_grant"),
        (good.clone().without("code_verifier"), "invalid_request"),
        (good.clone().with("code_verifier", ""), "invalid_request"),
        (good.clone().with("code_verifier", short), "invalid_grant"),
        (good.clone().with("code_verifier", &VERIFIER.to_uppercase()), "invalid_grant"),
        (good.clone().with("code_verifier", &super::harness::challenge(VERIFIER)), "invalid_grant"),
        (good.clone().with("code_verifier", &"x".repeat(129)), "invalid_grant"),
        (good.clone().with("code", &code[..code.len() - 1]), "invalid_grant"),
        (good.clone().with("code", &format!("{code}x")), "invalid_grant"),
        (good.clone().with("resource", "http://127.0.0.1:8081/mcp"), "invalid_target"),
        (good.clone().and("resource", "http://127.0.0.1:8081/mcp"), "invalid_target"),
    ] {
        world.token(&wrong).await.is_oauth_error(400, error);
    }
    assert_eq!(world.token(&good).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_code_expires_after_sixty_seconds() {
    let world = World::new();
    let client_id = world.client().await;
    let (early, late) = (world.code(&client_id).await, world.code(&client_id).await);
    world.pass(Duration::from_secs(59));
    assert_eq!(world.token(&redemption(&client_id, &early)).await.status, StatusCode::OK);
    world.pass(Duration::from_secs(1));
    world.token(&redemption(&client_id, &late)).await.is_oauth_error(400, "invalid_grant");
}

#[tokio::test]
async fn a_replayed_code_ends_what_its_first_use_began() {
    let world = World::new();
    let client_id = world.client().await;
    let code = world.code(&client_id).await;
    let tokens = world.token(&redemption(&client_id, &code)).await.json();
    world.pass(Duration::from_mins(3));
    world.token(&redemption(&client_id, &code)).await.is_oauth_error(400, "invalid_grant");
    let refresh_token = tokens["refresh_token"].as_str().unwrap();
    world.token(&refreshing(&client_id, refresh_token)).await.is_oauth_error(400, "invalid_grant");
    let events = world.events();
    let replayed = |event: &BrokerEvent| {
        matches!(event, BrokerEvent::FamilyRevoked { cause: RevocationCause::CodeReplayed, family: _ })
    };
    assert!(events.iter().any(replayed));
    let refused = Refusal::Token(TokenError::CodeReplayed);
    assert!(
        events
            .iter()
            .any(|event| matches!(event, BrokerEvent::Refused { refusal, client_id: _ } if *refusal == refused))
    );
}

/// A leaked code without its verifier is worth nothing, so that it must not end its owner's tokens either.
#[tokio::test]
async fn a_replay_by_somebody_else_does_not_end_the_owners_tokens() {
    let world = World::new();
    let client_id = world.client().await;
    let thief = world.client().await;
    let code = world.code(&client_id).await;
    let good = redemption(&client_id, &code);
    let tokens = world.token(&good).await.json();
    world.token(&good.clone().with("client_id", &thief)).await.is_oauth_error(400, "invalid_grant");
    world.token(&good.with("code_verifier", &"x".repeat(43))).await.is_oauth_error(400, "invalid_grant");
    let refreshed = world.token(&refreshing(&client_id, tokens["refresh_token"].as_str().unwrap())).await;
    assert_eq!(refreshed.status, StatusCode::OK);
}

#[tokio::test]
async fn of_many_attempts_at_once_exactly_one_wins() {
    let world = World::new();
    let client_id = world.client().await;
    let form = redemption(&client_id, &world.code(&client_id).await);
    let attempts = futures_util::future::join_all((0..8).map(|_| world.token(&form))).await;
    assert_eq!(attempts.iter().filter(|reply| reply.status == StatusCode::OK).count(), 1);
}

#[tokio::test]
async fn an_oauth_2_1_client_need_not_repeat_redirect_uri_and_resource() {
    let world = World::new();
    let client_id = world.client().await;
    let code = world.code(&client_id).await;
    let form = redemption(&client_id, &code).without("redirect_uri").without("resource");
    let reply = world.token(&form).await;
    assert_eq!((reply.status, reply.header("cache-control")), (StatusCode::OK, "no-store"));
}

#[tokio::test]
async fn a_client_that_did_not_register_for_refresh_tokens_gets_none() {
    let world = World::new();
    let metadata = serde_json::json!({"redirect_uris": [super::harness::REDIRECT]});
    let client_id = world.register(&metadata).await.json()["client_id"].as_str().unwrap().to_owned();
    let tokens = world.tokens(&client_id).await;
    assert_eq!(tokens.get("refresh_token"), None);
    let form = refreshing(&client_id, "x.0.y");
    world.token(&form).await.is_oauth_error(400, "unauthorized_client");
    let code = world.code_with(&request(&client_id)).await;
    assert!(!code.is_empty());
}
