//! Okta: developer.okta.com/docs/api/openapi/okta-oauth/guides/overview (access token, ID token) and
//! .../docs/concepts/auth-servers (which tokens only Okta may validate).

use super::{auth, but, passes, trap};
use serde_json::{Value, json};
use tollward_policy::reason::Reason;
use tollward_tests::config::ENDPOINT;
use tollward_tests::vendor::{Vendor, world};

#[tokio::test]
async fn a_token_of_a_custom_authorization_server_passes_and_others_of_okta_do_not() {
    let vendor = Vendor::start().await;
    let issuer = format!("{}/oauth2/default", vendor.base);
    let metadata =
        ["/.well-known/oauth-authorization-server/oauth2/default", "/oauth2/default/.well-known/openid-configuration"];
    vendor.serve(&issuer, &metadata, "/oauth2/default/v1/keys", &json!({"status": "ACTIVE"}));
    let world = world(&json!({"preset": "Okta", "issuer": issuer}), &auth(&json!({}))).await;
    let now = world.issuer.now();
    let claims = json!({
        "ver": 1, "jti": "AT.0mP4JKAZX1iACIT4vbEDF7LpvDVjxypPMf0D7uX39RE", "iss": issuer, "aud": ENDPOINT,
        "sub": "ada@example.com", "iat": now, "exp": now + 3600, "cid": "0oabv6kx4qq6h1U5l0h7", "uid": "00ujmkLgagxeRrAg20g3",
        "scp": ["openid", "mcp:catalog-read"], "auth_time": now,
    });
    // Okta writes no `typ`.
    let token = |change: Value| vendor.token(&world, &json!({}), &but(&claims, &change)).mint();
    let caller = passes(&world, &token(json!({}))).await;
    assert_eq!(caller, ("ada@example.com".into(), Some("0oabv6kx4qq6h1U5l0h7".into())));
    let org = json!({"iss": vendor.base, "aud": vendor.base});
    trap(&world, &token(org), Reason::IssuerUnknown, "org authorization server").await;
    let shared = json!({"aud": "api://default"});
    trap(&world, &token(shared), Reason::AudienceMismatch, "setting of the custom authorization server").await;
    let id_token = json!({
        "aud": "0oabv6kx4qq6h1U5l0h7", "cid": null, "scp": null, "jti": "ID.x", "amr": ["pwd"], "idp": "00o", "at_hash": "h",
    });
    trap(&world, &token(id_token.clone()), Reason::TokenTypeRefused, "ID or refresh token").await;
    let quiet = but(&id_token, &json!({"at_hash": null, "aud": ENDPOINT, "scp": ["mcp:catalog-read"]}));
    trap(&world, &token(quiet), Reason::TokenTypeRefused, "ID or refresh token").await;
    world.end();
}
