//! Form and cryptography of one token.

use super::issuer::{Key, claims, encode};
use super::world::{JWKS_URL, World, config};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RsaPssSaltLength,
};
use serde_json::json;
use tollward_policy::reason::Reason;

const ALGORITHM: Reason = Reason::TokenAlgorithmRefused;
const MALFORMED: Reason = Reason::TokenMalformed;
const SIGNATURE: Reason = Reason::TokenSignatureInvalid;
const UNKNOWN: Reason = Reason::TokenKeyUnknown;

#[tokio::test(start_paused = true)]
async fn a_good_token_of_every_algorithm_names_its_holder() {
    for algorithm in ["RS256", "PS256", "ES256", "ES384", "EdDSA", "Ed25519"] {
        let key = Key::new("k", algorithm);
        let world = World::with(config(), &[&key]).await;
        let principal = world.call(&key.token()).await.unwrap();
        assert_eq!(principal.subject, "alice", "{algorithm}");
        assert_eq!(principal.client.as_deref(), Some("client-1"));
        assert_eq!(principal.token_id.as_deref(), Some("token-1"));
        assert_eq!(principal.scopes, ["files:read", "files:write"]);
        assert_eq!(principal.provider, "team/idp");
        assert_eq!(principal.issuer, super::issuer::ISSUER);
        assert_eq!(principal.expires_at, super::issuer::NOW + 600);
        assert_eq!(serde_json::Value::Object(principal.claims), claims());
    }
}

#[tokio::test(start_paused = true)]
async fn the_algorithm_is_never_the_callers_choice() {
    let key = Key::new("k", "RS256");
    let world = World::with(config(), &[&key]).await;
    let unsigned = |alg: &serde_json::Value| {
        let header = json!({"alg": alg, "kid": "k", "typ": "at+jwt"}).to_string();
        format!("{}.{}.", encode(header.as_bytes()), encode(claims().to_string().as_bytes()))
    };
    let symmetric = |secret: &[u8]| {
        let header = json!({"alg": "HS256", "kid": "k", "typ": "at+jwt"}).to_string();
        let input = format!("{}.{}", encode(header.as_bytes()), encode(claims().to_string().as_bytes()));
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), input.as_bytes());
        format!("{input}.{}", encode(tag.as_ref()))
    };
    let jwk = key.jwk();
    let with_alg = |alg: &str| key.with_header(|header| header["alg"] = json!(alg));
    world
        .check(&[
            ("J01 none", unsigned(&json!("none")), ALGORITHM),
            ("J01 None", unsigned(&json!("None")), ALGORITHM),
            ("J01 nOnE", unsigned(&json!("nOnE")), ALGORITHM),
            ("J01 empty", unsigned(&json!("")), ALGORITHM),
            ("J01 rs256", unsigned(&json!("rs256")), ALGORITHM),
            ("J01 number", unsigned(&json!(256)), MALFORMED),
            ("J01 list", unsigned(&json!(["RS256"])), MALFORMED),
            ("J01 null", unsigned(&json!(null)), MALFORMED),
            ("J01 unsigned RS256", unsigned(&json!("RS256")), SIGNATURE),
            ("J01 missing", key.token_with(&json!({"kid": "k", "typ": "at+jwt"}), &claims()), MALFORMED),
            ("J02 JWK text", symmetric(jwk.to_string().as_bytes()), ALGORITHM),
            ("J02 modulus", symmetric(jwk["n"].as_str().unwrap().as_bytes()), ALGORITHM),
            ("J04 PS256 with the RS256 key", with_alg("PS256"), ALGORITHM),
            ("J04 RS512 is not on the list", with_alg("RS512"), ALGORITHM),
            ("J04 ES256 with an RSA key", with_alg("ES256"), ALGORITHM),
            ("ES512 is unknown", with_alg("ES512"), ALGORITHM),
        ])
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_token_does_not_bring_its_key() {
    let (key, attacker) = (Key::new("k", "ES256"), Key::new("k", "ES256"));
    let world = World::with(config(), &[&key]).await;
    let forged = |name: &str, value: serde_json::Value| attacker.with_header(|header| header[name] = value);
    let strange = |id: serde_json::Value| key.with_header(|header| header["kid"] = id);
    let before = world.network.log().len();
    world
        .check(&[
            ("J05 jwk", forged("jwk", attacker.jwk()), SIGNATURE),
            ("J06 jku", forged("jku", json!("https://evil.example/keys")), SIGNATURE),
            ("J06 x5u", forged("x5u", json!("https://evil.example/chain")), SIGNATURE),
            ("J06 x5c", forged("x5c", json!(["MIIB"])), SIGNATURE),
            (
                "J06 ignored where the key is right",
                key.with_header(|header| header["jku"] = json!("https://e.example")),
                Reason::Allowed,
            ),
            ("J07 number", strange(json!(1)), MALFORMED),
            ("J07 list", strange(json!(["k"])), MALFORMED),
            ("J07 null", strange(json!(null)), MALFORMED),
            ("J07 257 bytes", strange(json!("k".repeat(257))), MALFORMED),
        ])
        .await;
    assert_eq!(world.network.log().len(), before, "J06: nothing was fetched");
    for id in ["", "../../../../dev/null", "' OR 1=1--", "%00", "k\0", "K", "k ", &"k".repeat(256)] {
        assert_eq!(world.reason(&strange(json!(id))).await, UNKNOWN, "J07 {id:?}");
    }
    assert!(world.network.log().iter().all(|url| url == JWKS_URL), "{:?}", world.network.log());
}

#[tokio::test(start_paused = true)]
async fn headers_that_change_the_meaning_are_refused() {
    let key = Key::new("k", "ES256");
    let world = World::with(config(), &[&key]).await;
    let with = |name: &str, value: serde_json::Value| key.with_header(|header| header[name] = value);
    world
        .check(&[
            ("J09 crit exp", with("crit", json!(["exp"])), MALFORMED),
            ("J09 crit unknown", with("crit", json!(["bork"])), MALFORMED),
            ("J09 crit empty", with("crit", json!([])), MALFORMED),
            ("J09 crit null", with("crit", json!(null)), MALFORMED),
            ("J09 b64", with("b64", json!(false)), MALFORMED),
            ("J09 b64 true", with("b64", json!(true)), MALFORMED),
            ("J10 nested", with("cty", json!("JWT")), MALFORMED),
            ("J10 nested, long form", with("cty", json!("application/jwt")), MALFORMED),
            ("J10 cty number", with("cty", json!(1)), MALFORMED),
            ("J10 compressed", with("zip", json!("DEF")), MALFORMED),
            ("J10 encrypted", with("enc", json!("A256GCM")), MALFORMED),
            ("typ number", with("typ", json!(1)), MALFORMED),
        ])
        .await;
}

#[tokio::test(start_paused = true)]
async fn only_three_canonical_parts_are_a_token() {
    let key = Key::new("k", "ES256");
    let world = World::with(config(), &[&key]).await;
    let token = key.token();
    let (input, signature) = token.rsplit_once('.').unwrap();
    let (header, payload) = input.split_once('.').unwrap();
    let last = signature.chars().last().unwrap();
    // 64 bytes leave four unused bits in the last character.
    let twin = char::from(match last {
        'A' | 'Q' | 'g' | 'w' => u8::try_from(last).unwrap() + 1,
        other => panic!("{other} is not canonical"),
    });
    let mut cases = vec![
        ("J10 two parts", input.to_owned(), MALFORMED),
        ("J10 four parts", format!("{token}.{signature}"), MALFORMED),
        ("J10 five parts", format!("{header}.a.b.c.{signature}"), MALFORMED),
        ("J10 trailing dot", format!("{token}."), MALFORMED),
        ("J10 leading dot", format!(".{token}"), MALFORMED),
        ("J10 no header", format!(".{payload}.{signature}"), MALFORMED),
        ("J10 no payload", format!("{header}..{signature}"), MALFORMED),
        ("J10 no signature", format!("{input}."), SIGNATURE),
        ("J10 JSON serialization", r#"{"payload":"e30","signatures":[]}"#.to_owned(), Reason::CredentialsMalformed),
        ("J14 padded signature", format!("{token}=="), MALFORMED),
        ("J14 padded payload", format!("{header}.{payload}=.{signature}"), Reason::CredentialsMalformed),
        ("J14 other bits", format!("{}{twin}", token.strip_suffix(last).unwrap()), MALFORMED),
        ("J14 swapped", format!("{header}.{signature}.{payload}"), MALFORMED),
    ];
    let alphabet = ["+", "/", "~"].map(|sign| format!("{input}.{sign}{}", &signature[1..]));
    cases.extend(alphabet.map(|token| ("J14 other alphabet", token, MALFORMED)));
    world.check(&cases).await;
}

#[tokio::test(start_paused = true)]
async fn only_unambiguous_objects_are_header_and_payload() {
    let key = Key::new("k", "ES256");
    let world = World::with(config(), &[&key]).await;
    let header = key.header().to_string();
    let payload = |bytes: &[u8]| key.token_of(header.as_bytes(), bytes);
    let extended = |member: &str| {
        let text = claims().to_string();
        payload(format!("{},{member}}}", text.strip_suffix('}').unwrap()).as_bytes())
    };
    let with_head = |text: &str| key.token_of(text.as_bytes(), claims().to_string().as_bytes());
    let utf16: Vec<u8> = claims().to_string().encode_utf16().flat_map(u16::to_be_bytes).collect();
    let deep = |depth: usize| extended(&format!(r#""deep":{}{}"#, "[".repeat(depth), "]".repeat(depth)));
    world
        .check(&[
            ("an additional claim", extended(r#""a":1"#), Reason::Allowed),
            ("J11 alg twice", with_head(r#"{"alg":"ES256","alg":"ES256","kid":"k","typ":"at+jwt"}"#), MALFORMED),
            ("J11 escaped alg", with_head(r#"{"alg":"ES256","\u0061lg":"none","kid":"k","typ":"at+jwt"}"#), MALFORMED),
            ("J11 sub", extended(r#""sub":"alice""#), MALFORMED),
            ("J11 aud", extended(r#""aud":"x""#), MALFORMED),
            ("J11 exp", extended(r#""exp":1"#), MALFORMED),
            ("J11 escaped sub", extended(r#""\u0073ub":"root""#), MALFORMED),
            ("J11 within", extended(r#""a":[{"b":1,"b":2}]"#), MALFORMED),
            ("J12 list", payload(b"[]"), MALFORMED),
            ("J12 text", payload(b"\"x\""), MALFORMED),
            ("J12 number", payload(b"1"), MALFORMED),
            ("J12 null", payload(b"null"), MALFORMED),
            ("J12 two values", payload(b"{}{}"), MALFORMED),
            ("J12 byte order mark", payload(&[b"\xef\xbb\xbf", claims().to_string().as_bytes()].concat()), MALFORMED),
            ("J12 UTF-16", payload(&utf16), MALFORMED),
            ("J12 invalid UTF-8", payload(b"{\"sub\":\"\xff\"}"), MALFORMED),
            ("J12 lone surrogate", extended(r#""a":"\ud800""#), MALFORMED),
            ("J12 raw NUL", payload(b"{\"sub\":\"a\0\"}"), MALFORMED),
            ("J12 63 lists in the object", deep(63), Reason::Allowed),
            ("J12 64 lists in the object", deep(64), MALFORMED),
            ("J12 2000 lists", deep(2000), MALFORMED),
            ("J12 1e400", extended(r#""a":1e400"#), MALFORMED),
            ("J12 NaN", extended(r#""a":NaN"#), MALFORMED),
            ("J12 trailing comma", payload(b"{\"a\":1,}"), MALFORMED),
        ])
        .await;
}

#[tokio::test(start_paused = true)]
async fn signatures_of_another_shape_do_not_verify() {
    let key = Key::new("k", "ES256");
    let world = World::with(config(), &[&key]).await;
    let token = key.token();
    let (input, good) = token.rsplit_once('.').unwrap();
    let order = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
    let order: Vec<u8> = (0..32).map(|i| u8::from_str_radix(&order[2 * i..2 * i + 2], 16).unwrap()).collect();
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
    let der = pair.sign(&SystemRandom::new(), input.as_bytes()).unwrap();
    let one = [&[0; 31][..], &[1]].concat();
    let signed = |bytes: &[u8]| format!("{input}.{}", encode(bytes));
    world
        .check(&[
            ("the good one", format!("{input}.{good}"), Reason::Allowed),
            ("J28 zeros", signed(&[0; 64]), SIGNATURE),
            ("J28 ones", signed(&[0xff; 64]), SIGNATURE),
            ("J28 r is the order", signed(&[order.as_slice(), &one].concat()), SIGNATURE),
            ("J28 s is the order", signed(&[one.as_slice(), &order].concat()), SIGNATURE),
            ("J28 DER", signed(der.as_ref()), SIGNATURE),
            ("J28 63 bytes", signed(&[1; 63]), SIGNATURE),
            ("J28 65 bytes", signed(&[1; 65]), SIGNATURE),
            ("J28 128 bytes", signed(&[1; 128]), SIGNATURE),
            ("J28 11 KiB", signed(&[1; 11 * 1024]), SIGNATURE),
        ])
        .await;
}

#[tokio::test(start_paused = true)]
async fn rsa_signatures_of_another_padding_do_not_verify() {
    let key = Key::new("k", "PS256");
    let world = World::with(config(), &[&key]).await;
    let token = key.token();
    let (input, _) = token.rsplit_once('.').unwrap();
    let salted =
        key.sign_rsa(&const { RSA_PSS_SHA256.with_pss_salt_length(RsaPssSaltLength::Custom(20)) }, input.as_bytes());
    let signed = |bytes: &[u8]| format!("{input}.{}", encode(bytes));
    let rs = Key::new("k", "RS256").sign(input.as_bytes());
    let other_digest = key.sign_rsa(&RSA_PKCS1_SHA512, input.as_bytes());
    world
        .check(&[
            ("the good one", token.clone(), Reason::Allowed),
            ("J32 salt of 20 bytes", signed(&salted), SIGNATURE),
            ("J32 PKCS1 under PS256", signed(&rs), SIGNATURE),
            ("J32 SHA-512", signed(&other_digest), SIGNATURE),
            ("J32 zeros", signed(&[0; 256]), SIGNATURE),
            ("J32 one byte less", signed(&rs[..255]), SIGNATURE),
        ])
        .await;
}

#[tokio::test(start_paused = true)]
async fn an_ed25519_signature_with_a_larger_s_does_not_verify() {
    let key = Key::new("k", "EdDSA");
    let world = World::with(config(), &[&key]).await;
    let token = key.token();
    let (input, _) = token.rsplit_once('.').unwrap();
    let mut signature = key.sign(input.as_bytes());
    // s + L: the same residue, so that a lax verifier accepts it.
    let order: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut carry = 0;
    for (byte, add) in signature[32..].iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = u8::try_from(sum & 0xff).unwrap();
        carry = sum >> 8;
    }
    world
        .check(&[
            ("the good one", token.clone(), Reason::Allowed),
            ("J33 s + L", format!("{input}.{}", encode(&signature)), SIGNATURE),
        ])
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_bad_signature_says_nothing_about_the_claims() {
    let (key, other) = (Key::new("k", "ES256"), Key::new("k", "ES256"));
    let world = World::with(config(), &[&key]).await;
    let plain = world.call(&other.token()).await.unwrap_err();
    for name in ["exp", "aud", "sub"] {
        let refusal = world.call(&other.with_claims(|claims| claims[name] = json!(1))).await.unwrap_err();
        assert_eq!(refusal, plain, "J36 {name}");
    }
}
