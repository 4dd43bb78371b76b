//! Attacks on signatures and on the keys that verify them, each with the id by which `tests/attacks.md` names it.

use super::attacks::{call, check};
use serde_json::{Value, json};
use std::sync::Arc;
use tollward_policy::config::DenyConfig;
use tollward_policy::operation::Era;
use tollward_policy::reason::Reason;
use tollward_tests::client::Wire;
use tollward_tests::deadline::eventually;
use tollward_tests::issuer::Health;
use tollward_tests::key::{Key, encode};
use tollward_tests::world::{CELLS, Refusal, World};

const ALGORITHM: Reason = Reason::TokenAlgorithmRefused;
const SIGNATURE: Reason = Reason::TokenSignatureInvalid;
const UNKNOWN: Reason = Reason::TokenKeyUnknown;

#[tokio::test]
async fn a_key_is_used_by_nobody_s_choice_but_its_issuer_s() {
    let world = World::start().await;
    let (rsa, other) = (Arc::new(Key::new("rsa", "RS256")), Arc::new(Key::new("rsa", "PS256")));
    let mut free = Key::new("free", "ES256").jwk();
    free.as_object_mut().unwrap().remove("alg");
    let mut unbound = rsa.jwk();
    unbound["kid"] = json!("unbound");
    unbound.as_object_mut().unwrap().remove("alg");
    world.issuer.publish_written(vec![rsa.jwk(), free, unbound]);
    let by = |key: &Arc<Key>| world.issuer.token().signed_by(key);
    for (wire, era) in CELLS {
        world.passed(wire, &call(era, &by(&rsa).mint())).await;
        world.passed(wire, &call(era, &by(&rsa).with_header("kid", "unbound").mint())).await;
    }
    let free = |alg: &str| world.issuer.token().with_header("kid", "free").with_header("alg", alg).mint();
    check(
        &world,
        &[
            ("J03 alg of another curve", free("ES384"), ALGORITHM),
            ("J03 alg of another kind", free("RS256"), ALGORITHM),
            (
                "J03 not on the provider's list",
                by(&rsa).with_header("kid", "unbound").with_header("alg", "RS512").mint(),
                ALGORITHM,
            ),
            ("J04 PS256 by the key of RS256", by(&other).mint(), ALGORITHM),
            ("J32 PSS under RS256", by(&other).with_header("alg", "RS256").mint(), SIGNATURE),
            ("J08 no kid, and two keys would fit", by(&rsa).without_header("kid").mint(), UNKNOWN),
        ],
    )
    .await;
    world.end();
}

#[tokio::test]
async fn without_a_key_id_the_one_key_that_fits_is_meant_and_a_repeated_id_names_none() {
    let world = World::start().await;
    let token = world.issuer.token().without_header("kid").mint();
    for (wire, era) in CELLS {
        world.passed(wire, &call(era, &token)).await;
    }
    let twins = [Arc::new(Key::new("twin", "ES256")), Arc::new(Key::new("twin", "ES256"))];
    let single = Arc::new(Key::new("single", "EdDSA"));
    world.issuer.publish([twins.to_vec(), vec![single.clone()]].concat());
    for (wire, era) in CELLS {
        world.passed(wire, &call(era, &world.issuer.token().signed_by(&single).mint())).await;
    }
    check(
        &world,
        &[
            ("J08 the first of one name", world.issuer.token().signed_by(&twins[0]).mint(), UNKNOWN),
            ("J08 the second of one name", world.issuer.token().signed_by(&twins[1]).mint(), UNKNOWN),
        ],
    )
    .await;
    world.end();
}

/// What an issuer may publish and nobody may use, with what it is named in the list of attacks.
fn bad_keys() -> Vec<(&'static str, Value)> {
    let (point, rsa) = (Key::new("bad", "ES256").jwk(), Key::new("bad", "RS256").jwk());
    let with = |jwk: &Value, name: &str, value: Value| {
        let mut jwk = jwk.clone();
        jwk[name] = value;
        jwk
    };
    let x = point["x"].as_str().unwrap();
    vec![
        ("J30 not on the curve", with(&point, "y", json!(x))),
        ("J30 at infinity", with(&with(&point, "x", json!(encode(&[0; 32]))), "y", json!(encode(&[0; 32])))),
        ("J30 another curve's name", with(&point, "crv", json!("P-384"))),
        ("J30 a short number", with(&point, "x", json!(encode(&[1; 31])))),
        ("J31 exponent 1", with(&rsa, "e", json!("AQ"))),
        ("J31 exponent 3", with(&rsa, "e", json!("Aw"))),
        ("J31 even exponent", with(&rsa, "e", json!(encode(&[1, 0, 0])))),
        ("J31 512 bits", with(&rsa, "n", json!(encode(&[0xff; 64])))),
        ("J31 even modulus", with(&rsa, "n", json!(encode(&[0xfe; 256])))),
        ("J31 16384 bits", with(&rsa, "n", json!(encode(&[0xff; 2048])))),
        ("J33 a point of low order", json!({"kty": "OKP", "crv": "Ed25519", "x": encode(&[0; 32])})),
        ("J33 X25519", json!({"kty": "OKP", "crv": "X25519", "x": encode(&[9; 32])})),
        ("J34 symmetric", json!({"kty": "oct", "k": encode(&[7; 32]), "alg": "HS256"})),
        ("J34 with its private part", with(&point, "d", json!(encode(&[7; 32])))),
        ("J34 for encryption", with(&point, "use", json!("enc"))),
        ("J34 for signing only", with(&point, "key_ops", json!(["sign"]))),
        ("K03 no object", json!("key")),
    ]
}

#[tokio::test]
async fn a_key_that_nobody_may_use_verifies_nothing_and_hides_no_other() {
    let world = World::start().await;
    let good = Arc::new(Key::new("good", "ES256"));
    let mut published = vec![good.jwk()];
    let mut cases = Vec::new();
    for (number, (name, mut jwk)) in bad_keys().into_iter().enumerate() {
        let id = format!("bad-{number}");
        if let Some(members) = jwk.as_object_mut() {
            members.insert("kid".into(), json!(id));
        }
        let algorithm = jwk.get("alg").and_then(Value::as_str).filter(|alg| *alg != "HS256").unwrap_or("EdDSA");
        cases.push((name, world.issuer.token().with_header("kid", id).with_header("alg", algorithm).mint(), UNKNOWN));
        published.push(jwk);
    }
    world.issuer.publish_written(published);
    for (wire, era) in CELLS {
        world.passed(wire, &call(era, &world.issuer.token().signed_by(&good).mint())).await;
    }
    check(&world, &cases).await;
    world.end();
}

/// The order of the group of P-256.
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7,
    0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// The other signature that verifies whenever this one does: the order less `s`.
fn twin(signature: &[u8]) -> Vec<u8> {
    let mut twin = signature.to_vec();
    let mut borrow = 0;
    for place in (0..32).rev() {
        let difference = i16::from(ORDER[place]) - i16::from(signature[32 + place]) - borrow;
        borrow = i16::from(difference < 0);
        twin[32 + place] = u8::try_from(difference.rem_euclid(256)).unwrap();
    }
    twin
}

#[tokio::test]
async fn signatures_of_another_shape_do_not_verify() {
    let world = World::start().await;
    let (token, key) = (world.issuer.token(), world.issuer.key());
    let with = |signature: &[u8]| token.mint_with(|_| signature.to_vec());
    let one = [&[0; 31][..], &[1]].concat();
    check(
        &world,
        &[
            ("J28 ones", with(&[0xff; 64]), SIGNATURE),
            ("J28 r is the order", with(&[&ORDER[..], &one].concat()), SIGNATURE),
            ("J28 s is the order", with(&[&one[..], &ORDER].concat()), SIGNATURE),
            ("J28 63 bytes", with(&[1; 63]), SIGNATURE),
            ("J28 65 bytes", with(&[1; 65]), SIGNATURE),
            ("J28 128 bytes", with(&[1; 128]), SIGNATURE),
            ("J28 10 KiB", with(&[1; 10 * 1024]), SIGNATURE),
            ("J28 DER", with(&[&[0x30, 0x44, 2, 0x20][..], &[1; 32], &[2, 0x20], &[1; 32]].concat()), SIGNATURE),
        ],
    )
    .await;
    let expired = token.clone().with_claim("exp", world.issuer.now() - 600);
    let attacker = Arc::new(Key::new("key-1", "ES256"));
    check(
        &world,
        &[
            ("J36 forged", token.clone().forged_by(&attacker).mint(), SIGNATURE),
            ("J36 forged and expired", expired.clone().forged_by(&attacker).mint(), SIGNATURE),
            ("J36 expired", expired.mint(), Reason::TokenExpired),
        ],
    )
    .await;
    let edwards = Arc::new(Key::new("edwards", "EdDSA"));
    world.issuer.publish([key, edwards.clone()]);
    let larger = world.issuer.token().signed_by(&edwards).mint_with(|input| larger_s(edwards.sign(input)));
    world.passed(Wire::Http1, &call(Era::Modern, &world.issuer.token().signed_by(&edwards).mint())).await;
    check(&world, &[("J33 s + L", larger, SIGNATURE)]).await;
    world.end();
}

/// The same residue, so that a lax verifier accepts it.
fn larger_s(mut signature: Vec<u8>) -> Vec<u8> {
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
    signature
}

#[tokio::test]
async fn a_token_with_its_signatures_twin_is_the_same_token() {
    let mut world = World::start().await;
    let (token, key) = (world.issuer.token(), world.issuer.key());
    let other = token.mint_with(|input| twin(&key.sign(input)));
    for (wire, era) in CELLS {
        world.passed(wire, &call(era, &other)).await;
    }
    world.sidecar.config.change(|config| {
        let entry = json!({"name": "stolen", "tokenId": "token-1"});
        config.identity_providers[0].deny = vec![serde_json::from_value::<DenyConfig>(entry).unwrap()];
    });
    eventually("the token is denied", async || {
        world.send(Wire::Http1, &call(Era::Modern, &token.mint())).await.reason() == Reason::TokenRevoked.code()
    })
    .await;
    for (wire, era) in CELLS {
        world.refused(wire, &call(era, &other), &Refusal::invalid_token(Reason::TokenRevoked)).await;
    }
    world.end();
}

#[tokio::test]
async fn a_key_set_without_keys_replaces_none() {
    let world = World::start().await;
    let good = world.token();
    world.issuer.publish_written(Vec::new());
    let unknown = world.issuer.token().with_header("kid", "key-9").mint();
    for (wire, era) in CELLS {
        let reply = world.send(wire, &call(era, &unknown)).await;
        assert_eq!(reply.status.as_u16(), 503, "K03: {}", reply.text());
        world.passed(wire, &call(era, &good)).await;
    }
    world.end();
}

#[tokio::test]
async fn while_the_issuer_dawdles_known_keys_count_and_nobody_who_has_one_waits() {
    let world = World::start().await;
    let good = world.token();
    world.issuer.set_health(Health::Slow);
    let unknown = call(Era::Modern, &world.issuer.token().with_header("kid", "key-9").mint());
    let asked = world.issuer.requests();
    let waiting = world.send(Wire::Http1, &unknown);
    let meanwhile = async {
        eventually("the issuer is asked", async || world.issuer.requests() > asked).await;
        for (wire, era) in CELLS {
            let reply = world.send(wire, &call(era, &good)).await;
            assert_eq!(reply.status.as_u16(), 200, "K11: {}", reply.text());
        }
    };
    tokio::pin!(waiting);
    // Known keys pass before the one who waits is told to come back.
    tokio::select! {
        biased;
        reply = &mut waiting => panic!("K11: nobody should be answered first: {}", reply.text()),
        () = meanwhile => {}
    }
    assert_eq!(waiting.await.status.as_u16(), 503);
}
