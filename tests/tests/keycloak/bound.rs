//! DPoP with Keycloak (RFC 9449): its tokens are bound to the key that asked for them, and pass with a proof alone.

use crate::scene::{calls, guarded_catalog};
use http::{Method, StatusCode};
use http_body_util::Full;
use serde_json::json;
use tollward_policy::config::{ProofNonce, SenderConstraintMode, SidecarConfig};
use tollward_policy::operation::Era;
use tollward_sidecar::audit::Caller;
use tollward_sidecar::clock::{Clock as _, SystemClock};
use tollward_tests::client::{Connection, Reply, Wire};
use tollward_tests::mcp::Call;
use tollward_tests::real::guarded::Guarded;
use tollward_tests::real::http::send_with;
use tollward_tests::real::keycloak::Keycloak;
use tollward_tests::real::provider::access_token;
use tollward_tests::sender::{Sender, by_dpop, constrain, dpop};

fn now() -> i64 {
    SystemClock.unix_seconds()
}

fn required(config: &mut SidecarConfig) {
    constrain(config, Some(dpop(SenderConstraintMode::Required, ProofNonce::Off)));
}

/// A token of the client `robot` that is bound to the sender's key.
async fn bound_token(keycloak: &Keycloak, sender: &Sender) -> String {
    let url = keycloak.token_url();
    let proof = sender.proof(&Method::POST, "", now()).without("ath").with_claim("htu", url.as_str()).mint();
    let form = "grant_type=client_credentials&client_id=robot&client_secret=robot-secret&scope=mcp:catalog-read";
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("dpop", proof.as_str())];
    let reply = send_with(Method::POST, &url, &headers, form.to_owned()).await;
    assert_eq!(reply.json()["token_type"], "DPoP", "{}", reply.text());
    access_token(&reply)
}

async fn send(guarded: &Guarded, call: Call) -> Reply {
    let uri: http::Uri = guarded.url.parse().expect("a URL");
    let authority = uri.authority().expect("an authority").as_str();
    let mut request = http::Request::builder().method(call.method).uri(uri.path()).header("host", authority);
    for (name, value) in &call.headers {
        request = request.header(name, value);
    }
    let connection = Connection::plain(Wire::Http1, authority.parse().expect("an address")).await;
    let opened = connection.send_only(request.body(Full::new(call.body)).expect("a request")).await;
    opened.expect("an answer").whole().await.expect("a whole answer")
}

fn product(era: Era) -> Call {
    Call::rpc(era, "tools/call", json!({"name": "get_product", "arguments": {"sku": "TEA-001"}}))
}

#[tokio::test(flavor = "multi_thread")]
async fn bound_tokens_of_keycloak_pass_with_a_proof_and_never_as_bearer_tokens() {
    let (keycloak, guarded) = guarded_catalog(required).await;
    let sender = Sender::new("ES256");
    let token = bound_token(&keycloak, &sender).await;
    let proven = |sender: &Sender, method: &Method| {
        // Proofs from before the start would need a nonce.
        sender.proof(method, &token, now() + 2).with_claim("htu", guarded.url.as_str()).mint()
    };

    let call = product(Era::Modern);
    let proof = proven(&sender, &call.method);
    let reply = send(&guarded, by_dpop(call.clone(), &token, &proof)).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    let record = calls(&guarded, "get_product").await.pop().expect("a record of the call");
    let Some(Caller::Token { client, bound_to, .. }) = record.caller else { unreachable!("the caller is known") };
    assert_eq!(client.as_deref(), Some("robot"));
    assert_eq!(bound_to.and_then(|bound| bound.key), Some(sender.thumbprint()));

    let thief = proven(&Sender::new("ES256"), &call.method);
    let unbound = keycloak.robot_token("mcp:catalog-read").await;
    let reached = guarded.reached().len();
    for stolen in [
        call.clone().token(&token),
        by_dpop(call.clone(), &token, &proof),
        by_dpop(call.clone(), &token, &thief),
        call.token(&unbound),
    ] {
        let reply = send(&guarded, stolen).await;
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED, "{}", reply.text());
        assert!(reply.header("www-authenticate").starts_with("DPoP "), "{:?}", reply.headers);
    }
    assert_eq!(guarded.reached().len(), reached, "nothing may reach the server");
}
