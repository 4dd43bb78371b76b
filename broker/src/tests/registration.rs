//! Dynamic client registration: what is kept, what is refused, what is bounded (attack case C13).

use std::num::NonZeroU32;
use std::time::Duration;

use axum::body::Body;
use http::{Request, StatusCode, header};
use serde_json::{Value, json};

use super::harness::{HOST, REDIRECT, World, config, request};
use crate::BrokerConfig;

fn world() -> World {
    World::with(BrokerConfig { registrations_per_minute: NonZeroU32::new(100_000).unwrap(), ..config() })
}

#[tokio::test]
async fn the_answer_says_what_was_registered() {
    let world = World::new();
    let reply = world
        .register(&json!({
            "client_name": "MCP Inspector", "redirect_uris": [REDIRECT, "https://app.example/cb"],
            "grant_types": ["authorization_code", "refresh_token", "client_credentials"], "response_types": ["code"],
            "token_endpoint_auth_method": "client_secret_post", "scope": "catalog:read", "application_type": "native",
        }))
        .await;
    assert_eq!((reply.status, reply.header("cache-control")), (StatusCode::CREATED, "no-store"));
    let mut registered = reply.json();
    assert_eq!(registered["client_id"].as_str().map(str::len), Some(22));
    registered["client_id"] = json!("");
    let expected = json!({
        "client_id": "", "client_id_issued_at": 1_800_000_000, "client_name": "MCP Inspector",
        "redirect_uris": [REDIRECT, "https://app.example/cb"], "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"], "token_endpoint_auth_method": "none", "application_type": "native",
    });
    assert_eq!(registered, expected);
}

#[tokio::test]
async fn the_application_type_follows_from_the_redirect_uris_if_it_is_not_given() {
    let world = World::new();
    for (redirect, kind) in [(REDIRECT, "native"), ("https://app.example/cb", "web")] {
        let registered = world.register(&json!({"redirect_uris": [redirect]})).await.json();
        assert_eq!(registered["application_type"], kind);
        assert_eq!(registered["grant_types"], json!(["authorization_code"]));
    }
}

#[tokio::test]
async fn metadata_that_breaks_a_rule_is_refused() {
    let world = world();
    let with = |name: &str, value: Value| {
        let mut metadata = json!({"redirect_uris": [REDIRECT]});
        metadata[name] = value;
        metadata
    };
    for (metadata, code) in [
        (json!({}), "invalid_redirect_uri"),
        (with("redirect_uris", json!([])), "invalid_redirect_uri"),
        (with("redirect_uris", json!(vec![REDIRECT; 11])), "invalid_redirect_uri"),
        (with("redirect_uris", json!([REDIRECT, "http://app.example/cb"])), "invalid_redirect_uri"),
        (with("redirect_uris", json!(["javascript:alert(1)"])), "invalid_redirect_uri"),
        (with("redirect_uris", json!(["data:text/html,x"])), "invalid_redirect_uri"),
        (with("redirect_uris", json!(["https://app.example/cb#x"])), "invalid_redirect_uri"),
        (with("redirect_uris", json!(["https://*.example/cb"])), "invalid_redirect_uri"),
        (with("redirect_uris", json!(["cursor://callback"])), "invalid_redirect_uri"),
        (with("redirect_uris", json!(REDIRECT)), "invalid_client_metadata"),
        (with("redirect_uris", json!([{"url": REDIRECT}])), "invalid_client_metadata"),
        (with("token_endpoint_auth_method", json!("private_key_jwt")), "invalid_client_metadata"),
        (with("token_endpoint_auth_method", json!("tls_client_auth")), "invalid_client_metadata"),
        (with("grant_types", json!(["implicit"])), "invalid_client_metadata"),
        (with("grant_types", json!(["refresh_token"])), "invalid_client_metadata"),
        (with("response_types", json!(["token"])), "invalid_client_metadata"),
        (with("application_type", json!("service")), "invalid_client_metadata"),
        (with("client_name", json!(["x"])), "invalid_client_metadata"),
        (json!([]), "invalid_client_metadata"),
        (json!("x"), "invalid_client_metadata"),
    ] {
        let reply = world.register(&metadata).await;
        reply.is_oauth_error(400, code);
        assert!(!reply.body.contains("alert"), "input is not reflected");
    }
    assert_eq!(world.store.client_count(), 0);
}

#[tokio::test]
async fn only_a_bounded_json_body_is_read() {
    let world = world();
    let body = json!({"redirect_uris": [REDIRECT]}).to_string();
    for kind in ["application/x-www-form-urlencoded", "text/plain", "application/jsonp", ""] {
        let request = Request::post("/oauth/register").header(header::HOST, HOST).header(header::CONTENT_TYPE, kind);
        let reply = world.send(request.body(Body::from(body.clone())).unwrap()).await;
        reply.is_oauth_error(400, "invalid_client_metadata");
    }
    let huge = json!({"redirect_uris": [REDIRECT], "contacts": ["x".repeat(17 * 1024)]});
    world.register(&huge).await.is_oauth_error(413, "invalid_client_metadata");
    let twice = format!("{{\"redirect_uris\":[\"{REDIRECT}\"],\"redirect_uris\":[\"https://evil.example/\"]}}");
    let request = Request::post("/oauth/register").header(header::HOST, HOST);
    let request = request.header(header::CONTENT_TYPE, "application/json; charset=utf-8");
    world.send(request.body(Body::from(twice)).unwrap()).await.is_oauth_error(400, "invalid_client_metadata");
}

/// C13: addresses in the metadata are neither fetched nor kept, so that they can't be used against anybody.
#[tokio::test]
async fn addresses_in_the_metadata_are_dropped() {
    let world = World::new();
    let mut metadata = json!({"redirect_uris": [REDIRECT], "jwks": {"keys": []}, "software_statement": "e30.e30."});
    for name in ["jwks_uri", "logo_uri", "client_uri", "policy_uri", "tos_uri", "sector_identifier_uri"] {
        metadata[name] = json!("http://169.254.169.254/latest/meta-data");
    }
    let reply = world.register(&metadata).await;
    assert_eq!(reply.status, StatusCode::CREATED);
    let page = world.open(reply.json()["client_id"].as_str().unwrap()).await.reply;
    assert!(!reply.body.contains("169.254") && !page.body.contains("169.254"));
}

#[tokio::test]
async fn a_flood_of_registrations_is_slowed_and_does_not_push_used_clients_out() {
    let limited = World::new();
    let mut refused = 0;
    for _ in 0..30 {
        let reply = limited.register(&json!({"redirect_uris": [REDIRECT]})).await;
        if reply.status == StatusCode::TOO_MANY_REQUESTS {
            assert!((1..=7).contains(&reply.header("retry-after").parse::<u64>().unwrap()));
            refused += 1;
        }
    }
    assert_eq!(refused, 20);
    limited.pass(Duration::from_secs(7));
    limited.client().await;

    let world = world();
    let used = world.client().await;
    world.tokens(&used).await;
    for _ in 0..100 {
        world.register(&json!({"redirect_uris": [REDIRECT]})).await;
    }
    assert_eq!(world.store.client_count(), 20);
    world.open(&used).await;
}

#[tokio::test]
async fn an_unused_client_is_forgotten_and_told_to_register_again() {
    let world = World::new();
    let client_id = world.client().await;
    let code = world.code(&client_id).await;
    world.pass(Duration::from_hours(24));
    world.authorize(&request(&client_id)).await.is_refusal_page(StatusCode::BAD_REQUEST);
    let form = super::harness::redemption(&client_id, &code);
    world.token(&form).await.is_oauth_error(400, "invalid_client");
}
