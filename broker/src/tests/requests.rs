//! Authorization requests that are wrong in one thing (attack cases C05, C06, C08, C14).

use http::StatusCode;
use serde_json::json;

use super::harness::{CATALOG, Form, ISSUER, REDIRECT, World, challenge, request};

#[tokio::test]
async fn without_a_verified_client_and_redirect_uri_nothing_is_sent_anywhere() {
    let world = World::new();
    let client_id = world.client().await;
    let good = request(&client_id);
    let wrong: Vec<Form> = vec![
        good.clone().without("client_id"),
        good.clone().with("client_id", ""),
        good.clone().with("client_id", "nobody"),
        good.clone().with("client_id", "a b\r\n"),
        good.clone().and("client_id", &client_id),
        good.clone().without("redirect_uri"),
        good.clone().and("redirect_uri", REDIRECT),
        good.clone().with("redirect_uri", "https://evil.example/cb"),
        good.clone().with("redirect_uri", "http://127.0.0.1:6276/oauth/callback/"),
        good.clone().with("redirect_uri", "http://127.0.0.1:6276/oauth/callback/..;/x"),
        good.clone().with("redirect_uri", "http://127.0.0.1:6276/oauth/%2e%2e/oauth/callback"),
        good.clone().with("redirect_uri", "http://127.0.0.1:6276/OAUTH/callback"),
        good.clone().with("redirect_uri", "http://127.0.0.1:6276/oauth/callback?x=1"),
        good.clone().with("redirect_uri", "http://127.0.0.1:6276/oauth/callback#x"),
        good.clone().with("redirect_uri", "http://127.0.0.1:6276@evil.example/oauth/callback"),
        good.clone().with("redirect_uri", "https://127.0.0.1:6276/oauth/callback"),
        good.clone().with("redirect_uri", "http://localhost:6276/oauth/callback"),
        good.clone().with("redirect_uri", "http://127.0.0.1:6276/oauth/callback\r\nX: y"),
        good.clone().with("redirect_uri", "javascript:alert(1)//127.0.0.1:6276/oauth/callback"),
        good.clone().with("redirect_uri", "data:text/html,x"),
        good.clone().with("redirect_uri", "//evil.example"),
        good.clone().with("redirect_uri", "/\\evil.example"),
    ];
    for parameters in wrong {
        let reply = world.authorize(&parameters).await;
        reply.is_refusal_page(StatusCode::BAD_REQUEST);
        assert!(!reply.body.contains("evil"), "input is not reflected");
    }
    let port = good.with("redirect_uri", "http://127.0.0.1:50123/oauth/callback");
    world.open_with(&port).await;
}

#[tokio::test]
async fn a_request_that_is_too_long_or_has_too_many_parameters_is_not_read() {
    let world = World::new();
    let good = request(&world.client().await);
    let long = good.clone().with("state", &"x".repeat(17 * 1024));
    world.authorize(&long).await.is_refusal_page(StatusCode::PAYLOAD_TOO_LARGE);
    let mut many = good;
    for _ in 0..70 {
        many = many.and("x", "1");
    }
    world.authorize(&many).await.is_refusal_page(StatusCode::BAD_REQUEST);
}

/// Sends each request and expects its error at the client, with state and issuer, and nothing else.
async fn all_go_back(world: &World, cases: Vec<(Form, &str)>) {
    for (parameters, code) in cases {
        let reply = world.authorize(&parameters).await;
        assert_eq!(reply.returned("error").as_deref(), Some(code), "{}", parameters.encode());
        assert_eq!(reply.returned("state").as_deref(), Some("the state & more"));
        assert_eq!(reply.returned("iss").as_deref(), Some(ISSUER));
        assert_eq!(reply.returned("code"), None);
        let description = reply.returned("error_description").unwrap();
        let allowed = |byte: u8| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        assert!(description.bytes().all(allowed), "{description}");
    }
}

#[tokio::test]
async fn only_the_code_flow_with_plain_parameters_is_served() {
    let world = World::new();
    let good = request(&world.client().await);
    let cases = vec![
        (good.clone().with("response_type", "token"), "unsupported_response_type"),
        (good.clone().with("response_type", "code id_token"), "unsupported_response_type"),
        (good.clone().without("response_type"), "invalid_request"),
        (good.clone().and("response_type", "code"), "invalid_request"),
        (good.clone().and("response_mode", "fragment"), "invalid_request"),
        (good.clone().and("request", "eyJ"), "request_not_supported"),
        (good.clone().and("request_uri", "https://evil.example"), "request_not_supported"),
    ];
    all_go_back(&world, cases).await;
}

/// C06
#[tokio::test]
async fn pkce_with_sha_256_is_required() {
    let world = World::new();
    let good = request(&world.client().await);
    let plain = good.clone().with("code_challenge", "plain-text-challenge-of-forty-three-letters");
    let cases = vec![
        (good.clone().without("code_challenge"), "invalid_request"),
        (good.clone().with("code_challenge", ""), "invalid_request"),
        (good.clone().with("code_challenge", "short"), "invalid_request"),
        (good.clone().with("code_challenge", &format!("{}=", challenge("x"))), "invalid_request"),
        (good.clone().and("code_challenge", &challenge("other")), "invalid_request"),
        (good.clone().without("code_challenge_method"), "invalid_request"),
        (plain.with("code_challenge_method", "plain"), "invalid_request"),
        (good.clone().with("code_challenge_method", "s256"), "invalid_request"),
        (good.clone().with("code_challenge_method", "S512"), "invalid_request"),
    ];
    all_go_back(&world, cases).await;
}

/// C14
#[tokio::test]
async fn exactly_one_known_resource_is_required() {
    let world = World::new();
    let good = request(&world.client().await);
    let mut cases = vec![
        (good.clone().without("resource"), "invalid_target"),
        (good.clone().and("resource", CATALOG), "invalid_target"),
        (good.clone().and("resource", "http://127.0.0.1:8081/mcp"), "invalid_target"),
    ];
    let (fragment, slash) = (format!("{CATALOG}#x"), format!("{CATALOG}/"));
    let array = format!("[\"{CATALOG}\"]");
    for wrong in ["", "https://evil.example/mcp", &fragment, &slash, "http://127.0.0.1:8080", &array] {
        cases.push((good.clone().with("resource", wrong), "invalid_target"));
    }
    all_go_back(&world, cases).await;
}

#[tokio::test]
async fn scopes_that_the_resource_does_not_have_are_refused() {
    let world = World::new();
    let good = request(&world.client().await);
    let wrong = ["catalog:admin", "catalog:read orders:read", "catalog:read \"x\"", "*", "catalog:read\tcatalog:write"];
    let cases = wrong.map(|scope| (good.clone().with("scope", scope), "invalid_scope"));
    all_go_back(&world, cases.to_vec()).await;
}

/// C08: the state is the client's own; the broker echoes exactly one, unchanged, and nothing if it is ambiguous.
#[tokio::test]
async fn state_is_echoed_byte_for_byte_or_not_at_all() {
    let world = World::new();
    let good = request(&world.client().await);
    let odd = "a=b&code=forged#?%20+\u{e4}\"'<>";
    let page = world.open_with(&good.clone().with("state", odd)).await;
    let reply = world.answer(&page.cookie, &super::harness::approval(&page.sealed, "alice")).await;
    assert_eq!(reply.returned("state").as_deref(), Some(odd));
    let codes = reply.returned_to(REDIRECT).into_iter().filter(|(name, _)| name == "code").count();
    assert_eq!(codes, 1);
    let without = world.code_with(&good.clone().without("state")).await;
    assert!(!without.is_empty());
    for wrong in [good.clone().and("state", "again"), good.with("state", &"x".repeat(2049))] {
        let reply = world.authorize(&wrong).await;
        assert_eq!(reply.returned("error").as_deref(), Some("invalid_request"));
        assert_eq!(reply.returned("state"), None);
    }
}

#[tokio::test]
async fn a_request_without_scope_gets_the_default_scopes_of_the_resource() {
    let world = World::new();
    let client_id = world.client().await;
    for parameters in [request(&client_id).without("scope"), request(&client_id).with("scope", " ")] {
        let code = world.code_with(&parameters).await;
        let tokens = world.token(&super::harness::redemption(&client_id, &code)).await.json();
        assert_eq!(tokens["scope"], "catalog:read");
    }
}

#[tokio::test]
async fn a_redirect_uri_with_a_query_keeps_it() {
    let world = World::new();
    let redirect = "https://app.example/cb?tenant=a%20b";
    let client_id = world.register(&json!({"redirect_uris": [redirect]})).await.json()["client_id"].clone();
    let page = world.open_with(&request(client_id.as_str().unwrap()).with("redirect_uri", redirect)).await;
    let reply = world.answer(&page.cookie, &super::harness::approval(&page.sealed, "alice")).await;
    assert!(reply.header("location").starts_with(&format!("{redirect}&code=")), "{}", reply.header("location"));
}
