//! Which published keys are used, and for what.

use super::issuer::{Key, claims, encode, key_set, without};
use super::world::{Answer, JWKS_URL, World, config, until};
use aws_lc_rs::signature::{ED25519, ParsedPublicKey};
use serde_json::{Value, json};
use tollward_policy::config::{Algorithm, ProviderConfig};
use tollward_policy::reason::Reason;

/// A world with a key that nobody asks for beside the keys in question, so that the set is never without one.
async fn publish(config: ProviderConfig, mut keys: Vec<Value>) -> World {
    keys.push(Key::new("bystander", "EdDSA").jwk());
    let world = World::offline(config);
    world.network.set(JWKS_URL, Answer::json(&key_set(&keys)));
    until(|| world.provider().ready()).await;
    world
}

/// Why the key `k` is ignored.
fn ignored(world: &World) -> String {
    let status = world.provider().status();
    let found = status.ignored_keys.into_iter().find(|key| key.id.as_deref() != Some("bystander"));
    found.map_or_else(|| "used".to_owned(), |key| key.reason)
}

fn changed(key: &Key, change: impl FnOnce(&mut Value)) -> Value {
    let mut jwk = key.jwk();
    change(&mut jwk);
    jwk
}

/// Publishes each form of `key`'s public key, and expects it to be ignored for the reason while the bystander is used.
async fn check_ignored(key: &Key, cases: Vec<(&str, Value, &str)>) {
    for (name, jwk, reason) in cases {
        let world = publish(config(), vec![jwk]).await;
        let text = ignored(&world);
        assert!(text.contains(reason), "{name}: {text}");
        assert_eq!(world.provider().status().keys.len(), 1, "{name}: the bystander is used");
        assert_eq!(world.reason(&key.token()).await, Reason::TokenKeyUnknown, "{name}");
    }
}

/// The number in `member` with three zero octets in front, which are four characters.
fn padded(key: &Key, member: &str) -> Value {
    let jwk = key.jwk();
    json!(format!("AAAA{}", jwk[member].as_str().unwrap()))
}

#[tokio::test(start_paused = true)]
async fn points_that_are_not_on_their_curve_are_ignored() {
    let key = Key::new("k", "ES256");
    let set = |member: &str, value: Value| changed(&key, |jwk| jwk[member] = value);
    let zero = changed(&key, |jwk| {
        jwk["x"] = json!(encode(&[0; 32]));
        jwk["y"] = json!(encode(&[0; 32]));
    });
    let other = Key::new("k", "ES256").jwk();
    let cases = vec![
        ("J30 off the curve", set("y", other["y"].clone()), "not on the curve"),
        ("J30 zero", zero, "not on the curve"),
        ("J30 x longer", set("x", padded(&key, "x")), "x is missing"),
        ("J30 x shorter", set("x", json!(encode(&[7; 31]))), "x is missing"),
        ("J30 compressed", without(key.jwk(), "y"), "y is missing"),
        ("J30 P-384", set("crv", json!("P-384")), "x is missing"),
        ("J30 P-521", set("crv", json!("P-521")), "crv is none"),
        ("J30 secp256k1", set("crv", json!("secp256k1")), "crv is none"),
        ("J34 private", set("d", json!("AQ")), "private part"),
    ];
    check_ignored(&key, cases).await;

    let key = Key::new("k", "EdDSA");
    let set = |member: &str, value: Value| changed(&key, |jwk| jwk[member] = value);
    let cases = vec![
        ("J33 Ed448", set("crv", json!("Ed448")), "crv is none"),
        ("J33 X25519", set("crv", json!("X25519")), "crv is none"),
        ("J33 31 bytes", set("x", json!(encode(&[9; 31]))), "x is missing"),
    ];
    check_ignored(&key, cases).await;
}

#[tokio::test(start_paused = true)]
async fn rsa_keys_of_weak_or_strange_numbers_are_ignored() {
    let key = Key::new("k", "RS256");
    let set = |member: &str, value: Value| changed(&key, |jwk| jwk[member] = value);
    let modulus = |bits: usize, last: u8| {
        let mut bytes = vec![0xa5; bits / 8];
        *bytes.last_mut().unwrap() = last;
        set("n", json!(encode(&bytes)))
    };
    let exponent = |bytes: &[u8]| set("e", json!(encode(bytes)));
    let cases = vec![
        ("J31 512 bits", modulus(512, 1), "modulus"),
        ("J31 1024 bits", modulus(1024, 1), "modulus"),
        ("J31 2040 bits", modulus(2040, 1), "modulus"),
        ("J31 8200 bits", modulus(8200, 1), "modulus"),
        ("J31 even n", modulus(2048, 2), "modulus"),
        ("J31 leading zero", set("n", padded(&key, "n")), "n is missing"),
        ("J31 n number", set("n", json!(7)), "n is missing"),
        ("J31 n padded", set("n", json!("AQAB=")), "n is missing"),
        ("J31 e is 1", exponent(&[1]), "exponent"),
        ("J31 e is 3", exponent(&[3]), "exponent"),
        ("J31 e even", exponent(&[1, 0, 2]), "exponent"),
        ("J31 e of 34 bits", exponent(&[2, 0, 0, 0, 1]), "exponent"),
        ("J31 e of 9 bytes", exponent(&[1; 9]), "exponent"),
        ("J31 e empty", exponent(&[]), "e is missing"),
    ];
    check_ignored(&key, cases).await;
}

#[tokio::test(start_paused = true)]
async fn keys_for_another_purpose_are_ignored() {
    let key = Key::new("k", "RS256");
    let set = |member: &str, value: Value| changed(&key, |jwk| jwk[member] = value);
    let oct = json!({"kty": "oct", "kid": "k", "k": "c2VjcmV0", "alg": "HS256"});
    let deep = (0..80).fold(json!(1), |inner, _| json!([inner]));
    let cases = vec![
        ("J34 oct", oct, "symmetric"),
        ("J34 private", set("d", json!("AQ")), "private part"),
        ("J34 private prime", set("p", json!("AQ")), "private part"),
        ("J34 enc", set("use", json!("enc")), "use is not sig"),
        ("J34 use null", set("use", json!(null)), "use is not sig"),
        ("J34 sign only", set("key_ops", json!(["sign"])), "key_ops"),
        ("J34 key_ops text", set("key_ops", json!("verify")), "key_ops"),
        ("alg of another type", set("alg", json!("ES256")), "alg is not"),
        ("alg HS256", set("alg", json!("HS256")), "alg is not"),
        ("alg for encryption", set("alg", json!("RSA-OAEP")), "alg is not"),
        ("alg number", set("alg", json!(1)), "alg is not"),
        ("alg not listed", set("alg", json!("RS512")), "provider's algorithms"),
        ("kid number", set("kid", json!(1)), "kid is no text"),
        ("kid empty", set("kid", json!("")), "kid is no text"),
        ("kid of 257 bytes", set("kid", json!("k".repeat(257))), "kid is no text"),
        ("kid with a line break", set("kid", json!("k\n")), "kid is no text"),
        ("no kty", without(key.jwk(), "kty"), "kty is none"),
        ("kty AKP", set("kty", json!("AKP")), "kty is none"),
        ("not an object", json!("k"), "not one JSON object"),
        ("nested deeply", set("x5c", deep), "not one JSON object"),
    ];
    check_ignored(&key, cases).await;
}

#[tokio::test(start_paused = true)]
async fn a_private_part_is_reported_even_if_the_key_id_is_repeated() {
    let (one, two) = (Key::new("k", "ES256"), Key::new("k", "ES256"));
    let leaked = changed(&one, |jwk| jwk["d"] = json!("AQ"));
    let world = publish(config(), vec![leaked, two.jwk()]).await;
    let reasons: Vec<_> = world.provider().status().ignored_keys.into_iter().map(|key| key.reason).collect();
    assert!(reasons[0].contains("private part") && reasons[1].contains("not unique"), "{reasons:?}");
}

#[tokio::test(start_paused = true)]
async fn ed25519_points_under_which_anybody_can_sign_are_ignored() {
    let mut points: Vec<[u8; 32]> = vec![[0; 32]];
    let hex = [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ];
    for text in hex {
        let mut point = [0; 32];
        for (byte, pair) in point.iter_mut().zip(text.as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        }
        points.push(point);
    }
    // R is the neutral element and s is zero: no private key was used.
    let mut forged = [0; 64];
    forged[0] = 1;
    for point in points {
        let library = ParsedPublicKey::new(&ED25519, point).unwrap();
        let verifies = (0_u32..500).any(|message| library.verify_sig(&message.to_be_bytes(), &forged).is_ok());
        assert!(verifies, "the library would accept a forgery under {point:02x?}");
        for sign in [0, 0x80] {
            let mut point = point;
            point[31] |= sign;
            let jwk = json!({"kty": "OKP", "crv": "Ed25519", "kid": "k", "x": encode(&point)});
            let world = publish(config(), vec![jwk]).await;
            assert!(ignored(&world).contains("low order"), "J33 {point:02x?}");
        }
    }
    for first in 0xed..=0xff {
        let mut point = [0xff; 32];
        point[0] = first;
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "kid": "k", "x": encode(&point)});
        let world = publish(config(), vec![jwk]).await;
        assert!(ignored(&world).contains("low order"), "J33 not canonical {first:02x}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_without_alg_verifies_what_its_type_and_the_provider_permit() {
    let rsa = Key::new("k", "RS256");
    let bare = without(rsa.jwk(), "alg");
    let world = publish(config(), vec![bare.clone()]).await;
    assert_eq!(world.reason(&rsa.token()).await, Reason::Allowed, "J03");
    assert_eq!(world.reason(&Key::new("k", "PS256").token()).await, Reason::Allowed, "J03");
    let mut narrow = config();
    narrow.algorithms = vec![Algorithm::PS256, Algorithm::EdDSA];
    let world = publish(narrow, vec![bare]).await;
    assert_eq!(world.reason(&rsa.token()).await, Reason::TokenAlgorithmRefused, "J03");
    assert_eq!(world.reason(&Key::new("k", "PS256").token()).await, Reason::Allowed, "J03");
}

#[tokio::test(start_paused = true)]
async fn a_key_is_bound_to_its_own_alg() {
    let signer = Key::new("k", "PS256");
    let world = publish(config(), vec![Key::new("k", "RS256").jwk()]).await;
    assert_eq!(world.reason(&signer.token()).await, Reason::TokenAlgorithmRefused, "J04");
    let edwards = Key::new("k", "EdDSA");
    let world = publish(config(), vec![changed(&edwards, |jwk| jwk["alg"] = json!("Ed25519"))]).await;
    assert_eq!(world.reason(&edwards.token()).await, Reason::Allowed, "J33 both names are one algorithm");
}

#[tokio::test(start_paused = true)]
async fn a_token_without_key_id_needs_the_only_key_that_fits() {
    let (one, two) = (Key::new("one", "ES256"), Key::new("two", "ES256"));
    let anonymous = |key: &Key| key.token_with(&without(key.header(), "kid"), &claims());
    let world = publish(config(), vec![one.jwk(), Key::new("r", "RS256").jwk()]).await;
    assert_eq!(world.reason(&anonymous(&one)).await, Reason::Allowed, "J08 one fits");
    assert_eq!(world.reason(&anonymous(&two)).await, Reason::TokenSignatureInvalid, "J08 another key");
    let world = publish(config(), vec![one.jwk(), two.jwk()]).await;
    let before = world.network.log().len();
    assert_eq!(world.reason(&anonymous(&one)).await, Reason::TokenKeyUnknown, "J08 two fit");
    assert_eq!(world.network.log().len(), before, "J08 a fetch would not help");
    let world = publish(config(), vec![without(one.jwk(), "kid")]).await;
    assert_eq!(world.reason(&anonymous(&one)).await, Reason::Allowed, "J08 neither has a name");
    assert_eq!(world.reason(&one.token()).await, Reason::TokenKeyUnknown, "J08 a name that no key has");
}

#[tokio::test(start_paused = true)]
async fn a_repeated_key_id_names_no_key() {
    let (one, two) = (Key::new("k", "ES256"), Key::new("k", "ES256"));
    let encryption = changed(&two, |jwk| jwk["use"] = json!("enc"));
    for (name, keys) in [
        ("J08 twice", vec![one.jwk(), two.jwk()]),
        ("J08 the same twice", vec![one.jwk(), one.jwk()]),
        ("J08 with one for encryption", vec![one.jwk(), encryption]),
    ] {
        let world = publish(config(), keys).await;
        assert_eq!(world.reason(&one.token()).await, Reason::TokenKeyUnknown, "{name}");
        assert_eq!(world.reason(&two.token()).await, Reason::TokenKeyUnknown, "{name}");
        let anonymous = one.token_with(&without(one.header(), "kid"), &claims());
        assert_eq!(world.reason(&anonymous).await, Reason::TokenKeyUnknown, "{name}, without a kid");
    }
}

#[tokio::test(start_paused = true)]
async fn the_thumbprint_is_that_of_the_specification() {
    // RFC 7638 §3.1 and RFC 8037 appendix A.3.
    let rsa = json!({
        "kty": "RSA", "e": "AQAB", "alg": "RS256", "kid": "2011-04-29",
        "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
    });
    let edwards =
        json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "kid": "e"});
    let world = publish(config(), vec![rsa, edwards]).await;
    let status = world.provider().status();
    assert_eq!(status.keys[0].thumbprint, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    assert_eq!(status.keys[1].thumbprint, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    assert_eq!(status.keys[0].algorithms, [Algorithm::RS256]);
    assert_eq!(status.keys[1].algorithms, [Algorithm::EdDSA]);
}
