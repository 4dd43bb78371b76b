//! Every answer as it goes over the wire.

use super::*;
use crate::limiter::CountedBy;
use http::HeaderMap;
use tollward_policy::scope::ScopeName;

const METADATA: &str = "https://mcp.example/.well-known/oauth-protected-resource/mcp";

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).map(|value| value.to_str().unwrap().to_owned())
}

async fn body(response: http::Response<axum::body::Body>) -> Value {
    let bytes = axum::body::to_bytes(response.into_body(), 65536).await.unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

fn scopes(names: &[&str]) -> Vec<ScopeName> {
    names.iter().map(|name| ScopeName::new(*name).unwrap()).collect()
}

#[test]
fn without_credentials_the_challenge_has_no_error() {
    let denial = Denial::new(Reason::CredentialsMissing)
        .challenge(Challenge::first_contact(METADATA.into(), &scopes(&["mcp:read"])));
    let response = respond(&denial, "r1");
    assert_eq!(response.status(), 401);
    let expected = format!("Bearer resource_metadata=\"{METADATA}\", scope=\"mcp:read\"");
    assert_eq!(header(response.headers(), "www-authenticate").unwrap(), expected);
    assert_eq!(header(response.headers(), "cache-control").unwrap(), "no-store");
}

#[test]
fn a_bad_token_is_told_apart_and_nothing_can_break_out_of_the_quotes() {
    let denial = Denial::new(Reason::TokenExpired)
        .detail("expired\", scope=\"mcp:everything\u{e9}\\")
        .challenge(Challenge::invalid_token(METADATA.into(), &[]));
    let value = header(respond(&denial, "r1").headers(), "www-authenticate").unwrap();
    assert!(
        value.starts_with("Bearer error=\"invalid_token\", error_description=\"expired', scope='mcp:everything''\", ")
    );
}

#[test]
fn a_step_up_names_all_scopes_of_the_operation() {
    let denial = Denial::new(Reason::ScopeInsufficient)
        .challenge(Challenge::insufficient_scope(METADATA.into(), &scopes(&["mcp:read", "mcp:write"])));
    let response = respond(&denial, "r1");
    assert_eq!(response.status(), 403);
    let value = header(response.headers(), "www-authenticate").unwrap();
    assert!(
        value.contains("error=\"insufficient_scope\"") && value.contains("scope=\"mcp:read mcp:write\""),
        "{value}"
    );
}

#[tokio::test]
async fn a_policy_denial_has_no_challenge_and_answers_the_request_id() {
    let response = respond(&Denial::new(Reason::NoRuleMatched).id(Some("\"a\"".into())), "r1");
    assert_eq!(response.status(), 403);
    assert_eq!(header(response.headers(), "www-authenticate"), None);
    let body = body(response).await;
    assert_eq!(body["id"], "a");
    assert_eq!(body["error"]["code"], 403);
    assert_eq!(body["error"]["data"]["reason"], "no_rule_matched");
}

#[tokio::test]
async fn an_exhausted_limit_tells_the_wait_in_whole_seconds_rounded_up() {
    let standing = Standing {
        limit: "shop/per-tool".into(),
        tier: "basic".into(),
        requests: 60,
        window: Some(Duration::from_mins(1)),
        cost: 1,
        burst: 6,
        remaining: 0,
        reset: Duration::from_secs(30),
        retry_after: Some(Duration::from_millis(11_001)),
        counted: CountedBy::Replica,
    };
    let response = respond(&Denial::new(Reason::RateLimited).standings(vec![standing]).id(Some("7".into())), "r1");
    assert_eq!(response.status(), 429);
    assert_eq!(header(response.headers(), "retry-after").unwrap(), "12");
    assert_eq!(header(response.headers(), "ratelimit-policy").unwrap(), "\"shop/per-tool\";q=60;w=60");
    assert_eq!(header(response.headers(), "ratelimit").unwrap(), "\"shop/per-tool\";r=0;t=12");
    let body = body(response).await;
    assert_eq!(body["error"]["data"]["retryAfterSeconds"], 12);
    assert_eq!(body["error"]["data"]["limit"], "shop/per-tool");
    assert_eq!(body["id"], 7);
}

#[test]
fn a_limit_of_what_is_open_at_once_has_neither_window_nor_reset() {
    let standing = |remaining, retry_after| Standing {
        limit: "shop/streams".into(),
        tier: "basic".into(),
        requests: 2,
        window: None,
        cost: 1,
        burst: 2,
        remaining,
        reset: Duration::ZERO,
        retry_after,
        counted: CountedBy::Replica,
    };
    let mut headers = http::HeaderMap::new();
    standing_headers(&mut headers, &[standing(1, None)]);
    assert_eq!(header(&headers, "ratelimit-policy").unwrap(), "\"shop/streams\";q=2;qu=\"concurrent-requests\"");
    assert_eq!(header(&headers, "ratelimit").unwrap(), "\"shop/streams\";r=1");
    standing_headers(&mut headers, &[standing(0, Some(Duration::from_secs(1)))]);
    assert_eq!(header(&headers, "ratelimit").unwrap(), "\"shop/streams\";r=0;t=1");
    let mut nothing = http::HeaderMap::new();
    standing_headers(&mut nothing, &[Standing { counted: CountedBy::Nobody, ..standing(1, None) }]);
    assert!(nothing.is_empty(), "there is nothing to say about a limit that nobody counted");
}

#[test]
fn an_unknown_method_is_404_in_the_modern_era_and_200_in_the_legacy_era() {
    let denial = |era| Denial::new(Reason::MethodUnknown).rpc(-32601, "Method not found".into(), None).era(era);
    assert_eq!(respond(&denial(Era::Modern), "r1").status(), 404);
    assert_eq!(respond(&denial(Era::Legacy), "r1").status(), 200);
}

#[test]
fn every_reason_but_allowed_and_the_legacy_unknown_method_is_an_error_status() {
    for reason in Reason::ALL.iter().filter(|reason| **reason != Reason::Allowed) {
        let status = status_of(&Denial::new(*reason));
        assert!(status.is_client_error() || status.is_server_error(), "{reason}");
    }
}

#[test]
fn codes_of_our_own_stay_outside_of_the_reserved_range() {
    for reason in Reason::ALL {
        let code = Denial::new(*reason).rpc_code();
        assert!(!(-32768..=-32000).contains(&code), "{reason}");
    }
}
