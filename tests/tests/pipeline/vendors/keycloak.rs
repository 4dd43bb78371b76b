//! Keycloak: what a stock realm of version 26 issues, seen in `tests/tests/keycloak.rs` with a real one. Here are the cases that
//! take no real one.

use super::{auth, but, passes, refused, trap};
use serde_json::{Value, json};
use tollward_policy::reason::Reason;
use tollward_tests::config::ENDPOINT;
use tollward_tests::vendor::{Vendor, world};

#[tokio::test]
async fn a_token_with_an_audience_mapper_passes_and_a_stock_one_does_not() {
    let vendor = Vendor::start().await;
    let issuer = format!("{}/realms/shop", vendor.base);
    let metadata =
        ["/.well-known/oauth-authorization-server/realms/shop", "/realms/shop/.well-known/openid-configuration"];
    vendor.serve(&issuer, &metadata, "/realms/shop/protocol/openid-connect/certs", &json!({"use": "sig"}));
    let world = world(&json!({"preset": "Keycloak", "issuer": issuer}), &auth(&json!({}))).await;
    let now = world.issuer.now();
    let claims = json!({
        "exp": now + 300, "iat": now, "jti": "onrtac:aaaaaaaa", "iss": issuer, "aud": ENDPOINT, "sub": "8a9c8f0e-0000-4000-8000-1",
        "typ": "Bearer", "azp": "shop-app", "sid": "s", "acr": "1", "scope": "openid mcp:catalog-read",
    });
    let token = |change: Value| vendor.token(&world, &json!({"typ": "JWT"}), &but(&claims, &change)).mint();
    assert_eq!(passes(&world, &token(json!({}))).await.1.as_deref(), Some("shop-app"));
    // Of a token that is bound to a key. A proof of DPoP is no token: its header says `dpop+jwt`.
    let bound = json!({"typ": "DPoP", "cnf": {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}});
    refused(&world, &token(bound), 401, Reason::TokenBindingRefused).await;
    let mapper = "Add an Audience mapper";
    trap(&world, &token(json!({"aud": null})), Reason::TokenClaimsInvalid, mapper).await;
    trap(&world, &token(json!({"aud": "account"})), Reason::AudienceMismatch, mapper).await;
    for kind in [json!("ID"), json!("Refresh"), json!("Logout"), json!("anything"), json!(null)] {
        trap(&world, &token(json!({"typ": kind})), Reason::TokenTypeRefused, "must send the access token").await;
    }
    let inside = json!({"iss": "http://keycloak.identity.svc:8080/realms/shop"});
    trap(&world, &token(inside), Reason::IssuerUnknown, "same realm under another host name").await;
    world.end();
}
