//! A good token with one thing wrong at a time. The snapshot is the table of the documentation.

use serde_json::json;
use std::fmt::Write as _;
use std::sync::Arc;
use tollward_policy::operation::Era;
use tollward_policy::reason::Reason;
use tollward_tests::key::{Key, encode};
use tollward_tests::mcp::Call;
use tollward_tests::token::Token;
use tollward_tests::world::{CELLS, Refusal, World};

/// What is wrong, the token, and the reason.
type Case = (&'static str, String, Reason);

fn headers(token: &Token, key: &Key, attacker: &Arc<Key>) -> Vec<Case> {
    let public = key.jwk().to_string();
    let hs256 = |secret: &[u8]| {
        let secret = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret);
        let signed = token.clone().with_header("alg", "HS256");
        signed.mint_with(|input| aws_lc_rs::hmac::sign(&secret, input).as_ref().to_vec())
    };
    let with = |name: &str, value: serde_json::Value| token.clone().with_header(name, value).mint();
    let forged =
        |name: &str, value: serde_json::Value| token.clone().with_header(name, value).forged_by(attacker).mint();
    let unsigned = |alg: &str| token.clone().with_header("alg", alg).mint_with(|_| Vec::new());
    vec![
        ("alg is none", unsigned("none"), Reason::TokenAlgorithmRefused),
        ("alg is None", unsigned("None"), Reason::TokenAlgorithmRefused),
        ("alg is nOnE", unsigned("nOnE"), Reason::TokenAlgorithmRefused),
        ("alg is empty", with("alg", json!("")), Reason::TokenAlgorithmRefused),
        ("alg is missing", token.clone().without_header("alg").mint(), Reason::TokenMalformed),
        ("alg is a number", with("alg", json!(256)), Reason::TokenMalformed),
        ("alg is es256", with("alg", json!("es256")), Reason::TokenAlgorithmRefused),
        ("HS256 with the public JWK as secret", hs256(public.as_bytes()), Reason::TokenAlgorithmRefused),
        ("HS256 with an empty secret", hs256(b""), Reason::TokenAlgorithmRefused),
        ("alg of another key type", with("alg", json!("RS256")), Reason::TokenAlgorithmRefused),
        ("alg of another curve", with("alg", json!("ES384")), Reason::TokenAlgorithmRefused),
        ("kid is unknown", with("kid", json!("other")), Reason::TokenKeyUnknown),
        ("kid is a path", with("kid", json!("../../../../dev/null")), Reason::TokenKeyUnknown),
        ("kid is SQL", with("kid", json!("' OR 1=1--")), Reason::TokenKeyUnknown),
        ("kid is a number", with("kid", json!(1)), Reason::TokenMalformed),
        ("kid is null", with("kid", json!(null)), Reason::TokenMalformed),
        ("kid has 300 bytes", with("kid", json!("k".repeat(300))), Reason::TokenMalformed),
        ("typ is JWT", with("typ", json!("JWT")), Reason::TokenTypeRefused),
        ("typ is logout+jwt", with("typ", json!("logout+jwt")), Reason::TokenTypeRefused),
        ("typ is dpop+jwt", with("typ", json!("dpop+jwt")), Reason::TokenTypeRefused),
        ("typ is missing", token.clone().without_header("typ").mint(), Reason::TokenTypeRefused),
        ("typ is a number", with("typ", json!(1)), Reason::TokenMalformed),
        ("crit names exp", with("crit", json!(["exp"])), Reason::TokenMalformed),
        ("crit is empty", with("crit", json!([])), Reason::TokenMalformed),
        ("b64 is false", with("b64", json!(false)), Reason::TokenMalformed),
        ("cty is JWT", with("cty", json!("JWT")), Reason::TokenMalformed),
        ("signed by the key in its own jwk", forged("jwk", attacker.jwk()), Reason::TokenSignatureInvalid),
        (
            "signed by a key behind its jku",
            forged("jku", json!("http://127.0.0.1:1/jwks")),
            Reason::TokenSignatureInvalid,
        ),
        (
            "signed by a key behind its x5u",
            forged("x5u", json!("http://127.0.0.1:1/x5u")),
            Reason::TokenSignatureInvalid,
        ),
    ]
}

fn times(token: &Token, now: i64) -> Vec<Case> {
    let with = |name: &str, value: serde_json::Value| token.clone().with_claim(name, value).mint();
    vec![
        ("exp is missing", token.clone().without("exp").mint(), Reason::TokenClaimsInvalid),
        ("exp is text", with("exp", json!("9999999999")), Reason::TokenClaimsInvalid),
        ("exp is a fraction", with("exp", json!(1.5)), Reason::TokenClaimsInvalid),
        ("exp is true", with("exp", json!(true)), Reason::TokenClaimsInvalid),
        ("exp is null", with("exp", json!(null)), Reason::TokenClaimsInvalid),
        ("exp is negative", with("exp", json!(-1)), Reason::TokenClaimsInvalid),
        ("exp is beyond 64 bits", with("exp", json!(u64::MAX)), Reason::TokenClaimsInvalid),
        ("exp is past", with("exp", json!(now - 2)), Reason::TokenExpired),
        ("nbf is ahead", with("nbf", json!(now + 300)), Reason::TokenNotYetValid),
        ("nbf is text", with("nbf", json!("now")), Reason::TokenClaimsInvalid),
        ("iat is ahead", with("iat", json!(now + 300)), Reason::TokenNotYetValid),
        ("iat is missing, and lifetimes are bounded", token.clone().without("iat").mint(), Reason::TokenClaimsInvalid),
        ("it lives for a day", with("exp", json!(now + 86_400)), Reason::TokenLifetimeTooLong),
    ]
}

fn claims(token: &Token) -> Vec<Case> {
    let with = |name: &str, value: serde_json::Value| token.clone().with_claim(name, value).mint();
    let audience = tollward_tests::config::ENDPOINT;
    vec![
        ("iss is missing", token.clone().without("iss").mint(), Reason::TokenClaimsInvalid),
        ("iss is a number", with("iss", json!(1)), Reason::TokenClaimsInvalid),
        ("iss is another issuer", with("iss", json!("https://evil.example")), Reason::IssuerUnknown),
        ("iss is empty", with("iss", json!("")), Reason::IssuerUnknown),
        ("aud is missing", token.clone().without("aud").mint(), Reason::TokenClaimsInvalid),
        ("aud is another resource", with("aud", json!("https://mcp.example.test/other")), Reason::AudienceMismatch),
        ("aud is the host alone", with("aud", json!("https://mcp.example.test")), Reason::AudienceMismatch),
        ("aud has a slash more", with("aud", json!(format!("{audience}/"))), Reason::AudienceMismatch),
        ("aud begins like ours", with("aud", json!(format!("{audience}-evil"))), Reason::AudienceMismatch),
        ("aud is in capitals", with("aud", json!(audience.to_uppercase())), Reason::AudienceMismatch),
        ("aud is a list of others", with("aud", json!(["a", "b"])), Reason::AudienceMismatch),
        ("aud is a number", with("aud", json!(1)), Reason::TokenClaimsInvalid),
        ("aud is an empty list", with("aud", json!([])), Reason::AudienceMismatch),
        ("sub is missing", token.clone().without("sub").mint(), Reason::TokenClaimsInvalid),
        ("sub is empty", with("sub", json!("")), Reason::TokenClaimsInvalid),
        ("sub is a number", with("sub", json!(7)), Reason::TokenClaimsInvalid),
        ("sub has a line break", with("sub", json!("alice\r\nX-Admin: 1")), Reason::TokenClaimsInvalid),
        ("client_id is a list", with("client_id", json!(["client-1"])), Reason::TokenClaimsInvalid),
        ("scope is a number", with("scope", json!(1)), Reason::TokenClaimsInvalid),
        ("scope is separated by a tab", with("scope", json!("a\tmcp:catalog-read")), Reason::TokenClaimsInvalid),
        ("cnf names a key", with("cnf", json!({"jkt": encode(&[1; 32])})), Reason::TokenBindingRefused),
        ("cnf names a certificate", with("cnf", json!({"x5t#S256": encode(&[1; 32])})), Reason::TokenBindingRefused),
        ("cnf names a key in no thumbprint", with("cnf", json!({"jkt": "x"})), Reason::TokenBindingRefused),
        ("cnf is empty", with("cnf", json!({})), Reason::TokenBindingRefused),
        ("cnf is null", with("cnf", json!(null)), Reason::TokenBindingRefused),
        ("cnf has an unknown member", with("cnf", json!({"kid": "a"})), Reason::TokenBindingRefused),
    ]
}

fn forms(token: &Token) -> Vec<Case> {
    let good = token.mint();
    let (input, signature) = good.rsplit_once('.').unwrap();
    let payload = token.payload();
    let flipped =
        if let Some(rest) = signature.strip_prefix('A') { format!("B{rest}") } else { format!("A{}", &signature[1..]) };
    let twice = payload.replacen('{', "{\"sub\":\"mallory\",", 1);
    let escaped = payload.replacen('{', "{\"\\u0073ub\":\"mallory\",", 1);
    vec![
        ("the signature is another", format!("{input}.{flipped}"), Reason::TokenSignatureInvalid),
        ("the signature is shorter", format!("{input}.{}", encode(&[1; 60])), Reason::TokenSignatureInvalid),
        ("the signature is missing", format!("{input}."), Reason::TokenSignatureInvalid),
        ("the signature is all zero", format!("{input}.{}", encode(&[0; 64])), Reason::TokenSignatureInvalid),
        ("the signature has padding", format!("{good}=="), Reason::TokenMalformed),
        ("two parts", input.to_owned(), Reason::TokenMalformed),
        ("four parts", format!("{good}.e30"), Reason::TokenMalformed),
        ("five parts, as an encrypted token", format!("{good}.e30.e30"), Reason::TokenMalformed),
        ("dots alone", "..".to_owned(), Reason::TokenMalformed),
        ("an opaque token", "2YotnFZFEjr1zCsicMWpAA".to_owned(), Reason::TokenMalformed),
        ("17 KiB", "a".repeat(17 * 1024), Reason::TokenMalformed),
        ("sub stands twice", token.mint_payload(&twice), Reason::TokenMalformed),
        ("sub stands twice, once with an escape", token.mint_payload(&escaped), Reason::TokenMalformed),
        ("the payload is a list", token.mint_payload("[]"), Reason::TokenMalformed),
        ("the payload is text", token.mint_payload("\"alice\""), Reason::TokenMalformed),
        (
            "the payload has a byte order mark",
            token.mint_payload(&format!("\u{feff}{payload}")),
            Reason::TokenMalformed,
        ),
        (
            "the payload goes on after its object",
            token.mint_payload(&format!("{payload}{payload}")),
            Reason::TokenMalformed,
        ),
    ]
}

fn cases(world: &World) -> Vec<Case> {
    let (token, attacker) = (world.issuer.token(), Arc::new(Key::new("key-1", "ES256")));
    let mut cases = headers(&token, &world.issuer.key(), &attacker);
    cases.extend(times(&token, world.issuer.now()));
    cases.extend(claims(&token));
    cases.extend(forms(&token));
    cases
}

#[tokio::test]
async fn a_token_with_anything_wrong_is_refused_in_every_cell() {
    for (wire, era) in CELLS {
        let world = World::start().await;
        for (what, token, reason) in cases(&world) {
            let call = Call::tool(era, "get_product").token(&token);
            let (_, record) = world.refused(wire, &call, &Refusal::invalid_token(reason)).await;
            assert_eq!(record.caller, None, "{what}: nobody was verified");
        }
        assert!(world.issuer.key_fetches() <= 2, "unknown keys cost one fetch at most");
        world.passed(wire, &Call::tool(era, "get_product").token(&world.token())).await;
        world.end();
    }
}

#[tokio::test]
async fn every_refused_token_is_told_what_is_wrong_with_it() {
    let world = World::start().await;
    let mut table = String::from("| the token | reason | error_description |\n|---|---|---|\n");
    for (what, token, _) in cases(&world) {
        let reply = world.send(CELLS[0].0, &Call::tool(Era::Modern, "get_product").token(&token)).await;
        let challenge = reply.header("www-authenticate");
        let description = challenge.split("error_description=\"").nth(1).and_then(|rest| rest.split('"').next());
        writeln!(table, "| {what} | `{}` | {} |", reply.reason(), description.unwrap_or("missing")).unwrap();
    }
    insta::assert_snapshot!(table);
    world.end();
}

#[tokio::test]
async fn every_algorithm_that_the_provider_may_use_is_verified() {
    let world = World::start().await;
    let keys: Vec<_> = ["RS256", "PS256", "ES256", "ES384", "EdDSA"]
        .map(|name| Arc::new(Key::new(&format!("key-{name}"), name)))
        .to_vec();
    world.issuer.publish(keys.iter().cloned());
    for key in &keys {
        let token = world.issuer.token().signed_by(key).mint();
        for (wire, era) in CELLS {
            world.passed(wire, &Call::tool(era, "get_product").token(&token)).await;
        }
    }
    assert_eq!(world.issuer.key_fetches(), 2, "the five new keys came with one fetch");
    world.end();
}

#[tokio::test]
async fn a_token_is_judged_again_when_it_expires_although_it_was_verified_before() {
    let world = World::start().await;
    for (wire, era) in CELLS {
        let call = Call::tool(era, "get_product").token(&world.token());
        world.passed(wire, &call).await;
        world.passed(wire, &call).await;
        world.clock.advance(3601);
        world.refused(wire, &call, &Refusal::invalid_token(Reason::TokenExpired)).await;
    }
    world.end();
}

#[tokio::test]
async fn lists_of_audiences_and_scopes_are_as_good_as_texts() {
    let world = World::start().await;
    let token = world.issuer.token();
    let audience = json!(["https://elsewhere.example", tollward_tests::config::ENDPOINT]);
    let token = token.with_claim("aud", audience).with_claim("scope", json!(["x", "mcp:catalog-read"])).mint();
    for (wire, era) in CELLS {
        world.passed(wire, &Call::tool(era, "get_product").token(&token)).await;
    }
    world.end();
}
