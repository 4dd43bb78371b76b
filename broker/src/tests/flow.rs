//! The whole way from metadata to a verified token, and the public documents.

use axum::body::Body;
use http::{Method, Request, StatusCode, header};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Value, json};

use super::harness::{CATALOG, HOST, ISSUER, World, config, form, redemption, refreshing};
use crate::{BrokerConfig, BrokerEvent};

async fn verified(world: &World, token: &str) -> Value {
    let keys: JwkSet = serde_json::from_value(world.get("/oauth/jwks").await.json()).unwrap();
    let header = jsonwebtoken::decode_header(token).unwrap();
    assert_eq!((header.alg, header.typ.as_deref()), (Algorithm::ES256, Some("at+jwt")));
    let key = keys.find(header.kid.as_deref().unwrap()).unwrap();
    let mut validation = Validation::new(Algorithm::ES256);
    validation.set_audience(&[CATALOG]);
    validation.set_issuer(&[ISSUER]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    // The tests' clock is not the machine's.
    validation.validate_exp = false;
    jsonwebtoken::decode::<Value>(token, &DecodingKey::from_jwk(key).unwrap(), &validation).unwrap().claims
}

#[tokio::test]
async fn a_client_gets_from_metadata_to_a_token_that_verifies_against_the_published_keys() {
    let world = World::new();
    let client_id = world.client().await;
    let tokens = world.tokens(&client_id).await;
    assert_eq!((&tokens["token_type"], &tokens["expires_in"]), (&json!("Bearer"), &json!(300)));
    assert_eq!(tokens["scope"], "catalog:read catalog:write");
    let mut claims = verified(&world, tokens["access_token"].as_str().unwrap()).await;
    assert_eq!(claims["jti"].as_str().map(str::len), Some(22));
    claims["jti"] = json!("");
    let expected = json!({
        "iss": ISSUER, "sub": "alice", "aud": CATALOG, "client_id": client_id, "jti": "",
        "scope": "catalog:read catalog:write", "iat": 1_800_000_000, "exp": 1_800_000_300,
        "auth_time": 1_800_000_000, "tier": "production", "team": "dev",
    });
    assert_eq!(claims, expected);
    let names: Vec<&str> = world.events().iter().map(name).collect();
    assert_eq!(names, ["registered", "granted", "code", "token"]);
}

fn name(event: &BrokerEvent) -> &'static str {
    match event {
        BrokerEvent::ClientRegistered { .. } => "registered",
        BrokerEvent::ConsentGranted(_) => "granted",
        BrokerEvent::ConsentRefused { .. } => "refused by the user",
        BrokerEvent::ConsentWithdrawn { .. } => "withdrawn",
        BrokerEvent::CodeIssued(_) => "code",
        BrokerEvent::TokenIssued { .. } => "token",
        BrokerEvent::FamilyRevoked { .. } => "revoked",
        BrokerEvent::Refused { .. } => "refused",
    }
}

#[tokio::test]
async fn events_hold_no_code_token_verifier_or_state() {
    let world = World::new();
    let client_id = world.client().await;
    let code = world.code(&client_id).await;
    let tokens = world.token(&redemption(&client_id, &code)).await.json();
    world.token(&refreshing(&client_id, tokens["refresh_token"].as_str().unwrap())).await;
    world.token(&refreshing(&client_id, tokens["refresh_token"].as_str().unwrap())).await;
    let events = format!("{:?}", world.events());
    for secret in [&code, tokens["access_token"].as_str().unwrap(), tokens["refresh_token"].as_str().unwrap()] {
        assert!(!events.contains(secret));
    }
    assert!(!events.contains(super::harness::VERIFIER) && !events.contains("the state"));
    assert!(events.contains("RefreshReused"));
}

#[tokio::test]
async fn tokens_signed_before_a_key_rotation_verify_after_it() {
    let world = World::new();
    let client_id = world.client().await;
    let before = world.tokens(&client_id).await;
    assert!(!world.broker.promote_next_key(), "there is no next key yet");
    world.broker.prepare_next_key().unwrap();
    assert!(world.broker.promote_next_key());
    let after = world.tokens(&client_id).await;
    let kid = |tokens: &Value| jsonwebtoken::decode_header(tokens["access_token"].as_str().unwrap()).unwrap().kid;
    assert_ne!(kid(&before), kid(&after));
    for tokens in [before, after] {
        assert_eq!(verified(&world, tokens["access_token"].as_str().unwrap()).await["sub"], "alice");
    }
}

#[tokio::test]
async fn the_metadata_stands_at_the_inserted_well_known_path() {
    let world = World::new();
    let reply = world.get("/.well-known/oauth-authorization-server/oauth").await;
    assert_eq!(reply.status, StatusCode::OK);
    assert_eq!(reply.header("content-type"), "application/json");
    assert_eq!(reply.header("cache-control"), "public, max-age=300");
    insta::assert_json_snapshot!("metadata", reply.json());
    assert_eq!(world.get("/.well-known/openid-configuration/oauth").await.status, StatusCode::NOT_FOUND);
    assert_eq!(world.get("/oauth/.well-known/openid-configuration").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_issuer_without_a_path_has_no_trailing_slash_anywhere() {
    let issuer = url::Url::parse("http://127.0.0.1:8089").unwrap();
    let world = World::with(BrokerConfig { issuer, ..config() });
    let metadata = world.get("/.well-known/oauth-authorization-server").await.json();
    assert_eq!(metadata["issuer"], "http://127.0.0.1:8089");
    assert_eq!(metadata["token_endpoint"], "http://127.0.0.1:8089/token");
    assert_eq!(world.broker.issuer(), "http://127.0.0.1:8089");
    assert_eq!(world.get("/jwks").await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_published_keys_have_no_private_part() {
    let world = World::new();
    let keys = world.get("/oauth/jwks").await.json();
    let key = keys["keys"][0].as_object().unwrap();
    let mut members: Vec<&str> = key.keys().map(String::as_str).collect();
    members.sort_unstable();
    assert_eq!(members, ["alg", "crv", "kid", "kty", "use", "x", "y"]);
    assert_eq!((&key["alg"], &key["use"]), (&json!("ES256"), &json!("sig")));
}

#[tokio::test]
async fn browser_clients_may_read_what_is_public_but_not_the_consent_page() {
    let world = World::new();
    let client_id = world.client().await;
    for path in ["/.well-known/oauth-authorization-server/oauth", "/oauth/jwks", "/oauth/register", "/oauth/token"] {
        let preflight = Request::builder().method(Method::OPTIONS).uri(path).header(header::HOST, HOST);
        let preflight = preflight.header("origin", "https://app.example");
        let preflight = preflight.header("access-control-request-method", "POST");
        let reply = world.send(preflight.body(Body::empty()).unwrap()).await;
        assert_eq!(reply.header("access-control-allow-origin"), "*", "{path}");
        assert_eq!(reply.header("access-control-allow-credentials"), "", "{path}");
    }
    let page = world.open(&client_id).await;
    assert_eq!(page.reply.header("access-control-allow-origin"), "");
}

#[tokio::test]
async fn head_is_answered_and_other_methods_name_the_allowed_ones() {
    let world = World::new();
    for (method, path, status, allow) in [
        (Method::HEAD, "/oauth/jwks", StatusCode::OK, ""),
        (Method::DELETE, "/oauth/jwks", StatusCode::METHOD_NOT_ALLOWED, "GET,HEAD"),
        (Method::GET, "/oauth/token", StatusCode::METHOD_NOT_ALLOWED, "POST"),
        (Method::PUT, "/oauth/authorize", StatusCode::METHOD_NOT_ALLOWED, "GET,HEAD,POST"),
    ] {
        let request = Request::builder().method(method).uri(path).header(header::HOST, HOST);
        let reply = world.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!((reply.status, reply.header("allow")), (status, allow), "{path}");
    }
}

/// DNS rebinding: a page whose name resolves to this machine would otherwise pass for the broker's own origin.
#[tokio::test]
async fn requests_for_another_host_are_refused_on_every_path() {
    let world = World::new();
    for path in ["/oauth/authorize", "/oauth/jwks", "/.well-known/oauth-authorization-server/oauth", "/nothing"] {
        for host in ["evil.example:8089", "127.0.0.1", "localhost:8089", "127.0.0.1:8089.evil.example", ""] {
            let request = Request::get(path).header(header::HOST, host).body(Body::empty()).unwrap();
            assert_eq!(world.send(request).await.status, StatusCode::MISDIRECTED_REQUEST, "{path} {host}");
        }
        let none = Request::get(path).body(Body::empty()).unwrap();
        assert_eq!(world.send(none).await.status, StatusCode::MISDIRECTED_REQUEST);
        let two = Request::get(path).header(header::HOST, HOST).header(header::HOST, "evil.example");
        assert_eq!(world.send(two.body(Body::empty()).unwrap()).await.status, StatusCode::MISDIRECTED_REQUEST);
        let absolute = Request::get(format!("http://evil.example{path}")).header(header::HOST, HOST);
        assert_eq!(world.send(absolute.body(Body::empty()).unwrap()).await.status, StatusCode::MISDIRECTED_REQUEST);
    }
}

#[tokio::test]
async fn the_token_endpoint_reads_forms_only_and_each_parameter_once() {
    let world = World::new();
    let client_id = world.client().await;
    let code = world.code(&client_id).await;
    let good = redemption(&client_id, &code);
    let body = json!({"grant_type": "authorization_code", "code": code, "client_id": client_id}).to_string();
    let json =
        Request::post("/oauth/token").header(header::HOST, HOST).header(header::CONTENT_TYPE, "application/json");
    world.send(json.body(Body::from(body)).unwrap()).await.is_oauth_error(400, "invalid_request");
    for name in ["grant_type", "code", "client_id", "redirect_uri", "code_verifier"] {
        let repeated = good.clone().and(name, "again");
        world.token(&repeated).await.is_oauth_error(400, "invalid_request");
    }
    world.token(&good.clone().with("grant_type", "password")).await.is_oauth_error(400, "unsupported_grant_type");
    world.token(&good.clone().with("client_id", "nobody")).await.is_oauth_error(400, "invalid_client");
    world.token(&good.clone().with("client_secret", "x")).await.is_oauth_error(401, "invalid_client");
    world.token(&form(&[])).await.is_oauth_error(400, "invalid_request");
    let long = good.clone().with("code", &"x".repeat(17 * 1024));
    world.token(&long).await.is_oauth_error(413, "invalid_request");
    assert_eq!(world.token(&good).await.status, StatusCode::OK, "none of these burned the code");
}
