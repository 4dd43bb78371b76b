//! What claims must be.

use super::issuer::{ISSUER, Key, NOW, RESOURCE, claims, encode, without};
use super::world::{World, call, config};
use serde_json::{Value, json};
use tollward_policy::config::TokenType;
use tollward_policy::reason::Reason;

const INVALID: Reason = Reason::TokenClaimsInvalid;
const TYPE: Reason = Reason::TokenTypeRefused;
const AUDIENCE: Reason = Reason::AudienceMismatch;

/// Sets claims one at a time.
async fn check_claims(world: &World, key: &Key, cases: &[(&str, &str, Value, Reason)]) {
    let cases: Vec<_> = cases
        .iter()
        .map(|(name, claim, value, reason)| {
            let token = key.with_claims(|claims| claims[*claim] = value.clone());
            (*name, token, *reason)
        })
        .collect();
    world.check(&cases).await;
}

/// A token whose payload has a literal that `Value` could not hold.
fn literal(key: &Key, claim: &str, text: &str) -> String {
    let rest = without(claims(), claim).to_string();
    let payload = format!("{},\"{claim}\":{text}}}", rest.strip_suffix('}').unwrap());
    key.token_of(key.header().to_string().as_bytes(), payload.as_bytes())
}

#[tokio::test(start_paused = true)]
async fn times_are_whole_numbers_and_exp_is_required() {
    let key = Key::new("k", "ES256");
    let world = World::with(config(), &[&key]).await;
    let mut cases = vec![
        ("J15 missing".to_owned(), key.token_with(&key.header(), &without(claims(), "exp")), INVALID),
        ("J15 NaN".to_owned(), literal(&key, "exp", "NaN"), Reason::TokenMalformed),
        ("J15 0".to_owned(), literal(&key, "exp", "0"), Reason::TokenExpired),
        ("J15 i64::MAX".to_owned(), literal(&key, "exp", "9223372036854775807"), Reason::Allowed),
        ("nbf missing".to_owned(), key.token_with(&key.header(), &without(claims(), "nbf")), Reason::Allowed),
        ("iat missing".to_owned(), key.token_with(&key.header(), &without(claims(), "iat")), Reason::Allowed),
    ];
    for claim in ["exp", "nbf", "iat"] {
        for text in [
            "\"9999999999\"",
            "1e10",
            "1800000000.0",
            "1800000000.5",
            "true",
            "null",
            "-1",
            "-0",
            "[1]",
            "{}",
            "9223372036854775808",
            "99999999999999999999999",
            "\"\"",
        ] {
            cases.push((format!("J15/J16 {claim} {text}"), literal(&key, claim, text), INVALID));
        }
    }
    let cases: Vec<_> = cases.iter().map(|(name, token, reason)| (name.as_str(), token.clone(), *reason)).collect();
    world.check(&cases).await;
}

#[tokio::test(start_paused = true)]
async fn clocks_may_differ_by_the_leeway_and_no_second_more() {
    let key = Key::new("k", "ES256");
    let world = World::with(config(), &[&key]).await;
    let (expired, early) = (Reason::TokenExpired, Reason::TokenNotYetValid);
    check_claims(
        &world,
        &key,
        &[
            ("J17 exp now", "exp", json!(NOW), Reason::Allowed),
            ("J17 exp at the leeway", "exp", json!(NOW - 30), Reason::Allowed),
            ("J17 exp beyond", "exp", json!(NOW - 31), expired),
            ("J17 nbf at the leeway", "nbf", json!(NOW + 30), Reason::Allowed),
            ("J17 nbf beyond", "nbf", json!(NOW + 31), early),
            ("J16 nbf far", "nbf", json!(i64::MAX), early),
            ("J16 iat at the leeway", "iat", json!(NOW + 30), Reason::Allowed),
            ("J16 iat beyond", "iat", json!(NOW + 31), early),
            ("J16 iat far", "iat", json!(i64::MAX), early),
        ],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_capped_lifetime_is_counted_from_iat() {
    let key = Key::new("k", "ES256");
    let mut config = config();
    config.max_lifetime_seconds = Some(3600);
    let world = World::with(config, &[&key]).await;
    let lasting = |seconds: i64| key.with_claims(|claims| claims["exp"] = json!(NOW - 10 + seconds));
    world
        .check(&[
            ("J16 an hour", lasting(3600), Reason::Allowed),
            ("J16 a second more", lasting(3601), Reason::TokenLifetimeTooLong),
            ("J16 year 9999", lasting(253_402_300_799 - NOW), Reason::TokenLifetimeTooLong),
            ("J16 no iat", key.token_with(&key.header(), &without(claims(), "iat")), INVALID),
        ])
        .await;
}

#[tokio::test(start_paused = true)]
async fn the_audience_is_compared_character_for_character() {
    let key = Key::new("k", "ES256");
    let world = World::with(config(), &[&key]).await;
    let missing = key.token_with(&key.header(), &without(claims(), "aud"));
    assert_eq!(world.reason(&missing).await, INVALID, "J18");
    check_claims(
        &world,
        &key,
        &[
            ("J19 among others", "aud", json!(["https://other", RESOURCE]), Reason::Allowed),
            ("J19 with a number", "aud", json!([RESOURCE, 1]), INVALID),
            ("J19 object", "aud", json!({"0": RESOURCE}), INVALID),
            ("J19 nested", "aud", json!([[RESOURCE]]), INVALID),
            ("J19 null", "aud", json!(null), INVALID),
            ("J19 number", "aud", json!(1), INVALID),
            ("J19 empty list", "aud", json!([]), AUDIENCE),
            ("J19 empty", "aud", json!(""), AUDIENCE),
            ("J20 suffix", "aud", json!(format!("{RESOURCE}.evil")), AUDIENCE),
            ("J20 prefix", "aud", json!(format!("x{RESOURCE}")), AUDIENCE),
            ("J20 trailing slash", "aud", json!(format!("{RESOURCE}/")), AUDIENCE),
            ("J20 case", "aud", json!("https://mcp.example.com/Files/mcp"), AUDIENCE),
            ("J20 host case", "aud", json!("https://MCP.example.com/files/mcp"), AUDIENCE),
            ("J20 port", "aud", json!("https://mcp.example.com:443/files/mcp"), AUDIENCE),
            ("J20 percent", "aud", json!("https://mcp.example.com/%66iles/mcp"), AUDIENCE),
            ("J20 fragment", "aud", json!(format!("{RESOURCE}#a")), AUDIENCE),
            ("J20 query", "aud", json!(format!("{RESOURCE}?a")), AUDIENCE),
            ("J20 space", "aud", json!(format!("{RESOURCE} ")), AUDIENCE),
            ("J20 joined", "aud", json!(format!("x {RESOURCE}")), AUDIENCE),
            ("J21 client id", "aud", json!("client-1"), AUDIENCE),
            ("J21 API server", "aud", json!("https://kubernetes.default.svc"), AUDIENCE),
        ],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_issuer_is_compared_character_for_character() {
    let key = Key::new("k", "ES256");
    let world = World::with(config(), &[&key]).await;
    let unknown = Reason::IssuerUnknown;
    check_claims(
        &world,
        &key,
        &[
            ("J22 longer", "iss", json!(format!("{ISSUER}-evil")), unknown),
            ("J22 shorter", "iss", json!("https://idp.example/realms/"), unknown),
            ("J22 trailing slash", "iss", json!(format!("{ISSUER}/")), unknown),
            ("J22 case", "iss", json!("https://IDP.example/realms/a"), unknown),
            ("J22 user information", "iss", json!("https://a@idp.example/realms/a"), unknown),
            ("J22 empty", "iss", json!(""), unknown),
            ("J22 list", "iss", json!([ISSUER]), INVALID),
            ("J22 number", "iss", json!(1), INVALID),
            ("J22 null", "iss", json!(null), INVALID),
        ],
    )
    .await;
    let missing = key.token_with(&key.header(), &without(claims(), "iss"));
    assert_eq!(world.reason(&missing).await, INVALID, "J22 missing");
    let escaped = literal(&key, "iss", r#""https:\/\/idp.example\/realms\/a""#);
    assert_eq!(world.reason(&escaped).await, Reason::Allowed, "J22 JSON escapes are the same text");
}

#[tokio::test(start_paused = true)]
async fn names_are_plain_text_and_the_subject_is_required() {
    let key = Key::new("k", "ES256");
    let world = World::with(config(), &[&key]).await;
    let missing = key.token_with(&key.header(), &without(claims(), "sub"));
    assert_eq!(world.reason(&missing).await, INVALID, "J25 missing");
    for claim in ["sub", "client_id", "jti"] {
        check_claims(
            &world,
            &key,
            &[
                ("J25 empty", claim, json!(""), INVALID),
                ("J25 space", claim, json!(" "), INVALID),
                ("J25 outer space", claim, json!("alice "), INVALID),
                ("J25 NUL", claim, json!("alice\0"), INVALID),
                ("J25 line break", claim, json!("alice\r\nx: y"), INVALID),
                ("J25 C1 control", claim, json!("alice\u{85}b"), INVALID),
                ("J25 number", claim, json!(1), INVALID),
                ("J25 null", claim, json!(null), INVALID),
                ("J25 list", claim, json!(["alice"]), INVALID),
                ("J25 1 KiB", claim, json!("a".repeat(1024)), Reason::Allowed),
                ("J25 more", claim, json!("a".repeat(1025)), INVALID),
                ("other scripts", claim, json!("Zoë Müller"), Reason::Allowed),
                ("a URL", claim, json!("https://client.example/metadata"), Reason::Allowed),
            ],
        )
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn scopes_are_the_first_configured_claim_and_split_at_single_spaces() {
    let key = Key::new("k", "ES256");
    let world = World::with(config(), &[&key]).await;
    let scopes =
        async |value: Value| world.call(&key.with_claims(|claims| claims["scope"] = value)).await.unwrap().scopes;
    assert_eq!(scopes(json!("notadmin admin")).await, ["notadmin", "admin"], "J26");
    assert_eq!(scopes(json!(["a", "b"])).await, ["a", "b"]);
    assert_eq!(scopes(json!("")).await, [""; 0]);
    assert_eq!(scopes(json!([])).await, [""; 0]);
    check_claims(
        &world,
        &key,
        &[
            ("J26 tab", "scope", json!("a\tb"), INVALID),
            ("J26 two spaces", "scope", json!("a  b"), INVALID),
            ("J26 leading space", "scope", json!(" a"), INVALID),
            ("J26 trailing space", "scope", json!("a "), INVALID),
            ("J26 number", "scope", json!(1), INVALID),
            ("J26 null", "scope", json!(null), INVALID),
            ("J26 object", "scope", json!({"a": true}), INVALID),
            ("J26 list with a number", "scope", json!(["a", 1]), INVALID),
            ("J26 list with a space", "scope", json!(["a b"]), INVALID),
            ("J26 list with an empty text", "scope", json!([""]), INVALID),
            ("J26 quote", "scope", json!("a\""), INVALID),
            ("J26 beyond ASCII", "scope", json!("ädmin"), INVALID),
            ("J26 the second claim does not count", "scp", json!(1), Reason::Allowed),
        ],
    )
    .await;
    let second = key.token_with(&key.header(), &{
        let mut claims = without(claims(), "scope");
        claims["scp"] = json!(["x"]);
        claims
    });
    assert_eq!(world.call(&second).await.unwrap().scopes, ["x"]);
    let none = key.token_with(&key.header(), &without(claims(), "scope"));
    assert_eq!(world.call(&none).await.unwrap().scopes, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn only_the_configured_header_types_are_access_tokens() {
    let key = Key::new("k", "ES256");
    let typed = |token_type: &str| key.with_header(|header| header["typ"] = json!(token_type));
    let absent = key.token_with(&without(key.header(), "typ"), &claims());
    let strict = World::with(config(), &[&key]).await;
    let mut cases = vec![
        ("J24 at+jwt", typed("at+jwt"), Reason::Allowed),
        ("J24 AT+JWT", typed("AT+JWT"), Reason::Allowed),
        ("J24 application/at+jwt", typed("application/at+jwt"), Reason::Allowed),
        ("J24 Application/At+Jwt", typed("Application/At+Jwt"), Reason::Allowed),
        ("J24 JWT", typed("JWT"), TYPE),
        ("J24 absent", absent.clone(), TYPE),
    ];
    let foreign = [
        "logout+jwt",
        "dpop+jwt",
        "oauth-id-jag+jwt",
        "secevent+jwt",
        "vc+jwt",
        "",
        "at+jwt ",
        "text/at+jwt",
        "application/application/at+jwt",
        "JWS",
        "token-introspection+jwt",
        "client-authentication+jwt",
    ];
    cases.extend(foreign.map(|foreign| ("J24 foreign", typed(foreign), TYPE)));
    strict.check(&cases).await;

    let mut lax = config();
    lax.token_types = vec![TokenType::Jwt, TokenType::Absent];
    let lax = World::with(lax, &[&key]).await;
    let mut cases = vec![
        ("J24 JWT", typed("JWT"), Reason::Allowed),
        ("J24 application/jwt", typed("application/jwt"), Reason::Allowed),
        ("J24 absent", absent, Reason::Allowed),
        ("J24 at+jwt is not on the list", typed("at+jwt"), TYPE),
    ];
    cases.extend(foreign.map(|foreign| ("J24 foreign", typed(foreign), TYPE)));
    lax.check(&cases).await;
}

#[tokio::test(start_paused = true)]
async fn an_untyped_token_with_marks_of_another_kind_is_refused() {
    let key = Key::new("k", "ES256");
    let mut lax = config();
    lax.token_types = vec![TokenType::AccessToken, TokenType::Jwt];
    let world = World::with(lax, &[&key]).await;
    let plain = json!({"alg": "ES256", "kid": "k", "typ": "JWT"});
    let marked = |claim: &str, value: Value| {
        let mut claims = claims();
        claims[claim] = value;
        key.token_with(&plain, &claims)
    };
    let anonymous = without(without(claims(), "client_id"), "scope");
    world
        .check(&[
            ("J24 Keycloak's access token", marked("typ", json!("Bearer")), Reason::Allowed),
            ("J24 Cognito's access token", marked("token_use", json!("access")), Reason::Allowed),
            ("J24 nonce", marked("nonce", json!("n")), TYPE),
            ("J24 at_hash", marked("at_hash", json!("h")), TYPE),
            ("J24 c_hash", marked("c_hash", json!("h")), TYPE),
            ("J24 s_hash", marked("s_hash", json!("h")), TYPE),
            (
                "J24 logout event",
                marked("events", json!({"http://schemas.openid.net/event/backchannel-logout": {}})),
                TYPE,
            ),
            ("J24 credential", marked("vc", json!({})), TYPE),
            ("J24 presentation", marked("vp", json!({})), TYPE),
            ("J24 ID", marked("typ", json!("ID")), TYPE),
            ("J24 Refresh", marked("typ", json!("Refresh")), TYPE),
            ("J24 Offline", marked("typ", json!("offline")), TYPE),
            ("J24 Logout", marked("typ", json!("Logout")), TYPE),
            ("J24 typ number", marked("typ", json!(1)), TYPE),
            ("J24 Cognito's ID token", marked("token_use", json!("id")), TYPE),
            ("J24 token_use number", marked("token_use", json!(1)), TYPE),
            ("J24 neither client nor scopes", key.token_with(&plain, &anonymous), TYPE),
            ("J24 typed so", key.token_with(&key.header(), &anonymous), Reason::Allowed),
        ])
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_sender_constrained_token_is_no_bearer_token() {
    let key = Key::new("k", "ES256");
    let world = World::with(config(), &[&key]).await;
    for confirmation in [
        json!({}),
        json!({"jkt": encode(&[1; 32])}),
        json!({"x5t#S256": encode(&[1; 32])}),
        json!({"new": 1}),
        json!(null),
    ] {
        let refusal = world.call(&key.with_claims(|claims| claims["cnf"] = confirmation.clone())).await.unwrap_err();
        assert_eq!(refusal.reason, Reason::TokenBindingRefused, "T05/T07 {confirmation}");
    }
}

#[tokio::test(start_paused = true)]
async fn only_listed_clients_may_call() {
    let key = Key::new("k", "ES256");
    let world = World::with(config(), &[&key]).await;
    let listed = world.route(&[RESOURCE], &["client-1"]);
    assert!(call(&listed, &key.token()).await.is_ok());
    let missing = key.token_with(&key.header(), &without(claims(), "client_id"));
    for (name, token) in [
        ("another", key.with_claims(|claims| claims["client_id"] = json!("client-10"))),
        ("case", key.with_claims(|claims| claims["client_id"] = json!("Client-1"))),
        ("missing", missing),
        (
            "a claim that does not count first",
            key.with_claims(|claims| {
                claims["client_id"] = json!("other");
                claims["azp"] = json!("client-1");
            }),
        ),
    ] {
        let refusal = call(&listed, &token).await.unwrap_err();
        assert_eq!(refusal.reason, Reason::ClientNotAllowed, "{name}");
    }
}
