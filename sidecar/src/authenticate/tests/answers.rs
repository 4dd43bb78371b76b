//! What an authorization server may say about a token, and what is made of it. No network: one answer, one verdict.

use super::issuer::{ISSUER, NOW, RESOURCE};
use super::world::{config, route};
use crate::authenticate::SenderProof;
use crate::authenticate::claims::{Demands, Own, judge};
use crate::authenticate::introspect::read_answer;
use serde_json::{Value, json};
use tollward_policy::clients::AllowedClients;
use tollward_policy::config::{AuthConfig, ProviderConfig};
use tollward_policy::principal::TokenPrincipal;
use tollward_policy::reason::Reason;

fn good() -> Value {
    json!({
        "active": true, "iss": ISSUER, "sub": "alice", "aud": RESOURCE, "client_id": "client-1", "scope": "read write",
        "token_type": "Bearer", "exp": NOW + 600, "iat": NOW - 5, "nbf": NOW - 5, "jti": "token-1", "username": "alice@example.com",
        "tier": "gold",
    })
}

fn read(answer: &Value, provider: &ProviderConfig, until: Option<i64>) -> Result<TokenPrincipal, Reason> {
    let AuthConfig::OAuth { audiences, allowed_clients, .. } = route(&[RESOURCE], &[]) else { panic!("a route") };
    let members = answer.as_object().unwrap().clone();
    let own = Own { expires_at: until, confirmation: None };
    let facts = read_answer(members, provider, own, NOW).map_err(|refusal| refusal.reason)?;
    judge(&facts, &Demands { audiences, clients: AllowedClients::new(allowed_clients, []) }, NOW)
        .map_err(|refusal| refusal.reason)?;
    Ok((**facts.caller(&SenderProof::NONE)).clone())
}

fn with(name: &str, value: Value) -> Value {
    let mut answer = good();
    answer[name] = value;
    answer
}

fn without(names: &[&str]) -> Value {
    let mut answer = good();
    for name in names {
        answer.as_object_mut().unwrap().remove(*name);
    }
    answer
}

#[test]
fn a_good_answer_names_the_caller_and_keeps_all_claims() {
    let caller = read(&good(), &config(), None).unwrap();
    assert_eq!((caller.issuer.as_str(), caller.subject.as_str()), (ISSUER, "alice"));
    assert_eq!((caller.client.as_deref(), caller.token_id.as_deref()), (Some("client-1"), Some("token-1")));
    assert_eq!((caller.scopes, caller.expires_at), (vec!["read".to_owned(), "write".to_owned()], NOW + 600));
    assert_eq!(caller.claims.get("tier"), Some(&json!("gold")));
    assert_eq!(caller.claims.get("active"), None, "that it is active is no claim about the caller");
}

#[test]
fn whatever_is_not_exactly_good_is_refused() {
    use Reason::{
        AudienceMismatch, IssuerUnknown, TokenClaimsInvalid as Invalid, TokenExpired, TokenInactive,
        TokenNotYetValid as Early, TokenTypeRefused as Kind,
    };
    let many = |name: &str, values: Vec<Value>, reason: Reason| -> Vec<(Value, Reason)> {
        values.into_iter().map(|value| (with(name, value), reason)).collect()
    };
    let odd = || vec![json!(null), json!(1), json!(true), json!({}), json!([])];
    let cases = [
        many(
            "active",
            vec![json!(false), json!("true"), json!(1), json!(null), json!({}), json!([true])],
            TokenInactive,
        ),
        many("iss", vec![json!("https://evil.example"), json!(format!("{ISSUER}/")), json!([ISSUER])], IssuerUnknown),
        many("iss", odd(), IssuerUnknown),
        many("aud", vec![json!(null), json!(1), json!({"0": RESOURCE}), json!([RESOURCE, 1])], Invalid),
        many("aud", vec![json!("other"), json!([]), json!(format!("{RESOURCE}/")), json!(["x"])], AudienceMismatch),
        many("exp", vec![json!(null), json!("600"), json!(1.5), json!(-1), json!(true)], Invalid),
        many("exp", vec![json!(NOW - 31), json!(0)], TokenExpired),
        many("nbf", vec![json!("0"), json!(null)], Invalid),
        many("nbf", vec![json!(NOW + 31)], Early),
        many("iat", vec![json!("0"), json!(null)], Invalid),
        many("iat", vec![json!(NOW + 31)], Early),
        many("sub", odd(), Invalid),
        many("sub", vec![json!(""), json!(" alice"), json!("a\nb")], Invalid),
        many("client_id", odd(), Invalid),
        many("jti", odd(), Invalid),
        many("scope", vec![json!(1), json!({}), json!("a  b"), json!("a\tb"), json!([1]), json!(null)], Invalid),
        many("token_type", odd(), Kind),
        many("token_type", vec![json!("DPoP"), json!("mac"), json!("refresh_token"), json!("N_A"), json!("")], Kind),
        many("token_use", vec![json!("refresh_token"), json!("id"), json!(1)], Kind),
        many("typ", vec![json!("Refresh"), json!("ID"), json!("Offline"), json!(1)], Kind),
        many("cnf", vec![json!({}), json!({"unknown": "x"}), json!(null)], Reason::TokenBindingRefused),
        many("nonce", vec![json!("x")], Kind),
        vec![
            (without(&["active"]), TokenInactive),
            (without(&["aud"]), Invalid),
            (without(&["sub"]), Invalid),
            (without(&["client_id", "scope"]), Kind),
            (without(&["sub", "username", "client_id"]), Invalid),
            (json!({}), TokenInactive),
            (json!({"active": true}), Kind),
        ],
    ];
    let cases: Vec<_> = cases.into_iter().flatten().collect();
    let wrong: Vec<_> = cases
        .iter()
        .filter_map(|(answer, expected)| match read(answer, &config(), None) {
            Err(reason) if reason == *expected => None,
            other => Some(format!("{answer}: {:?} instead of {expected}", other.map(|caller| caller.subject))),
        })
        .collect();
    assert!(wrong.is_empty(), "J39 {wrong:#?}");
    assert!(cases.len() > 70, "{}", cases.len());
}

#[test]
fn what_may_be_left_out_may_be() {
    for answer in [
        without(&["iss"]),
        without(&["token_type", "jti", "iat", "nbf", "username"]),
        without(&["client_id"]),
        without(&["scope"]),
        with("token_type", json!("bearer")),
        with("token_type", json!("access_token")),
        with("token_use", json!("access_token")),
        with("typ", json!("Bearer")),
        with("aud", json!(["https://elsewhere.example", RESOURCE])),
        with("scope", json!("")),
        with("scope", json!(["read"])),
    ] {
        assert!(read(&answer, &config(), None).is_ok(), "{answer}");
    }
}

#[test]
fn a_client_that_calls_for_itself_is_its_own_subject_and_a_username_is_nobody_s() {
    let caller = read(&without(&["sub", "username"]), &config(), None).unwrap();
    assert_eq!((caller.subject.as_str(), caller.client.as_deref()), ("client-1", Some("client-1")));
    assert_eq!(caller.claims.get("sub"), None, "nothing is made up among the claims");
    assert_eq!(read(&without(&["sub"]), &config(), None), Err(Reason::TokenClaimsInvalid));
    let mut by_oid = config();
    by_oid.claims.subject = "oid".into();
    assert_eq!(read(&without(&["username"]), &by_oid, None), Err(Reason::TokenClaimsInvalid));
    assert_eq!(read(&with("oid", json!("o-1")), &by_oid, None).unwrap().subject, "o-1");
}

#[test]
fn an_expiry_that_nobody_tells_is_near_and_that_of_the_token_itself_counts_too() {
    assert_eq!(read(&without(&["exp"]), &config(), None).unwrap().expires_at, NOW + 300);
    assert_eq!(read(&good(), &config(), Some(NOW + 60)).unwrap().expires_at, NOW + 60);
    assert_eq!(read(&without(&["exp"]), &config(), Some(NOW + 60)).unwrap().expires_at, NOW + 60);
    assert_eq!(read(&good(), &config(), Some(NOW + 6000)).unwrap().expires_at, NOW + 600);
    let mut bounded = config();
    bounded.max_lifetime_seconds = Some(3600);
    assert_eq!(read(&without(&["exp"]), &bounded, None), Err(Reason::TokenClaimsInvalid));
    assert_eq!(read(&without(&["iat"]), &bounded, None), Err(Reason::TokenClaimsInvalid));
    assert_eq!(read(&with("exp", json!(NOW + 3600)), &bounded, None), Err(Reason::TokenLifetimeTooLong));
    assert!(read(&good(), &bounded, None).is_ok());
}

#[test]
fn an_answer_can_not_take_away_what_a_token_is_bound_to() {
    let bound = json!({"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"});
    let read = |answer: Value| {
        let own = Own { expires_at: None, confirmation: Some(bound.clone()) };
        read_answer(answer.as_object().unwrap().clone(), &config(), own, NOW).map_err(|refusal| refusal.reason)
    };
    assert!(read(good()).unwrap().bound.is_some(), "it says nothing of it");
    assert!(read(with("cnf", bound.clone())).unwrap().bound.is_some());
    assert!(read(with("token_type", json!("DPoP"))).unwrap().bound.is_some());
    let other = json!({"jkt": "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U"});
    assert_eq!(read(with("cnf", other)).unwrap_err(), Reason::TokenBindingRefused);
}
