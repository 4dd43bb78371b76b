//! Amazon Cognito: docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-access-token.html and
//! .../amazon-cognito-user-pools-using-the-id-token.html (no `typ`; `aud` only with resource binding).

use super::{auth, but, passes, refused, trap};
use serde_json::{Value, json};
use tollward_policy::reason::Reason;
use tollward_tests::config::ENDPOINT;
use tollward_tests::vendor::{Vendor, world};
use tollward_tests::world::World;

const POOL: &str = "eu-west-1_AbCdEfGhI";
const CLIENT: &str = "57cbishk4j24pabc1234567890";

/// The sample, with scopes of a resource server whose identifier is the server's URL.
fn claims(vendor: &Vendor, world: &World) -> Value {
    let now = world.issuer.now();
    json!({
        "sub": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", "device_key": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
        "cognito:groups": ["testgroup"], "iss": format!("{}/{POOL}", vendor.base), "version": 2, "client_id": CLIENT,
        "origin_jti": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", "event_id": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
        "token_use": "access", "scope": format!("openid {ENDPOINT}/mcp:catalog-read"), "auth_time": now, "exp": now + 3600,
        "iat": now, "jti": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", "username": "my-test-user",
    })
}

async fn start(more: &Value) -> (Vendor, World) {
    let vendor = Vendor::start().await;
    let issuer = format!("{}/{POOL}", vendor.base);
    let metadata = format!("/{POOL}/.well-known/openid-configuration");
    vendor.serve(&issuer, &[&metadata], &format!("/{POOL}/.well-known/jwks.json"), &json!({}));
    let prefix = json!({"identityProviders": [{"name": "idp", "scopePrefix": format!("{ENDPOINT}/")}]});
    let world = world(&json!({"preset": "Cognito", "issuer": issuer}), &auth(&but(&prefix, more))).await;
    (vendor, world)
}

/// What its ID tokens have instead.
fn id_token() -> Value {
    json!({"aud": CLIENT, "token_use": "id", "client_id": null, "scope": null, "email": "ada@example.com", "at_hash": "h"})
}

#[tokio::test]
async fn a_token_that_is_bound_to_the_server_passes_and_its_scopes_lose_their_prefix() {
    let (vendor, world) = start(&json!({})).await;
    let claims = claims(&vendor, &world);
    let token = |change: Value| vendor.token(&world, &json!({}), &but(&claims, &change)).mint();
    let caller = passes(&world, &token(json!({"aud": ENDPOINT}))).await;
    assert_eq!(caller, ("aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee".into(), Some(CLIENT.into())));
    trap(&world, &token(json!({})), Reason::AudienceMismatch, "only there if the client asked for a resource").await;
    let other = json!({"aud": "https://mcp.example.test/other"});
    trap(&world, &token(other), Reason::AudienceMismatch, "issued for another resource").await;
    trap(&world, &token(id_token()), Reason::TokenTypeRefused, "must send the access token").await;
    for scope in ["mcp:catalog-read", "https://other.example/mcp:catalog-read"] {
        let (_, challenge) =
            refused(&world, &token(json!({"aud": ENDPOINT, "scope": scope})), 403, Reason::ScopeInsufficient).await;
        assert!(challenge.contains(&format!("scope=\"{ENDPOINT}/mcp:catalog-read\"")), "{challenge}");
    }
    world.end();
}

#[tokio::test]
async fn a_server_may_take_the_tokens_of_one_app_client_but_no_others_and_no_id_tokens() {
    let (vendor, world) = start(&json!({"audience": {"value": CLIENT}})).await;
    let claims = claims(&vendor, &world);
    let token = |change: Value| vendor.token(&world, &json!({}), &but(&claims, &change)).mint();
    passes(&world, &token(json!({}))).await;
    trap(&world, &token(json!({"client_id": "another"})), Reason::AudienceMismatch, "").await;
    trap(
        &world,
        &token(json!({"aud": "https://mcp.example.test/other"})),
        Reason::AudienceMismatch,
        "another resource",
    )
    .await;
    trap(&world, &token(id_token()), Reason::TokenTypeRefused, "must send the access token").await;
    let quiet = but(&id_token(), &json!({"at_hash": null, "client_id": CLIENT, "scope": "openid"}));
    trap(&world, &token(quiet), Reason::TokenTypeRefused, "must send the access token").await;
    world.end();
}
