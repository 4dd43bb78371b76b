//! `upstreamAuth` of type `TokenExchange` with Keycloak's standard token exchange (RFC 8693): the MCP server sees a token of the
//! API behind it, and never the caller's.

use crate::scene::{calls, guarded_catalog, text};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tollward_policy::config::SidecarConfig;
use tollward_policy::reason::Reason;
use tollward_tests::real::visit::{Sdk, Visit};

/// The payload of a JWT.
pub(crate) fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).expect("a JWT has a payload");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).expect("base64")).expect("a payload is JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_sees_an_exchanged_token_of_each_caller_and_never_the_callers_own() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "tollward-secret\n").expect("the directory is writable");
    let exchange = json!({
        "type": "TokenExchange", "audience": "inventory", "scopes": ["inventory:read"], "maxLifetimeSeconds": 3600,
        "client": {"id": "tollward", "secret": secret, "authentication": "Basic"},
    });
    let (keycloak, guarded) = guarded_catalog(|config: &mut SidecarConfig| {
        config.routes[0].upstream.identity = serde_json::from_value(exchange.clone()).expect("the right shape");
    })
    .await;
    let tea = json!({"sku": "TEA-001"});
    let mut own = BTreeSet::new();
    for person in ["ada", "bob"] {
        let signed_in = keycloak.sign_in("shop-app", "openid mcp:catalog-read", person).await;
        let token = text(&signed_in, "access_token");
        let before = guarded.heads().len();
        Visit::new(Sdk::TypeScript, &guarded.url).token(&token).call("get_product", &tea).run().await.assert_done();
        for head in &guarded.heads()[before..] {
            let shown = head.headers["authorization"].to_str().expect("text").strip_prefix("Bearer ").expect("a token");
            let (subject, exchanged) = (keycloak.subject(person).await, claims(shown));
            assert_eq!((&exchanged["sub"], &exchanged["azp"]), (&json!(subject), &json!("tollward")), "{exchanged:#}");
            assert_eq!((&exchanged["aud"], &exchanged["scope"]), (&json!("inventory"), &json!("inventory:read")));
            let everything = format!("{head:?}");
            assert!(!everything.contains(token.rsplit('.').next().expect("a signature")), "the caller's token got out");
            assert!(!everything.contains("tollward-secret"), "the client's secret got out");
        }
        own.insert(token);
    }
    let called = calls(&guarded, "get_product").await;
    assert!(called.len() == 2 && called.iter().all(|record| record.decision.allowed), "{called:#?}");

    // A program whose tokens are not for Tollward's client too is refused by Keycloak, and nothing is called.
    let before = guarded.heads().len();
    let robot = keycloak.robot_token("mcp:catalog-read").await;
    let told = Visit::new(Sdk::TypeScript, &guarded.url).token(&robot).call("get_product", &tea).run().await;
    assert_eq!(told.refusal(), Some(502), "{told:?}");
    let refused = guarded.records().await.pop().expect("a record");
    assert_eq!(refused.decision.reason, Reason::UpstreamIdentityRefused, "{refused:#?}");
    assert_eq!(guarded.heads().len(), before, "nothing may reach the server");
}
