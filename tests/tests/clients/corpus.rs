//! Access tokens for two judges: every algorithm, with one or two things changed, by a generator that always gives the same.

use serde_json::{Value, json};
use std::sync::Arc;
use tollward_tests::config::ENDPOINT;
use tollward_tests::issuer::Issuer;
use tollward_tests::key::{Key, encode};
use tollward_tests::token::Token;

/// A token, and what was changed.
pub(crate) struct Specimen {
    /// The changes, for people.
    pub what: String,
    /// The text.
    pub token: String,
}

/// A change of a token before it is signed.
type Change = (&'static str, fn(Token, i64) -> Token);

/// Some leave the token good, most do not.
const CHANGES: &[Change] = &[
    ("nothing", |token, _| token),
    ("aud is a list with ours", |token, _| token.with_claim("aud", json!(["https://other.example", ENDPOINT]))),
    ("aud is a list of others", |token, _| token.with_claim("aud", json!(["https://other.example"]))),
    ("aud is another", |token, _| token.with_claim("aud", "https://other.example")),
    ("aud has a slash more", |token, _| token.with_claim("aud", format!("{ENDPOINT}/"))),
    ("aud holds a number too", |token, _| token.with_claim("aud", json!([ENDPOINT, 1]))),
    ("aud is missing", |token, _| token.without("aud")),
    ("aud is null", |token, _| token.with_claim("aud", Value::Null)),
    ("iss is another", |token, _| token.with_claim("iss", "https://evil.example")),
    ("iss is missing", |token, _| token.without("iss")),
    ("iss is a list", |token, _| token.with_claim("iss", json!(["https://evil.example"]))),
    ("exp is past", |token, now| token.with_claim("exp", now - 10)),
    ("exp is far", |token, now| token.with_claim("exp", now + 7000)),
    ("exp is text", |token, now| token.with_claim("exp", (now + 60).to_string())),
    ("exp is a fraction", |token, _| token.with_claim("exp", json!(9_999_999_999.5))),
    ("exp is missing", |token, _| token.without("exp")),
    ("exp is null", |token, _| token.with_claim("exp", Value::Null)),
    ("exp is negative", |token, _| token.with_claim("exp", -1)),
    ("nbf is ahead", |token, now| token.with_claim("nbf", now + 600)),
    ("nbf is missing", |token, _| token.without("nbf")),
    ("nbf is text", |token, _| token.with_claim("nbf", "0")),
    ("nbf is zero", |token, _| token.with_claim("nbf", 0)),
    ("iat is ahead", |token, now| token.with_claim("iat", now + 600)),
    ("iat is text", |token, _| token.with_claim("iat", "0")),
    ("iat is a list", |token, _| token.with_claim("iat", json!([1]))),
    ("sub is missing", |token, _| token.without("sub")),
    ("sub is a number", |token, _| token.with_claim("sub", 7)),
    ("sub is long", |token, _| token.with_claim("sub", "s".repeat(200))),
    ("scope is a list", |token, _| token.with_claim("scope", json!(["mcp:catalog-read"]))),
    ("jti is missing", |token, _| token.without("jti")),
    ("a claim more", |token, _| token.with_claim("tier", "production")),
    ("typ is the full media type", |token, _| token.with_header("typ", "application/at+jwt")),
    ("typ is in capitals", |token, _| token.with_header("typ", "AT+JWT")),
    ("typ is JWT", |token, _| token.with_header("typ", "JWT")),
    ("typ is missing", |token, _| token.without_header("typ")),
    ("typ is a number", |token, _| token.with_header("typ", 1)),
    ("kid is unknown", |token, _| token.with_header("kid", "other")),
    ("kid is a number", |token, _| token.with_header("kid", 1)),
    ("kid is missing", |token, _| token.without_header("kid")),
    ("crit names exp", |token, _| token.with_header("crit", json!(["exp"])).with_header("exp", 1)),
    ("crit names b64", |token, _| token.with_header("crit", json!(["b64"])).with_header("b64", true)),
    ("crit is empty", |token, _| token.with_header("crit", json!([]))),
    ("b64 is false", |token, _| token.with_header("b64", false)),
    ("alg is none", |token, _| token.with_header("alg", "none")),
    ("alg is RS256", |token, _| token.with_header("alg", "RS256")),
    ("alg is PS256", |token, _| token.with_header("alg", "PS256")),
    ("alg is ES256", |token, _| token.with_header("alg", "ES256")),
    ("alg is ES384", |token, _| token.with_header("alg", "ES384")),
    ("alg is EdDSA", |token, _| token.with_header("alg", "EdDSA")),
    ("alg is Ed25519", |token, _| token.with_header("alg", "Ed25519")),
    ("alg is HS256", |token, _| token.with_header("alg", "HS256")),
    ("alg is a list", |token, _| token.with_header("alg", json!(["ES256"]))),
    ("a header parameter more", |token, _| token.with_header("x-trace", "1")),
    ("cty is JWT", |token, _| token.with_header("cty", "JWT")),
];

/// A change of the signed text.
type Damage = (&'static str, fn(&str) -> String);

const DAMAGES: &[Damage] = &[
    ("a part more", |token| format!("{token}.e30")),
    ("no signature", |token| format!("{}.", input(token))),
    ("two parts", |token| input(token).to_owned()),
    ("the signature is zero", |token| format!("{}.{}", input(token), encode(&[0; 64]))),
    ("the signature is padded", |token| format!("{token}==")),
    ("the signature has other last bits", other_last_bits),
    ("the payload is another's", |token| {
        let (header, rest) = token.split_once('.').expect("a signed token");
        let signature = rest.split_once('.').expect("a signed token").1;
        format!("{header}.{}.{signature}", encode(br#"{"sub":"mallory"}"#))
    }),
    ("a space in front", |token| format!("%20{token}")),
];

fn input(token: &str) -> &str {
    token.rsplit_once('.').expect("a signed token").0
}

/// The same bytes for a lenient reader of base64url, if the last character has unused bits.
fn other_last_bits(token: &str) -> String {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let last = token.chars().last().expect("a signature");
    let place = ALPHABET.find(last).expect("base64url");
    let next = ALPHABET.chars().nth(place ^ 1).expect("64 characters");
    format!("{}{next}", &token[..token.len() - 1])
}

/// The corpus: each algorithm with each change and each damage, and `pairs` pairs of changes for each.
pub(crate) fn corpus(issuer: &Issuer, keys: &[Arc<Key>], pairs: usize) -> Vec<Specimen> {
    let now = issuer.now();
    let mut corpus = Vec::new();
    // A linear congruential generator (Knuth's MMIX): the corpus is the same in every run.
    let mut state = 2026_u64;
    let mut pick = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let place = usize::try_from(state >> 33).expect("31 bits") % CHANGES.len();
        CHANGES.get(place).expect("a place in the list")
    };
    for key in keys {
        let good = issuer.token().signed_by(key);
        let mut add = |what: String, token: String| {
            corpus.push(Specimen { what: format!("{}: {what}", key.algorithm), token });
        };
        for (what, change) in CHANGES {
            add((*what).to_owned(), change(good.clone(), now).mint());
        }
        for (what, damage) in DAMAGES {
            add((*what).to_owned(), damage(&good.mint()));
        }
        for _ in 0..pairs {
            let (first, second) = (pick(), pick());
            add(format!("{}, {}", first.0, second.0), second.1(first.1(good.clone(), now), now).mint());
        }
        let stranger = Arc::new(Key::new(&key.id, key.algorithm));
        if !key.algorithm.ends_with("S256") || key.algorithm.starts_with('E') {
            // All RSA keys of the harness are one.
            add("signed by a stranger".to_owned(), good.forged_by(&stranger).mint());
        }
    }
    corpus
}
