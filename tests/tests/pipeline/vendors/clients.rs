//! Which clients may call: by id, and by the host of their metadata document.

use super::{auth, but, passes, refused};
use serde_json::json;
use tollward_policy::reason::Reason;
use tollward_tests::config::ENDPOINT;
use tollward_tests::vendor::{Vendor, world};

#[tokio::test]
async fn a_client_is_let_in_by_its_id_or_by_the_host_of_its_document() {
    let vendor = Vendor::start().await;
    vendor.serve(&vendor.base, &["/.well-known/oauth-authorization-server"], "/keys", &json!({}));
    let clients = json!({"clients": {"allow": ["agent"], "allowHosts": ["claude.ai"]}});
    let world = world(&json!({"issuer": vendor.base}), &auth(&clients)).await;
    let now = world.issuer.now();
    let claims = json!({
        "iss": vendor.base, "sub": "alice", "aud": ENDPOINT, "exp": now + 300, "iat": now, "jti": "one",
        "scope": "mcp:catalog-read",
    });
    let token = |client: serde_json::Value| {
        vendor.token(&world, &json!({"typ": "at+jwt"}), &but(&claims, &json!({"client_id": client}))).mint()
    };
    for client in ["agent", "https://claude.ai/oauth/mcp-oauth-client-metadata"] {
        assert_eq!(passes(&world, &token(json!(client))).await.1.as_deref(), Some(client));
    }
    for client in [
        "Agent",
        "https://claude.ai.evil.example/client",
        "https://claude.ai@evil.example/client",
        "http://claude.ai/c",
    ] {
        let (_, challenge) = refused(&world, &token(json!(client)), 403, Reason::ClientNotAllowed).await;
        assert_eq!(challenge, "", "another token would not help");
    }
    refused(&world, &token(json!(null)), 403, Reason::ClientNotAllowed).await;
    world.end();
}
