//! Auth0: auth0.com/docs/secure/tokens/access-tokens/access-token-profiles and .../get-access-tokens.

use super::{auth, but, passes, trap};
use serde_json::{Value, json};
use tollward_policy::reason::Reason;
use tollward_tests::config::ENDPOINT;
use tollward_tests::key::encode;
use tollward_tests::vendor::{Vendor, world};
use tollward_tests::world::World;

/// The sample of the Auth0 profile.
fn claims(vendor: &Vendor, world: &World) -> Value {
    let (base, now) = (&vendor.base, world.issuer.now());
    json!({
        "iss": format!("{base}/"), "sub": "auth0|123456", "aud": [ENDPOINT, format!("{base}/userinfo")],
        "azp": "my_client_id", "exp": now + 86_400, "iat": now, "scope": "openid profile mcp:catalog-read",
        "my_custom_claim": "my_custom_value",
    })
}

async fn start() -> (Vendor, World) {
    let vendor = Vendor::start().await;
    let issuer = format!("{}/", vendor.base);
    let metadata = ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"];
    vendor.serve(&issuer, &metadata, "/.well-known/jwks.json", &json!({"x5t": "x"}));
    let world = world(&json!({"preset": "Auth0", "issuer": issuer}), &auth(&json!({}))).await;
    (vendor, world)
}

#[tokio::test]
async fn both_token_profiles_of_auth0_pass() {
    let (vendor, world) = start().await;
    let claims = claims(&vendor, &world);
    let own = vendor.token(&world, &json!({"typ": "JWT"}), &claims).mint();
    assert_eq!(passes(&world, &own).await, ("auth0|123456".into(), Some("my_client_id".into())));
    let standard = but(&claims, &json!({"azp": null, "client_id": "my_client_id", "jti": "73WakrfVbNJBaAmhQtEeDv"}));
    let standard = vendor.token(&world, &json!({"typ": "at+jwt"}), &standard).mint();
    assert_eq!(passes(&world, &standard).await, ("auth0|123456".into(), Some("my_client_id".into())));
    world.end();
}

#[tokio::test]
async fn what_auth0_issues_when_no_api_was_asked_for_is_refused_with_advice() {
    let (vendor, world) = start().await;
    let claims = claims(&vendor, &world);
    let token = |change: Value| vendor.token(&world, &json!({"typ": "JWT"}), &but(&claims, &change));
    let no_api = "no API was asked for";
    trap(&world, "2YotnFZFEjr1zCsicMWpAA2YotnFZFEj", Reason::TokenMalformed, no_api).await;
    let header = json!({"alg": "dir", "enc": "A256GCM", "iss": format!("{}/", vendor.base)}).to_string();
    let encrypted = format!("{}..{}.{}.{}", encode(header.as_bytes()), encode(b"iv"), encode(b"text"), encode(b"tag"));
    trap(&world, &encrypted, Reason::TokenMalformed, no_api).await;
    let userinfo = json!({"aud": format!("{}/userinfo", vendor.base)});
    trap(&world, &token(userinfo).mint(), Reason::AudienceMismatch, "for /userinfo only").await;
    let other = json!({"aud": ["https://example.com/health-api", format!("{}/userinfo", vendor.base)]});
    trap(&world, &token(other).mint(), Reason::AudienceMismatch, "identifier must be this server's URL").await;
    let symmetric = token(json!({})).with_header("alg", "HS256").mint();
    trap(&world, &symmetric, Reason::TokenAlgorithmRefused, "signing algorithm of the API to RS256").await;
    let id_token = json!({"aud": "my_client_id", "azp": null, "scope": null, "nonce": "n", "sid": "s", "name": "Ada"});
    trap(&world, &token(id_token).mint(), Reason::TokenTypeRefused, "must send the access token").await;
    world.end();
}
