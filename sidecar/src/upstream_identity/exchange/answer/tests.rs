//! Whatever a token endpoint answers.

use super::{AnswerError, Expected, read};
use crate::authenticate::Document;
use crate::upstream_identity::failure::IdentityFailure;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use proptest::prelude::*;
use serde_json::{Value, json};

const SUBJECT: &str = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl";
const OWN: &str = "https://mcp.example/mcp";

fn expected() -> Expected {
    Expected { max_lifetime: 3600, own_audiences: vec![OWN.to_owned()] }
}

fn good() -> Value {
    json!({
        "access_token": "opaque-for-the-server", "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "token_type": "Bearer", "expires_in": 300, "scope": "a", "refresh_token": "never kept",
    })
}

fn document(status: u16, body: impl Into<String>) -> Document {
    Document {
        status: StatusCode::from_u16(status).unwrap(),
        content_type: Some("application/json;charset=UTF-8".to_owned()),
        cache_control: None,
        body: body.into().into(),
    }
}

fn jwt(claims: &Value) -> String {
    format!("{}.{}.c2ln", URL_SAFE_NO_PAD.encode("{}"), URL_SAFE_NO_PAD.encode(claims.to_string()))
}

fn with(field: &str, value: Value) -> Result<super::Exchanged, AnswerError> {
    let mut body = good();
    body[field] = value;
    body.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    read(&document(200, body.to_string()), SUBJECT, &expected())
}

#[test]
fn a_bearer_token_that_says_how_long_it_lives_is_taken() {
    let exchanged = with("scope", json!("b")).unwrap();
    assert_eq!((exchanged.header.as_str(), exchanged.lifetime), ("Bearer opaque-for-the-server", 300));
    assert_eq!(exchanged.token_id, None);
    assert!(!format!("{exchanged:?}").contains("opaque"), "{exchanged:?}");
    let claims = json!({"aud": "catalog", "jti": "t-9"});
    assert_eq!(with("access_token", json!(jwt(&claims))).unwrap().token_id.as_deref(), Some("t-9"));
    for kind in ["bearer", "BEARER"] {
        with("token_type", json!(kind)).unwrap();
    }
    with("issued_token_type", json!("urn:ietf:params:oauth:token-type:jwt")).unwrap();
}

#[test]
fn what_must_not_be_shown_to_a_server_is_refused() {
    let own = jwt(&json!({"aud": ["catalog", OWN]}));
    for (field, value, expected) in [
        ("access_token", json!(null), "access_token is missing"),
        ("access_token", json!(""), "access_token is missing"),
        ("access_token", json!("a b"), "can't stand in a header"),
        ("access_token", json!("a\r\nX-Evil: 1"), "can't stand in a header"),
        ("access_token", json!("a".repeat(16 * 1024 + 1)), "can't stand in a header"),
        ("access_token", json!(SUBJECT), "the caller's own"),
        ("access_token", json!(format!("{SUBJECT}=")), "the caller's own"),
        ("access_token", json!(own), "includes this endpoint"),
        ("access_token", json!(jwt(&json!({"aud": OWN}))), "includes this endpoint"),
        ("issued_token_type", json!(null), "names no access token"),
        ("issued_token_type", json!("urn:ietf:params:oauth:token-type:refresh_token"), "names no access token"),
        ("issued_token_type", json!("urn:ietf:params:oauth:token-type:id_token"), "names no access token"),
        ("token_type", json!(null), "not Bearer"),
        ("token_type", json!("DPoP"), "not Bearer"),
        ("token_type", json!("N_A"), "not Bearer"),
        ("expires_in", json!(null), "expires_in is missing"),
        ("expires_in", json!(0), "expires_in is missing"),
        ("expires_in", json!(-1), "expires_in is missing"),
        ("expires_in", json!("300"), "expires_in is missing"),
        ("expires_in", json!(1.5), "expires_in is missing"),
        ("expires_in", json!(3601), "3601 seconds"),
    ] {
        let error = with(field, value.clone()).unwrap_err();
        assert!(error.to_string().contains(expected), "{field} = {value}: {error}");
        assert_eq!(error.failure(), IdentityFailure::Refused);
    }
}

#[test]
fn errors_are_told_apart_from_trouble_and_repeat_nothing() {
    let refused = |status, body: &str| read(&document(status, body), SUBJECT, &expected()).unwrap_err();
    for status in [500, 502, 503, 504, 429] {
        assert_eq!(refused(status, "x").failure(), IdentityFailure::Unavailable, "{status}");
    }
    let told = refused(400, r#"{"error":"invalid_target","error_description":"secret words"}"#).to_string();
    assert!(told.contains("invalid_target") && !told.contains("secret"), "{told}");
    for body in ["<html>", "", r#"{"error":"a b\n"}"#, r#"{"error":["x"]}"#, r#"{"error":"a","error":"b"}"#] {
        let error = refused(401, body);
        assert!(error.to_string().contains("`none`"), "{error}");
        assert_eq!(error.failure(), IdentityFailure::Refused);
    }
    let page = Document { content_type: Some("text/html".to_owned()), ..document(200, good().to_string()) };
    assert!(read(&page, SUBJECT, &expected()).is_err());
    let twice = good().to_string().replacen('{', r#"{"access_token":"other","#, 1);
    assert!(read(&document(200, twice), SUBJECT, &expected()).is_err(), "two readers would take two tokens");
}

proptest! {
    #[test]
    fn whatever_is_taken_is_one_line_is_not_the_callers_and_lives_for_its_time(
        token in ".{0,40}", around in ".{0,8}", seconds in any::<i64>(),
    ) {
        for token in [token.clone(), format!("{around}{SUBJECT}{token}")] {
            let mut body = good();
            (body["access_token"], body["expires_in"]) = (json!(token), json!(seconds));
            if let Ok(exchanged) = read(&document(200, body.to_string()), SUBJECT, &expected()) {
                let shown = exchanged.header.strip_prefix("Bearer ").unwrap();
                prop_assert!(shown.bytes().all(|byte| byte.is_ascii_graphic()) && !shown.is_empty());
                prop_assert!(!shown.contains(SUBJECT));
                prop_assert!((1..=3600).contains(&exchanged.lifetime));
            }
        }
    }
}
