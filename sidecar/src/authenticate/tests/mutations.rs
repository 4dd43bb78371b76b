//! One good token, changed in every place one at a time.

use super::issuer::{Key, claims, encode, without};
use super::world::{World, config};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::fmt::Write as _;
use tokio::runtime::{Builder, Runtime};
use tollward_policy::reason::Reason;

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
}

/// What each member becomes.
fn mutations(original: &Value) -> Vec<(&'static str, Value)> {
    vec![
        ("null", json!(null)),
        ("true", json!(true)),
        ("1", json!(1)),
        ("1.5", json!(1.5)),
        ("empty text", json!("")),
        ("other text", json!("other")),
        ("empty list", json!([])),
        ("list of it", json!([original])),
        ("object", json!({})),
    ]
}

#[tokio::test(start_paused = true)]
async fn every_changed_member_has_its_reason() {
    let key = Key::new("k", "EdDSA");
    let world = World::with(config(), &[&key]).await;
    let mut table = String::new();
    for (part, object) in [("header", key.header()), ("claims", claims())] {
        for (name, original) in object.as_object().unwrap() {
            let mut variants = vec![("removed", without(object.clone(), name))];
            variants.extend(mutations(original).into_iter().map(|(label, value)| {
                let mut changed = object.clone();
                changed[name] = value;
                (label, changed)
            }));
            for (label, changed) in variants {
                let token = match part {
                    "header" => key.token_with(&changed, &claims()),
                    _ => key.token_with(&key.header(), &changed),
                };
                let (reason, detail) = match world.call(&token).await {
                    Ok(_) => (Reason::Allowed, ""),
                    Err(refusal) => (refusal.reason, refusal.detail),
                };
                let plain = |byte: u8| (byte.is_ascii_graphic() || byte == b' ') && byte != b'"' && byte != b'\\';
                assert!(detail.bytes().all(plain), "{detail} can't be an error_description");
                writeln!(table, "{part}.{name:<9} {label:<11} {reason}").unwrap();
            }
        }
    }
    insta::assert_snapshot!(table);
}

#[test]
fn a_token_with_flipped_bits_is_nobodys() {
    let runtime = runtime();
    for algorithm in ["RS256", "PS256", "ES256", "EdDSA"] {
        let key = Key::new("k", algorithm);
        let world = runtime.block_on(World::with(config(), &[&key]));
        let token = key.token();
        proptest!(ProptestConfig::with_cases(300), |(
            flips in prop::collection::vec((any::<prop::sample::Index>(), 1_u8..128), 1..4),
        )| {
            let mut bytes = token.clone().into_bytes();
            for (index, mask) in flips {
                bytes[index.index(token.len())] ^= mask;
            }
            // What a header can't hold never arrives.
            prop_assume!(bytes != token.as_bytes() && bytes.iter().all(|byte| (0x20..0x7f).contains(byte)));
            let changed = String::from_utf8(bytes).unwrap();
            prop_assert_ne!(runtime.block_on(world.reason(&changed)), Reason::Allowed);
        });
    }
}

#[test]
fn a_token_with_other_bytes_inside_is_nobodys() {
    let runtime = runtime();
    let key = Key::new("k", "EdDSA");
    let world = runtime.block_on(World::with(config(), &[&key]));
    let token = key.token();
    let parts: Vec<Vec<u8>> = token.split('.').map(|part| URL_SAFE_NO_PAD.decode(part).unwrap()).collect();
    proptest!(|(part in 0_usize..3, index in any::<prop::sample::Index>(), mask in 1_u8..)| {
        let mut parts = parts.clone();
        let length = parts[part].len();
        parts[part][index.index(length)] ^= mask;
        let text = parts.iter().map(|part| encode(part)).collect::<Vec<_>>().join(".");
        prop_assert_ne!(runtime.block_on(world.reason(&text)), Reason::Allowed);
    });
}

#[test]
fn no_header_value_is_a_panic_or_a_caller() {
    let runtime = runtime();
    let key = Key::new("k", "EdDSA");
    let world = runtime.block_on(World::with(config(), &[&key]));
    proptest!(|(text in "[A-Za-z0-9._~+/=-]{0,200}", header in "\\PC{0,80}", payload in "\\PC{0,80}")| {
        prop_assert_ne!(runtime.block_on(world.reason(&text)), Reason::Allowed);
        let signed = key.token_of(header.as_bytes(), payload.as_bytes());
        prop_assert_ne!(runtime.block_on(world.reason(&signed)), Reason::Allowed);
    });
}

/// JSON of moderate size.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(|value| json!(value)),
        any::<i64>().prop_map(|value| json!(value)),
        "\\PC{0,12}".prop_map(|value| json!(value)),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|list| json!(list)),
            prop::collection::btree_map("[a-z]{1,6}", inner, 0..4).prop_map(|object| json!(object)),
        ]
    })
}

#[test]
fn the_claims_are_those_of_the_verified_bytes() {
    let runtime = runtime();
    let key = Key::new("k", "EdDSA");
    let world = runtime.block_on(World::with(config(), &[&key]));
    proptest!(|(extra in prop::collection::btree_map("x_\\PC{0,8}", value(), 0..6))| {
        let mut claims = claims();
        for (name, value) in extra {
            claims[name] = value;
        }
        let token = key.token_with(&key.header(), &claims);
        let principal = runtime.block_on(world.call(&token)).unwrap();
        let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
        let decoded: Value = serde_json::from_slice(&payload).unwrap();
        prop_assert_eq!(Value::Object(principal.claims), decoded, "J35");
    });
}
