//! Google: cloud.google.com/docs/authentication/token-types and developers.google.com/identity/openid-connect/openid-connect (what is
//! in an ID token).

use super::{auth, but, passes, refused, trap};
use serde_json::{Value, json};
use tollward_policy::reason::Reason;
use tollward_tests::config::ENDPOINT;
use tollward_tests::vendor::{Vendor, world};

const AGENT: &str = "113774264463038321964";

#[tokio::test]
async fn an_identity_token_of_a_service_account_passes_and_a_persons_sign_in_does_not() {
    let vendor = Vendor::start().await;
    vendor.serve(&vendor.base, &["/.well-known/openid-configuration"], "/oauth2/v3/certs", &json!({}));
    let rules = json!({"rules": [{"name": "read", "match": {"tools": ["get_*"]}}], "scopes": [], "initialScopes": [], "clients": {"allow": [AGENT]}});
    let world = world(&json!({"preset": "Google", "issuer": vendor.base}), &auth(&rules)).await;
    let now = world.issuer.now();
    let claims = json!({
        "aud": ENDPOINT, "azp": AGENT, "email": "agent@shop.iam.gserviceaccount.com", "email_verified": true,
        "exp": now + 3600, "iat": now, "iss": vendor.base, "sub": AGENT,
    });
    let token = |change: Value| vendor.token(&world, &json!({"typ": "JWT"}), &but(&claims, &change)).mint();
    assert_eq!(passes(&world, &token(json!({}))).await, (AGENT.into(), Some(AGENT.into())));
    // Whoever has an account at Google may ask for this audience.
    let stranger = json!({"azp": "113774264463038321965", "sub": "113774264463038321965"});
    refused(&world, &token(stranger), 403, Reason::ClientNotAllowed).await;
    trap(&world, "ya29.a0AfH6SMBxOpaqueOpaqueOpaque", Reason::TokenMalformed, "access tokens are opaque").await;
    let client = "1234987819200.apps.googleusercontent.com";
    let person = json!({"aud": client, "azp": client, "hd": "example.com", "at_hash": "HK6E_P6Dh8Y93mRNtsDB1Q", "nonce": "0394852"});
    trap(&world, &token(person.clone()), Reason::TokenTypeRefused, "ID token of a person's sign-in").await;
    let quiet = but(&person, &json!({"at_hash": null, "nonce": null}));
    trap(&world, &token(quiet), Reason::AudienceMismatch, "somebody's sign-in elsewhere").await;
    world.end();
}
