//! Attacks on access tokens that `tokens.rs` and `authentication.rs` do not have, each with the id by which
//! `tests/attacks.md` names it. What holds here holds over both versions of HTTP and in both eras.

use serde_json::{Value, json};
use std::sync::Arc;
use tollward_policy::config::TokenType;
use tollward_policy::operation::Era;
use tollward_policy::reason::Reason;
use tollward_tests::config::ENDPOINT;
use tollward_tests::key::{Key, encode};
use tollward_tests::mcp::Call;
use tollward_tests::token::Token;
use tollward_tests::world::{CELLS, Refusal, World};

const ALGORITHM: Reason = Reason::TokenAlgorithmRefused;
const AUDIENCE: Reason = Reason::AudienceMismatch;
const CLAIMS: Reason = Reason::TokenClaimsInvalid;
const ISSUER: Reason = Reason::IssuerUnknown;
const MALFORMED: Reason = Reason::TokenMalformed;
const SIGNATURE: Reason = Reason::TokenSignatureInvalid;
const TYPE: Reason = Reason::TokenTypeRefused;
const UNKNOWN: Reason = Reason::TokenKeyUnknown;

/// The id of the attack with what is wrong, the token, and the reason of its refusal.
pub(crate) type Case = (&'static str, String, Reason);

pub(crate) fn call(era: Era, token: &str) -> Call {
    Call::tool(era, "get_product").token(token)
}

/// Refuses each in every cell, and lets a good token pass all the same.
pub(crate) async fn check(world: &World, cases: &[Case]) {
    for (wire, era) in CELLS {
        for (name, token, reason) in cases {
            let call = call(era, token);
            let reply = world.send(wire, &call).await;
            assert_eq!((reply.status.as_u16(), reply.reason().as_str()), (401, reason.code()), "{name}");
            world.refused(wire, &call, &Refusal::invalid_token(*reason)).await;
        }
    }
}

/// Header and payload as they are, signed by the key.
fn written(key: &Key, header: &str, payload: &[u8]) -> String {
    let input = format!("{}.{}", encode(header.as_bytes()), encode(payload));
    format!("{input}.{}", encode(&key.sign(input.as_bytes())))
}

fn header(key: &Key) -> String {
    json!({"alg": key.algorithm, "kid": key.id, "typ": "at+jwt"}).to_string()
}

/// The DER of the public key (RFC 5480), as it stands in a PEM file.
fn spki(key: &Key) -> Vec<u8> {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    const PREFIX: [u8; 27] = [
        0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
        0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
    ];
    let jwk = key.jwk();
    let number = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap();
    [&PREFIX[..], &number("x"), &number("y")].concat()
}

fn pem(der: &[u8]) -> String {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der))
}

fn keys_and_algorithms(token: &Token, key: &Key, attacker: &Arc<Key>) -> Vec<Case> {
    let hs256 = |secret: &[u8]| {
        let secret = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret);
        token
            .clone()
            .with_header("alg", "HS256")
            .mint_with(|input| aws_lc_rs::hmac::sign(&secret, input).as_ref().to_vec())
    };
    let with = |name: &str, value: Value| token.clone().with_header(name, value).mint();
    let (der, text) = (spki(key), pem(&spki(key)));
    vec![
        ("J02 PEM", hs256(text.as_bytes()), ALGORITHM),
        ("J02 PEM without its last line break", hs256(text.trim_end().as_bytes()), ALGORITHM),
        ("J02 PEM with white space around", hs256(format!("\n {text} ").as_bytes()), ALGORITHM),
        ("J02 DER", hs256(&der), ALGORITHM),
        ("J02 the point alone", hs256(&der[26..]), ALGORITHM),
        ("J06 x5c", token.clone().with_header("x5c", json!(["MIIB"])).forged_by(attacker).mint(), SIGNATURE),
        ("J07 empty", with("kid", json!("")), UNKNOWN),
        ("J07 list", with("kid", json!(["key-1"])), MALFORMED),
        ("J07 escaped NUL", with("kid", json!("key-1\u{0}")), UNKNOWN),
        ("J07 percent NUL", with("kid", json!("%00")), UNKNOWN),
        ("J07 other case", with("kid", json!("KEY-1")), UNKNOWN),
        ("J07 10 KiB", with("kid", json!("k".repeat(10 * 1024))), MALFORMED),
        ("J09 crit names what is unknown", with("crit", json!(["bork"])), MALFORMED),
        ("J10 compressed", with("zip", json!("DEF")), MALFORMED),
        ("J10 encrypted", with("enc", json!("A256GCM")), MALFORMED),
    ]
}

fn texts(token: &Token, key: &Key) -> Vec<Case> {
    let good = token.mint();
    let (input, signature) = good.rsplit_once('.').unwrap();
    let (head, body) = input.split_once('.').unwrap();
    let payload = token.payload();
    let extended = |member: &str| format!("{},{member}}}", payload.strip_suffix('}').unwrap());
    let of = |payload: &[u8]| written(key, &header(key), payload);
    let with_head = |text: &str| written(key, text, payload.as_bytes());
    let deep = |depth: usize| extended(&format!(r#""deep":{}{}"#, "[".repeat(depth), "]".repeat(depth)));
    let utf16: Vec<u8> = payload.encode_utf16().flat_map(u16::to_be_bytes).collect();
    // 64 bytes leave four unused bits in the last character.
    let last = signature.bytes().last().unwrap();
    let twin = format!("{}{}", good.strip_suffix(char::from(last)).unwrap(), char::from(last + 1));
    vec![
        ("J10 JSON serialization", r#"{"payload":"e30"}"#.into(), Reason::CredentialsMalformed),
        ("J10 a dot more", format!("{good}."), MALFORMED),
        ("J10 a dot before", format!(".{good}"), MALFORMED),
        ("J10 no payload", format!("{head}..{signature}"), MALFORMED),
        ("J11 alg twice", with_head(r#"{"alg":"ES256","alg":"ES256","kid":"key-1","typ":"at+jwt"}"#), MALFORMED),
        ("J11 alg twice, escaped", with_head(r#"{"alg":"ES256","\u0061lg":"none","kid":"key-1"}"#), MALFORMED),
        ("J11 aud twice", of(extended(&format!(r#""aud":"{ENDPOINT}""#)).as_bytes()), MALFORMED),
        ("J11 exp twice", of(extended(r#""exp":9999999999"#).as_bytes()), MALFORMED),
        ("J12 a number", of(b"1"), MALFORMED),
        ("J12 null", of(b"null"), MALFORMED),
        ("J12 UTF-16", of(&utf16), MALFORMED),
        ("J12 no UTF-8", of(b"{\"sub\":\"\xff\"}"), MALFORMED),
        ("J12 NUL", of(b"{\"sub\":\"a\0\"}"), MALFORMED),
        ("J12 lone surrogate", of(extended(r#""a":"\ud800""#).as_bytes()), MALFORMED),
        ("J12 2000 lists", of(deep(2000).as_bytes()), MALFORMED),
        ("J12 1e400", of(extended(r#""a":1e400"#).as_bytes()), MALFORMED),
        ("J12 NaN", of(extended(r#""a":NaN"#).as_bytes()), MALFORMED),
        ("J13 16 KiB of dots", ".".repeat(16 * 1024), MALFORMED),
        ("J14 other alphabet", format!("{input}.+{}", &signature[1..]), MALFORMED),
        ("J14 padded payload", format!("{head}.{body}=.{signature}"), Reason::CredentialsMalformed),
        ("J14 white space", format!("{head}. {body}.{signature}"), Reason::CredentialsMalformed),
        ("J14 unused bits", twin, MALFORMED),
    ]
}

fn claims(token: &Token, issuer: &str, now: i64) -> Vec<Case> {
    let with = |name: &str, value: Value| token.clone().with_claim(name, value).mint();
    let audience = |value: Value, reason| (with("aud", value), reason);
    let mut cases = vec![
        ("J15 exp is 1e3", token.mint_payload(&number(token, "exp", "1e3")), CLAIMS),
        ("J15 exp with a fraction of nothing", token.mint_payload(&number(token, "exp", "9999999999.0")), CLAIMS),
        ("J15 exp is an object", with("exp", json!({})), CLAIMS),
        ("J16 iat is text", with("iat", json!("now")), CLAIMS),
        ("J16 the year 9999", with("exp", json!(253_402_300_799_i64)), Reason::TokenLifetimeTooLong),
        ("J25 a subject of white space", with("sub", json!(" ")), CLAIMS),
        ("J25 a subject with NUL", with("sub", json!("alice\u{0}")), CLAIMS),
        ("J25 a subject with a space after it", with("sub", json!("alice ")), CLAIMS),
        ("J26 scopes in a list with a number", with("scope", json!(["mcp:catalog-read", 1])), CLAIMS),
        ("J26 two spaces", with("scope", json!("a  mcp:catalog-read")), CLAIMS),
        ("J16 exp in one second less than now", with("exp", json!(now - 1)), Reason::TokenExpired),
    ];
    let audiences = [
        ("J19 a number beside ours", audience(json!([ENDPOINT, 1]), CLAIMS)),
        ("J19 an object", audience(json!({"0": ENDPOINT}), CLAIMS)),
        ("J19 a list in a list", audience(json!([[ENDPOINT]]), CLAIMS)),
        ("J20 something before", audience(json!(format!("x{ENDPOINT}")), AUDIENCE)),
        ("J20 query", audience(json!(format!("{ENDPOINT}?q=1")), AUDIENCE)),
        ("J20 fragment", audience(json!(format!("{ENDPOINT}#f")), AUDIENCE)),
        ("J20 default port", audience(json!("https://mcp.example.test:443/shop/mcp"), AUDIENCE)),
        ("J20 escaped", audience(json!("https://mcp.example.test/%73hop/mcp"), AUDIENCE)),
        ("J20 host in capitals", audience(json!("https://MCP.example.test/shop/mcp"), AUDIENCE)),
        ("J20 our host in theirs", audience(json!("https://mcp.example.test.evil/shop/mcp"), AUDIENCE)),
        ("J21 the client", audience(json!("client-1"), AUDIENCE)),
        ("J21 Kubernetes", audience(json!("https://kubernetes.default.svc"), AUDIENCE)),
    ];
    cases.extend(audiences.map(|(name, (token, reason))| (name, token, reason)));
    let issuers = [
        ("J22 begins like ours", json!(format!("{issuer}-evil")), ISSUER),
        ("J22 slash", json!(format!("{issuer}/")), ISSUER),
        ("J22 capitals", json!(issuer.to_uppercase()), ISSUER),
        ("J22 user", json!(issuer.replace("://", "://x@")), ISSUER),
        ("J22 list", json!([issuer]), CLAIMS),
        ("J22 null", json!(null), CLAIMS),
    ];
    cases.extend(issuers.map(|(name, value, reason)| (name, with("iss", value), reason)));
    cases
}

/// The payload with a number as it is written.
fn number(token: &Token, claim: &str, text: &str) -> String {
    token.clone().with_claim(claim, "PLACE").payload().replace("\"PLACE\"", text)
}

#[tokio::test]
async fn keys_algorithms_and_forms_of_tokens_can_not_be_bent() {
    let world = World::start().await;
    let (token, key, attacker) = (world.issuer.token(), world.issuer.key(), Arc::new(Key::new("key-1", "ES256")));
    check(&world, &keys_and_algorithms(&token, &key, &attacker)).await;
    check(&world, &texts(&token, &key)).await;
    for (wire, era) in CELLS {
        world.passed(wire, &call(era, &world.token())).await;
    }
    assert!(world.issuer.key_fetches() <= 2, "J06 J07: nothing was fetched but once for what is unknown");
    world.end();
}

#[tokio::test]
async fn claims_count_to_the_letter() {
    let world = World::start().await;
    let token = world.issuer.token();
    check(&world, &claims(&token, &world.issuer.url(), world.issuer.now())).await;
    let escaped = token.mint_payload(&token.payload().replace('/', "\\/"));
    let twice = token.clone().scope("mcp:catalog-read mcp:catalog-read").mint();
    for (wire, era) in CELLS {
        world.passed(wire, &call(era, &escaped)).await;
        world.passed(wire, &call(era, &twice)).await;
    }
    world.end();
}

/// The very second is judged alone: here the clock goes on.
#[tokio::test]
async fn clocks_may_differ_by_the_leeway() {
    let world = World::with(|config| config.identity_providers[0].leeway_seconds = 60).await;
    let with = |name: &str, by: i64| world.issuer.token().with_claim(name, world.issuer.now() + by).mint();
    let early = Reason::TokenNotYetValid;
    check(
        &world,
        &[
            ("J17 exp", with("exp", -61), Reason::TokenExpired),
            ("J17 nbf", with("nbf", 300), early),
            ("J17 iat", with("iat", 300), early),
        ],
    )
    .await;
    for (wire, era) in CELLS {
        for (name, by) in [("exp", -5), ("nbf", 60), ("iat", 60)] {
            world.passed(wire, &call(era, &with(name, by))).await;
        }
    }
    world.end();
}

#[tokio::test]
async fn other_tokens_of_the_issuer_are_no_access_tokens() {
    let world = World::with(|config| {
        config.identity_providers[0].token_types = vec![TokenType::AccessToken, TokenType::Jwt, TokenType::Absent];
    })
    .await;
    let plain = || world.issuer.token().with_header("typ", "JWT");
    let with = |name: &str, value: Value| plain().with_claim(name, value).mint();
    let typed = |name: &str| world.issuer.token().with_header("typ", name).mint();
    check(
        &world,
        &[
            ("J24 an ID token by its nonce", with("nonce", json!("n")), TYPE),
            ("J24 an ID token by at_hash", with("at_hash", json!("h")), TYPE),
            ("J24 an ID token by what it lacks", plain().without("client_id").without("scope").mint(), TYPE),
            ("J24 a logout token", with("events", json!({})), TYPE),
            ("J24 a credential", with("vc", json!({})), TYPE),
            ("J24 a presentation", with("vp", json!({})), TYPE),
            ("J24 Cognito's ID token", with("token_use", json!("id")), TYPE),
            ("J24 Keycloak's refresh token", with("typ", json!("Refresh")), TYPE),
            ("J24 Keycloak's offline token", with("typ", json!("Offline")), TYPE),
            ("J24 Keycloak's ID token", with("typ", json!("ID")), TYPE),
            ("J24 logout+jwt", typed("logout+jwt"), TYPE),
            ("J24 dpop+jwt", typed("dpop+jwt"), TYPE),
            ("J24 secevent+jwt", typed("application/secevent+jwt"), TYPE),
            ("J24 client-authentication+jwt", typed("client-authentication+jwt"), TYPE),
            ("J24 token-introspection+jwt", typed("token-introspection+jwt"), TYPE),
        ],
    )
    .await;
    for (wire, era) in CELLS {
        for typ in ["JWT", "AT+JWT", "application/at+jwt"] {
            world.passed(wire, &call(era, &typed(typ))).await;
        }
    }
    world.end();
}

#[tokio::test]
async fn another_tenant_s_caller_and_scopes_that_only_look_like_ours_are_forbidden() {
    let world = World::with(|config| {
        config.routes[0].rules[0].condition = Some("principal.claims.tid == 'shop'".into());
    })
    .await;
    let of = |tenant: &str| world.issuer.token().with_claim("tid", tenant);
    for (wire, era) in CELLS {
        world.passed(wire, &call(era, &of("shop").mint())).await;
        let forbidden = Refusal::new(403, Reason::ConditionFailed).answering();
        for token in [of("evil").mint(), of("").mint(), of("Shop").mint(), world.token()] {
            world.refused(wire, &call(era, &token), &forbidden).await;
        }
        let scopes = [
            json!("xmcp:catalog-read"),
            json!("mcp:catalog-read2"),
            json!("MCP:catalog-read"),
            json!("mcp:catalog-readmcp:catalog-read"),
            json!("*"),
            json!(""),
            json!([]),
        ];
        for scope in scopes {
            let token = of("shop").with_claim("scope", scope.clone()).mint();
            let reply = world.send(wire, &call(era, &token)).await;
            let got = (reply.status.as_u16(), reply.reason());
            assert_eq!(got, (403, Reason::ScopeInsufficient.code().to_owned()), "J26 {scope}");
        }
        // A claim that this provider does not use for scopes grants nothing.
        let elsewhere = of("shop").without("scope").with_claim("scp", "mcp:catalog-read").mint();
        let reply = world.send(wire, &call(era, &elsewhere)).await;
        assert_eq!(reply.reason(), Reason::ScopeInsufficient.code(), "J26 scp");
    }
    world.end();
}
