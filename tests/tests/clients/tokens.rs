//! Tokens of the real identity provider that no person asked for, and what becomes of them.

use crate::guards::{catalog_guard, guarded_catalog};
use crate::journey::{calls, check_caller};
use serde_json::{Value, json};
use tollward_policy::config::{AuthConfig, IntrospectionConfig, SidecarConfig};
use tollward_policy::reason::Reason;
use tollward_sidecar::audit::Caller;
use tollward_tests::deadline::eventually;
use tollward_tests::real::guarded::Guarded;
use tollward_tests::real::provider::{Provider, ROBOT};
use tollward_tests::real::server::Server;
use tollward_tests::real::visit::{Sdk, Told, Visit};

fn tea() -> Value {
    json!({"sku": "TEA-001"})
}

async fn with_token(guarded: &Guarded, sdk: Sdk, token: &str) -> Told {
    Visit::new(sdk, &guarded.url).token(token).list().call("get_product", &tea()).run().await
}

/// Runs with a token that is refused; gives the reason in the last record.
async fn refused(guarded: &Guarded, token: &str, status: i64) -> Reason {
    let told = with_token(guarded, Sdk::TypeScript, token).await;
    assert_eq!(told.refusal(), Some(status), "{told:?}");
    let records = guarded.records().await;
    let last = records.last().expect("a record");
    assert!(!last.decision.allowed, "{last:#?}");
    last.decision.reason
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_without_a_person_calls_by_client_credentials() {
    for provider in [Provider::rs256(), Provider::es256()] {
        let guarded = guarded_catalog(provider).await;
        let token = provider.robot_token(&guarded.url, "mcp:catalog-read").await;
        for sdk in [Sdk::TypeScript, Sdk::Python] {
            let told = with_token(&guarded, sdk, &token).await.done();
            assert!(told.text("/result/content/0/text").contains("Assam"), "{told:?}");
        }
        for record in calls(&guarded, "get_product").await {
            check_caller(&record, "robot", "robot", &provider.issuer);
        }
        guarded.reached();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_for_another_server_is_refused() {
    let provider = Provider::rs256();
    let (here, there) = (guarded_catalog(provider).await, guarded_catalog(provider).await);
    let token = provider.robot_token(&there.url, "mcp:catalog-read").await;
    with_token(&there, Sdk::TypeScript, &token).await.assert_done();
    assert_eq!(refused(&here, &token, 401).await, Reason::AudienceMismatch);
    assert!(here.reached().is_empty(), "nothing may reach the server");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_opaque_token_is_refused_where_nobody_is_asked() {
    let provider = Provider::rs256();
    let guarded = guarded_catalog(provider).await;
    provider.serve(&guarded.url, "opaque").await;
    let token = provider.robot_token(&guarded.url, "mcp:catalog-read").await;
    assert!(!token.contains('.'), "the provider should issue opaque tokens here");
    assert_eq!(refused(&guarded, &token, 401).await, Reason::TokenMalformed);
}

/// Who a caller is, by the last record: subject and client.
async fn caller(guarded: &Guarded) -> (String, Option<String>) {
    match guarded.records().await.pop().and_then(|record| record.caller) {
        Some(Caller::Token { subject, client, .. }) => (subject, client),
        other => panic!("the caller should be known: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn opaque_tokens_are_introspected_and_end_when_they_are_revoked() {
    let provider = Provider::rs256();
    let folder = tempfile::tempdir().expect("a temporary directory");
    let secret_file = folder.path().join("secret");
    std::fs::write(&secret_file, format!("{}\n", ROBOT.1)).expect("the directory is writable");
    let introspection = json!({
        "tokens": "Opaque", "cacheSeconds": 0,
        "client": {"id": ROBOT.0, "authentication": "Basic", "secretFile": secret_file},
    });
    let introspection: IntrospectionConfig = serde_json::from_value(introspection).expect("the right shape");
    let asking = |config: &mut SidecarConfig| {
        for provider in &mut config.identity_providers {
            provider.introspection = Some(introspection.clone());
        }
    };
    let guarded = catalog_guard(&provider.issuer).start(Server::catalog(), asking).await;
    provider.serve(&guarded.url, "opaque").await;

    let told = Visit::new(Sdk::TypeScript, &guarded.url).list().call("get_product", &tea()).run().await.done();
    assert!(told.text("/result/content/0/text").contains("Assam"), "{told:?}");
    assert_eq!(caller(&guarded).await, ("alice".to_owned(), Some(told.text("/clientId").to_owned())));

    let token = provider.robot_token(&guarded.url, "mcp:catalog-read").await;
    assert!(!token.contains('.'), "the provider should issue opaque tokens here");
    with_token(&guarded, Sdk::TypeScript, &token).await.assert_done();
    assert_eq!(caller(&guarded).await, ("robot".to_owned(), Some("robot".to_owned())));

    let before = guarded.reached().len();
    provider.revoke_robot_token(&token).await;
    assert_eq!(refused(&guarded, &token, 401).await, Reason::TokenInactive);
    let elsewhere = guarded_catalog(provider).await;
    provider.serve(&elsewhere.url, "opaque").await;
    let foreign = provider.robot_token(&elsewhere.url, "mcp:catalog-read").await;
    assert_eq!(refused(&guarded, &foreign, 401).await, Reason::AudienceMismatch);
    assert_eq!(guarded.reached().len(), before, "nothing more may reach the server");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_not_on_the_list_gets_403_with_a_good_token() {
    let provider = Provider::rs256();
    let only_another = |config: &mut SidecarConfig| {
        for route in &mut config.routes {
            if let AuthConfig::OAuth { allowed_clients, .. } = &mut route.auth {
                allowed_clients.push("another-client".to_owned());
            }
        }
    };
    let guarded = catalog_guard(&provider.issuer).start(Server::catalog(), only_another).await;
    provider.serve(&guarded.url, "jwt").await;
    let token = provider.robot_token(&guarded.url, "mcp:catalog-read").await;
    assert_eq!(refused(&guarded, &token, 403).await, Reason::ClientNotAllowed);
    // A client that signs in gets the same answer, and does not sign in again and again.
    for sdk in [Sdk::TypeScript, Sdk::OlderTypeScript, Sdk::Python] {
        let told = Visit::new(sdk, &guarded.url).list().step_up().run().await;
        assert_eq!(told.refusal(), Some(403), "{told:?}");
        assert_eq!(told.at("/authorizations"), &json!(1), "{told:?}");
    }
    assert!(guarded.reached().is_empty(), "nothing may reach the server");
}

#[tokio::test(flavor = "multi_thread")]
async fn new_signing_keys_are_found_and_withdrawn_ones_end() {
    let provider = Provider::start("ES256");
    let soon = |config: &mut SidecarConfig| {
        for provider in &mut config.identity_providers {
            provider.refresh.cooldown_seconds = 1;
        }
    };
    let guarded = catalog_guard(&provider.issuer).start(Server::catalog(), soon).await;
    provider.serve(&guarded.url, "jwt").await;
    let old = provider.robot_token(&guarded.url, "mcp:catalog-read").await;
    with_token(&guarded, Sdk::TypeScript, &old).await.assert_done();

    provider.rotate(false).await;
    let new = provider.robot_token(&guarded.url, "mcp:catalog-read").await;
    // Keys are fetched for an unknown key id once the cooldown since the last fetch is over.
    eventually("a token of the new key is good", async || {
        with_token(&guarded, Sdk::TypeScript, &new).await.at("/error").is_null()
    })
    .await;
    assert_eq!(refused(&guarded, &old, 401).await, Reason::TokenKeyUnknown);
}
