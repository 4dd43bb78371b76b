//! A real Keycloak as identity provider: what the preset of a company's most common provider must cope with. Its access
//! tokens say `typ: JWT` and `typ: Bearer`, have no client id but `azp`, and no audience unless a mapper adds one.
//!
//! Keycloak starts once as it is and once with experimental features, and each test has a realm of its own.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "outside of test functions too, a failed expectation is how these tests fail"
)]

#[path = "keycloak/bound.rs"]
mod bound;
#[path = "keycloak/clients.rs"]
mod clients;
#[path = "keycloak/exchange.rs"]
mod exchange;
#[path = "keycloak/experimental.rs"]
mod experimental;
#[path = "keycloak/registered.rs"]
mod registered;
#[path = "keycloak/scene.rs"]
mod scene;

use scene::{calls, guarded_catalog, text};
use serde_json::{Value, json};
use std::time::Instant;
use tollward_policy::reason::Reason;
use tollward_sidecar::audit::{Caller, Record};
use tollward_tests::deadline::eventually;
use tollward_tests::real::guarded::Guarded;
use tollward_tests::real::keycloak::Keycloak;
use tollward_tests::real::visit::{Sdk, Told, Visit};

async fn call(guarded: &Guarded, token: &str, tool: &str, arguments: &Value) -> Told {
    Visit::new(Sdk::TypeScript, &guarded.url).token(token).call(tool, arguments).run().await
}

async fn read(guarded: &Guarded, token: &str) -> Told {
    call(guarded, token, "get_product", &json!({"sku": "TEA-001"})).await
}

async fn last(guarded: &Guarded) -> Record {
    let records = guarded.records().await;
    let is_judged = |record: &&Record| record.call.is_some() || !record.decision.allowed;
    records.iter().rfind(is_judged).cloned().expect("a record")
}

/// Fails unless the token is refused for that reason, before anything reaches the server.
async fn refused(guarded: &Guarded, token: &str, reason: Reason) {
    let reached = guarded.reached().len();
    let told = read(guarded, token).await;
    assert_eq!(told.refusal(), Some(401), "{told:?}");
    assert_eq!(last(guarded).await.decision.reason, reason);
    assert_eq!(guarded.reached().len(), reached, "nothing may reach the server");
}

#[tokio::test(flavor = "multi_thread")]
async fn keycloak_signs_people_and_programs_in_and_only_its_access_tokens_for_this_server_pass() {
    let (keycloak, guarded) = guarded_catalog(|_| ()).await;
    people(&keycloak, &guarded).await;
    programs(&keycloak, &guarded).await;
    wrong_tokens(&keycloak, &guarded).await;
    rotated_keys(&keycloak, &guarded).await;
    guarded.reached();
}

async fn people(keycloak: &Keycloak, guarded: &Guarded) {
    for person in ["ada", "bob"] {
        let signed_in = keycloak.sign_in("shop-app", "openid mcp:catalog-read", person).await;
        read(guarded, &text(&signed_in, "access_token")).await.assert_done();
        let calls = calls(guarded, "get_product").await;
        let record = calls.last().expect("a record of the call");
        let Some(Caller::Token { issuer, subject, client, token_id, bound_to: _, scopes, claims: _ }) = &record.caller
        else {
            unreachable!("the caller should be known: {record:#?}");
        };
        assert_eq!(*issuer, keycloak.issuer);
        assert_eq!(*subject, keycloak.subject(person).await);
        assert_eq!(client.as_deref(), Some("shop-app"));
        assert!(token_id.is_some() && scopes.iter().any(|scope| scope == "mcp:catalog-read"), "{record:#?}");
    }
}

async fn programs(keycloak: &Keycloak, guarded: &Guarded) {
    let token = keycloak.robot_token("mcp:catalog-read").await;
    read(guarded, &token).await.assert_done();
    let add = json!({"sku": "TEA-001", "quantity": 1});
    let told = call(guarded, &token, "add_to_cart", &add).await;
    assert_eq!(told.refusal(), Some(403), "{told:?}");
    let more = keycloak.robot_token("mcp:cart-write").await;
    call(guarded, &more, "add_to_cart", &add).await.assert_done();
    let reasons: Vec<_> = calls(guarded, "add_to_cart").await.iter().map(|record| record.decision.reason).collect();
    assert_eq!(reasons, [Reason::ScopeInsufficient, Reason::Allowed]);
}

async fn wrong_tokens(keycloak: &Keycloak, guarded: &Guarded) {
    let signed_in = keycloak.sign_in("shop-app", "openid mcp:catalog-read", "ada").await;
    refused(guarded, &text(&signed_in, "id_token"), Reason::TokenTypeRefused).await;
    // Signed with a symmetric key.
    refused(guarded, &text(&signed_in, "refresh_token"), Reason::TokenAlgorithmRefused).await;
    let stock = keycloak.sign_in("stock-app", "openid", "ada").await;
    refused(guarded, &text(&stock, "access_token"), Reason::AudienceMismatch).await;
    let advice = last(guarded).await.decision.advice.unwrap_or_default();
    assert!(advice.contains("Add an Audience mapper"), "{advice}");
}

async fn rotated_keys(keycloak: &Keycloak, guarded: &Guarded) {
    let old = keycloak.robot_token("mcp:catalog-read").await;
    read(guarded, &old).await.assert_done();
    keycloak.rotate().await;
    let new = keycloak.robot_token("mcp:catalog-read").await;
    let first = Instant::now();
    eventually("a token of the new key is good", async || read(guarded, &new).await.at("/error").is_null()).await;
    println!("a rotated key was noticed within {} ms of its first token", first.elapsed().as_millis());
    refused(guarded, &old, Reason::TokenKeyUnknown).await;
}
