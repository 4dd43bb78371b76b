//! Who is refused, who is not, and that the index finds what a look at every entry would.

use super::DenyList;
use crate::config::{DenyConfig, ProviderConfig};
use crate::principal::{Membership, TokenPrincipal};
use proptest::prelude::*;
use serde_json::{Value, json};

const NOW: i64 = 1_800_000_000;

fn provider(deny: &Value) -> ProviderConfig {
    serde_json::from_value(json!({
        "name": "shop/idp", "issuer": "https://idp.example", "algorithms": ["ES256"], "tokenTypes": ["at+jwt"],
        "claims": {"scopes": ["scope"], "client": ["client_id", "azp"], "subject": "sub", "tokenId": ["jti", "uti"]},
        "leewaySeconds": 0, "refresh": {"intervalSeconds": 300, "cooldownSeconds": 30, "maxStaleSeconds": 3600},
        "deny": deny,
    }))
    .unwrap()
}

/// As `authenticate` reads it: the first claim of a list counts.
fn token(claims: &Value) -> TokenPrincipal {
    let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
    TokenPrincipal {
        provider: "shop/idp".into(),
        issuer: "https://idp.example".into(),
        subject: text("sub").unwrap(),
        client: text("client_id").or_else(|| text("azp")),
        token_id: text("jti").or_else(|| text("uti")),
        scopes: Vec::new(),
        groups: Membership::Unknown,
        roles: Membership::Unknown,
        expires_at: NOW + 60,
        claims: claims.as_object().unwrap().clone(),
    }
}

fn ada() -> Value {
    json!({"sub": "ada", "client_id": "desktop", "jti": "t-1", "iat": NOW - 10})
}

fn with(claims: Value, name: &str, value: Value) -> Value {
    let mut claims = claims;
    if value.is_null() {
        claims.as_object_mut().unwrap().remove(name);
    } else {
        claims[name] = value;
    }
    claims
}

#[expect(clippy::needless_pass_by_value, reason = "tables read better without a reference at every value")]
fn refused(entry: Value, claims: Value) -> bool {
    let mut entry = entry;
    entry["name"] = "x".into();
    let list = DenyList::compile(&provider(&json!([entry]))).unwrap();
    list.refuses(&token(&claims), NOW).is_some()
}

#[test]
fn a_provider_without_entries_has_no_list() {
    assert!(DenyList::compile(&provider(&json!([]))).is_none());
}

#[test]
fn everything_that_an_entry_names_must_apply() {
    let names = [("subject", "ada", "sub"), ("client", "desktop", "client_id"), ("tokenId", "t-1", "jti")];
    let whole = json!({"subject": "ada", "client": "desktop", "tokenId": "t-1", "issuedBefore": NOW});
    assert!(refused(whole.clone(), ada()));
    for (field, value, claim) in names {
        assert!(refused(json!({field: value}), ada()), "{field} alone");
        for other in ["ADA", "ada ", "adA", "eve"] {
            assert!(!refused(json!({field: value}), with(ada(), claim, json!(other))), "{field}: {other}");
            assert!(!refused(whole.clone(), with(ada(), claim, json!(other))), "all but {field}");
        }
    }
    assert!(!refused(whole, with(ada(), "iat", json!(NOW))), "issued later");
}

#[test]
fn issued_before_alone_is_about_everybody_and_excludes_its_own_second() {
    for (issued_at, expected) in [(NOW - 1, true), (NOW, false), (NOW + 1, false)] {
        assert_eq!(refused(json!({"issuedBefore": NOW}), with(ada(), "iat", json!(issued_at))), expected);
    }
}

#[test]
fn what_a_token_leaves_out_can_not_speak_for_it() {
    for (entry, claim) in [
        (json!({"issuedBefore": 1}), "iat"),
        (json!({"subject": "ada", "issuedBefore": 1}), "iat"),
        (json!({"client": "other"}), "client_id"),
        (json!({"client": "other", "subject": "ada"}), "client_id"),
        (json!({"tokenId": "other"}), "jti"),
        (json!({"tokenId": "other", "subject": "ada"}), "jti"),
    ] {
        assert!(!refused(entry.clone(), ada()), "{entry}: another token");
        assert!(refused(entry.clone(), with(ada(), claim, Value::Null)), "{entry}: without {claim}");
        let elsewhere = with(with(ada(), claim, Value::Null), "sub", json!("eve"));
        let about_ada = entry.get("subject").is_some();
        assert_eq!(refused(entry.clone(), elsewhere), !about_ada, "{entry}: of somebody else, without {claim}");
    }
}

#[test]
fn a_client_and_an_id_may_stand_in_any_of_their_claims() {
    let two = with(with(ada(), "azp", json!("web")), "uti", json!("u-1"));
    for entry in
        [json!({"client": "web"}), json!({"client": "desktop"}), json!({"tokenId": "u-1"}), json!({"tokenId": "t-1"})]
    {
        assert!(refused(entry.clone(), two.clone()), "{entry}");
    }
    assert!(!refused(json!({"client": "phone"}), two.clone()));
    assert!(!refused(json!({"client": "web"}), with(ada(), "azp", json!(["web"]))), "not text");
}

/// Entra's subject is `oid`, and its tokens have a `sub` as well: whoever reads a token names what stands under `sub`.
#[test]
fn a_caller_is_meant_by_sub_also_where_another_claim_names_the_subject() {
    let mut provider = provider(&json!([{"name": "x", "subject": "pairwise"}]));
    provider.claims.subject = "oid".into();
    let list = DenyList::compile(&provider).unwrap();
    let entra = TokenPrincipal { subject: "4711".into(), ..token(&with(ada(), "sub", json!("pairwise"))) };
    assert_eq!(list.refuses(&entra, NOW), Some("x"));
    let other = TokenPrincipal { subject: "4711".into(), ..token(&ada()) };
    assert_eq!(list.refuses(&other, NOW), None);
}

#[test]
fn who_acts_for_somebody_is_a_caller_too() {
    let acting = |act: Value| with(ada(), "act", act);
    let agent = json!({"subject": "agent"});
    assert!(refused(agent.clone(), acting(json!({"sub": "agent"}))));
    assert!(refused(agent.clone(), acting(json!({"sub": "b", "act": {"sub": "agent"}}))), "further back");
    assert!(refused(json!({"client": "bot"}), acting(json!({"sub": "b", "client_id": "bot"}))));
    assert!(refused(agent.clone(), acting(json!({"sub": "agent", "iss": "https://idp.example"}))));
    assert!(!refused(agent.clone(), acting(json!({"sub": "agent", "iss": "https://other.example"}))));
    assert!(!refused(agent.clone(), acting(json!("agent"))));
    let mut chain = json!({"sub": "agent"});
    for _ in 0..100 {
        chain = json!({"sub": "b", "act": chain});
    }
    assert!(refused(agent, acting(chain)), "at the end of a long chain");
    let unnamed = with(acting(json!({"sub": "b", "client_id": "bot"})), "client_id", Value::Null);
    assert!(refused(json!({"client": "other"}), unnamed), "an actor's client is not the token's");
}

#[test]
fn an_entry_ends_at_its_time() {
    for (until, expected) in [(NOW - 1, false), (NOW, false), (NOW + 1, true)] {
        assert_eq!(refused(json!({"subject": "ada", "until": until}), ada()), expected, "{until}");
    }
}

#[test]
fn the_entry_that_refused_is_named() {
    let entries = json!([{"name": "other", "subject": "eve"}, {"name": "stolen-laptop", "subject": "ada"}]);
    let list = DenyList::compile(&provider(&entries)).unwrap();
    assert_eq!(list.refuses(&token(&ada()), NOW), Some("stolen-laptop"));
}

/// What an entry means, said once more without any index.
fn applies(entry: &DenyConfig, token: &TokenPrincipal) -> bool {
    let claim = |name: &str| token.claims.get(name).and_then(Value::as_str);
    let is = |wanted: &Option<String>, own: [Option<&str>; 2]| {
        wanted.as_deref().is_none_or(|wanted| own == [None, None] || own.contains(&Some(wanted)))
    };
    entry.until.is_none_or(|until| until > NOW)
        && entry.subject.as_deref().is_none_or(|subject| subject == token.subject)
        && is(&entry.client, [claim("client_id"), claim("azp")])
        && is(&entry.token_id, [claim("jti"), claim("uti")])
        && entry
            .issued_before
            .is_none_or(|time| token.claims.get("iat").and_then(Value::as_i64).is_none_or(|issued_at| issued_at < time))
}

fn letter() -> impl Strategy<Value = Option<String>> {
    prop::option::of("[a-c]")
}

fn time() -> impl Strategy<Value = Option<i64>> {
    prop::option::of(NOW - 2..NOW + 3)
}

fn entries() -> impl Strategy<Value = Vec<DenyConfig>> {
    let entry = (letter(), letter(), letter(), time(), time());
    prop::collection::vec(entry, 1..30).prop_map(|entries| {
        let named = |(index, (subject, client, token_id, issued_before, until)): (usize, _)| DenyConfig {
            name: format!("entry-{index}"),
            subject,
            client,
            token_id,
            issued_before,
            until,
        };
        entries.into_iter().enumerate().map(named).collect()
    })
}

proptest! {
    #[test]
    fn the_index_finds_exactly_what_a_look_at_every_entry_finds(
        entries in entries(), subject in "[a-c]",
        names in (letter(), letter(), letter(), letter()), issued_at in time(),
    ) {
        let mut claims = json!({"sub": subject});
        let (client, azp, jti, uti) = names;
        for (name, value) in [("client_id", client), ("azp", azp), ("jti", jti), ("uti", uti)] {
            if let Some(value) = value {
                claims[name] = value.into();
            }
        }
        if let Some(issued_at) = issued_at {
            claims["iat"] = issued_at.into();
        }
        let token = token(&claims);
        let mut config = provider(&json!([]));
        config.deny = entries;
        let list = DenyList::compile(&config).unwrap();
        let found = list.refuses(&token, NOW);
        let expected = config.deny.iter().any(|entry| applies(entry, &token));
        prop_assert_eq!(found.is_some(), expected);
        if let Some(name) = found {
            let entry = config.deny.iter().find(|entry| entry.name == name).unwrap();
            prop_assert!(applies(entry, &token), "{} was named", name);
        }
    }
}
