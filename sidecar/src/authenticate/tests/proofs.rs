//! One good proof, changed in every place one at a time; used twice, too early and too late; with nonces (case T05).

use super::issuer::{Key, NOW, RESOURCE, encode, without};
use super::sender::{Caller, by_dpop, dpop, optional, public, reason, send, world};
use super::world::{World, config};
use crate::authenticate::{ProofMemory, Refusal, Scheme};
use crate::thumbprint::Thumbprint;
use http::Method;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::sync::Arc;
use tokio::runtime::Builder;
use tollward_policy::config::ProofNonce;
use tollward_policy::reason::Reason;

/// What is wrong, and the proof.
fn changed_proofs(caller: &Caller) -> Vec<(String, String)> {
    let mut cases = Vec::new();
    for (part, object) in [("header", caller.header()), ("claims", caller.claims("x"))] {
        for (name, original) in object.as_object().unwrap() {
            let removed = without(object.clone(), name);
            let others = [
                ("null", json!(null)),
                ("true", json!(true)),
                ("1", json!(1)),
                ("-1", json!(-1)),
                ("i64::MIN", json!(i64::MIN)),
                ("i64::MAX", json!(i64::MAX)),
                ("1.5", json!(1.5)),
                ("empty text", json!("")),
                ("other text", json!("other")),
                ("list of it", json!([original])),
                ("object", json!({})),
            ];
            let variants = others.map(|(label, value)| {
                let mut changed = object.clone();
                changed[name] = value;
                (label, changed)
            });
            for (label, changed) in variants.into_iter().chain([("removed", removed)]) {
                let proof = match part {
                    "header" => caller.key.token_with(&changed, &caller.claims("x")),
                    _ => caller.key.token_with(&caller.header(), &changed),
                };
                cases.push((format!("{part}.{name} {label}"), proof));
            }
        }
    }
    cases
}

#[tokio::test(start_paused = true)]
async fn every_changed_member_of_a_proof_has_its_reason() {
    let (world, issuer) = world().await;
    let authenticator = world.constrained(&optional(dpop(ProofNonce::Off), false));
    let caller = Caller::new(&issuer, "EdDSA");
    let mut table = String::new();
    for (name, proof) in changed_proofs(&caller) {
        let (reason, detail) = match send(&authenticator, &by_dpop(&caller.token, &proof)).await {
            Ok(_) => (Reason::Allowed, ""),
            Err(refusal) => {
                assert_eq!(refusal.scheme, Scheme::Dpop);
                (refusal.reason, refusal.detail)
            }
        };
        let plain = |byte: u8| (byte.is_ascii_graphic() || byte == b' ') && byte != b'"' && byte != b'\\';
        assert!(detail.bytes().all(plain), "{detail} can't be an error_description");
        writeln!(table, "{name:<24} {reason:<14} {detail}").unwrap();
    }
    insta::assert_snapshot!(table);
}

fn hostile_headers(caller: &Caller, other: &Key) -> Vec<(&'static str, String)> {
    let with = |change: &dyn Fn(&mut Value)| {
        let mut header = caller.header();
        change(&mut header);
        caller.key.token_with(&header, &caller.claims("h"))
    };
    let unsigned = |name: &str| {
        let header = json!({"typ": "dpop+jwt", "alg": name, "jwk": public(&caller.key)});
        format!("{}.{}.", encode(header.to_string().as_bytes()), encode(caller.claims("h").to_string().as_bytes()))
    };
    let private = json!({"d": encode(&[1; 32])});
    vec![
        ("alg none", unsigned("none")),
        ("alg None", unsigned("None")),
        ("alg HS256", with(&|header| header["alg"] = json!("HS256"))),
        ("alg of another key", with(&|header| header["alg"] = json!("ES256"))),
        ("alg that providers may use and proofs may not", with(&|header| header["alg"] = json!("RS512"))),
        ("typ JWT", with(&|header| header["typ"] = json!("JWT"))),
        ("typ at+jwt", with(&|header| header["typ"] = json!("at+jwt"))),
        ("crit", with(&|header| header["crit"] = json!(["jwk"]))),
        ("b64", with(&|header| header["b64"] = json!(false))),
        ("private member d", with(&|header| header["jwk"]["d"] = private["d"].clone())),
        ("symmetric key", with(&|header| header["jwk"] = json!({"kty": "oct", "k": encode(&[1; 32])}))),
        ("key for encryption", with(&|header| header["jwk"]["use"] = json!("enc"))),
        ("key of another caller", with(&|header| header["jwk"] = public(other))),
        ("key of another caller, signed by it", {
            other.token_with(
                &json!({"typ": "dpop+jwt", "alg": other.algorithm, "jwk": public(other)}),
                &caller.claims("h"),
            )
        }),
        ("signed by another key", other.token_with(&caller.header(), &caller.claims("h"))),
        (
            "weak RSA key",
            with(&|header| {
                header["alg"] = json!("RS256");
                header["jwk"] = json!({"kty": "RSA", "n": encode(&[0xff; 128]), "e": "AQAB"});
            }),
        ),
        ("a point of low order", with(&|header| header["jwk"]["x"] = json!(encode(&[0; 32])))),
    ]
}

fn hostile_claims(caller: &Caller) -> Vec<(&'static str, String)> {
    let with = |name: &'static str, value: Value| caller.proof_with("c", |claims| claims[name] = value);
    let other_hash = Thumbprint::of(b"other").to_string();
    vec![
        ("htm GET", with("htm", json!("GET"))),
        ("htm post", with("htm", json!("post"))),
        ("htu other host", with("htu", json!("https://evil.example/files/mcp"))),
        ("htu other path", with("htu", json!("https://mcp.example.com/files/mcp2"))),
        ("htu other scheme", with("htu", json!("http://mcp.example.com/files/mcp"))),
        ("htu other port", with("htu", json!("https://mcp.example.com:8443/files/mcp"))),
        ("htu too long", with("htu", json!(format!("{RESOURCE}?{}", "x".repeat(2048))))),
        ("ath of another token", with("ath", json!(other_hash))),
        ("ath with padding", with("ath", json!(format!("{other_hash}=")))),
        ("iat too old", with("iat", json!(NOW - 61))),
        ("iat in the future", with("iat", json!(NOW + 61))),
        ("exp is over", with("exp", json!(NOW))),
        ("nbf is to come", with("nbf", json!(NOW + 61))),
        ("jti too long", with("jti", json!("x".repeat(257)))),
    ]
}

#[tokio::test(start_paused = true)]
async fn a_proof_with_anything_wrong_is_refused() {
    let (world, issuer) = world().await;
    let authenticator = world.constrained(&optional(dpop(ProofNonce::Off), false));
    let (caller, other) = (Caller::new(&issuer, "EdDSA"), Key::new("other", "EdDSA"));
    let mut cases = hostile_headers(&caller, &other);
    cases.extend(hostile_claims(&caller));
    let good = caller.proof("form");
    let (input, signature) = good.rsplit_once('.').unwrap();
    let list = format!("{good}, {good}");
    cases.extend([
        ("empty", String::new()),
        ("two parts", input.to_owned()),
        ("four parts", format!("{good}.e30")),
        ("no signature", format!("{input}.")),
        ("padding", format!("{good}==")),
        ("a list", list),
        ("longer than 8 KiB", format!("{input}{}.{signature}", "A".repeat(8192))),
        ("the token itself", caller.token.clone()),
        ("a member twice", {
            let payload = caller.claims("form").to_string().replacen('{', "{\"htm\":\"GET\",", 1);
            caller.key.token_of(caller.header().to_string().as_bytes(), payload.as_bytes())
        }),
    ]);
    // The first request takes the unknown key, the second the remembered one.
    for remembered in [false, true] {
        for (name, proof) in &cases {
            let given = reason(&authenticator, &by_dpop(&caller.token, proof)).await;
            assert_eq!(given, Reason::ProofInvalid, "{name} remembered: {remembered}");
        }
        assert_eq!(
            reason(&authenticator, &by_dpop(&caller.token, &caller.proof(&remembered.to_string()))).await,
            Reason::Allowed
        );
    }
    let mut none = by_dpop(&caller.token, &good);
    none.proofs.clear();
    assert_eq!(reason(&authenticator, &none).await, Reason::ProofInvalid, "no proof");
    let mut two = by_dpop(&caller.token, &good);
    two.proofs.push(&good);
    assert_eq!(reason(&authenticator, &two).await, Reason::ProofInvalid, "two proofs");
    let mut get = by_dpop(&caller.token, &good);
    get.method = Method::GET;
    assert_eq!(reason(&authenticator, &get).await, Reason::ProofInvalid, "the request is a GET");
    assert_eq!(reason(&authenticator, &by_dpop(&caller.token, &good)).await, Reason::Allowed);
}

#[tokio::test(start_paused = true)]
async fn a_proof_passes_once_and_only_near_its_time() {
    let (world, issuer) = world().await;
    let authenticator = world.constrained(&optional(dpop(ProofNonce::Off), false));
    let caller = Caller::new(&issuer, "ES256");
    for (skew, expected) in [(-60, true), (-59, true), (60, true), (61, false), (-61, false)] {
        let proof = caller.proof_with(&format!("skew {skew}"), |claims| claims["iat"] = json!(NOW + skew));
        let allowed = reason(&authenticator, &by_dpop(&caller.token, &proof)).await == Reason::Allowed;
        assert_eq!(allowed, expected, "{skew}");
    }
    let proof = caller.proof("once");
    assert_eq!(reason(&authenticator, &by_dpop(&caller.token, &proof)).await, Reason::Allowed);
    for later in 0..=60 {
        world.clock.set(NOW + later);
        assert_eq!(reason(&authenticator, &by_dpop(&caller.token, &proof)).await, Reason::ProofReplayed, "{later}");
    }
    world.clock.set(NOW + 61);
    assert_eq!(reason(&authenticator, &by_dpop(&caller.token, &proof)).await, Reason::ProofInvalid);
}

#[tokio::test(start_paused = true)]
async fn a_required_nonce_is_given_used_and_renewed() {
    let (world, issuer) = world().await;
    let authenticator = world.constrained(&optional(dpop(ProofNonce::Required), false));
    let caller = Caller::new(&issuer, "ES256");
    let with_nonce = |id: &str, nonce: &str, iat: i64| {
        caller.proof_with(id, |claims| {
            claims["nonce"] = json!(nonce);
            claims["iat"] = json!(iat);
        })
    };
    let text = |refusal: &Refusal| String::from_utf8(refusal.nonce.expect("a nonce").as_bytes().to_vec()).unwrap();
    let refusal = send(&authenticator, &by_dpop(&caller.token, &caller.proof("1"))).await.unwrap_err();
    assert_eq!((refusal.reason, refusal.scheme), (Reason::ProofNonceRequired, Scheme::Dpop));
    let first = text(&refusal);
    let sent = send(&authenticator, &by_dpop(&caller.token, &with_nonce("1", &first, NOW))).await.unwrap();
    assert_eq!(sent.sender.next_nonce(), None, "it is still the current one");
    for wrong in ["", "x", &first.to_lowercase(), &format!("{first}A")] {
        let refusal = send(&authenticator, &by_dpop(&caller.token, &with_nonce("2", wrong, NOW))).await.unwrap_err();
        assert_eq!(refusal.reason, Reason::ProofNonceRequired, "{wrong}");
    }
    let later = NOW + 130;
    world.clock.set(later);
    let sent = send(&authenticator, &by_dpop(&caller.token, &with_nonce("3", &first, later))).await.unwrap();
    let second = sent.sender.next_nonce().expect("the old nonce is followed by a new one");
    let second = String::from_utf8(second.as_bytes().to_vec()).unwrap();
    let much_later = NOW + 250;
    world.clock.set(much_later);
    let old = send(&authenticator, &by_dpop(&caller.token, &with_nonce("4", &first, much_later))).await.unwrap_err();
    assert_eq!(old.reason, Reason::ProofNonceRequired, "a stale nonce");
    assert!(send(&authenticator, &by_dpop(&caller.token, &with_nonce("5", &second, much_later))).await.is_ok());
    // Whoever has to make another proof gets the nonce at once.
    let refusal = send(&authenticator, &by_dpop(&caller.token, "junk")).await.unwrap_err();
    assert_eq!((refusal.reason, refusal.nonce.is_some()), (Reason::ProofInvalid, true));
}

#[tokio::test(start_paused = true)]
async fn a_proof_older_than_the_process_needs_a_nonce_even_if_none_is_required() {
    let (mut world, issuer) = world().await;
    // This process begins now: what another one saw before is not remembered.
    world.proofs = Arc::new(ProofMemory::new(NOW));
    let authenticator = world.constrained(&optional(dpop(ProofNonce::Off), false));
    let caller = Caller::new(&issuer, "ES256");
    world.clock.set(NOW + 2);
    let refusal = send(&authenticator, &by_dpop(&caller.token, &caller.proof("1"))).await.unwrap_err();
    assert_eq!(refusal.reason, Reason::ProofNonceRequired);
    let nonce = String::from_utf8(refusal.nonce.expect("a nonce").as_bytes().to_vec()).unwrap();
    let slow_clock = caller.proof_with("2", |claims| {
        claims["iat"] = json!(NOW - 5);
        claims["nonce"] = json!(nonce);
    });
    assert_eq!(reason(&authenticator, &by_dpop(&caller.token, &slow_clock)).await, Reason::Allowed);
    assert_eq!(reason(&authenticator, &by_dpop(&caller.token, &slow_clock)).await, Reason::ProofReplayed);
    let young = caller.proof_with("3", |claims| claims["iat"] = json!(NOW + 1));
    assert_eq!(reason(&authenticator, &by_dpop(&caller.token, &young)).await, Reason::Allowed);
}

#[test]
fn no_proof_is_a_panic_and_a_changed_one_is_nobodys() {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let issuer = Key::new("k", "EdDSA");
    let world = runtime.block_on(World::with(config(), &[&issuer]));
    let authenticator = world.constrained(&optional(dpop(ProofNonce::Off), false));
    let caller = Caller::new(&issuer, "EdDSA");
    let good = caller.proof("changed");
    let judge = |proof: &str| runtime.block_on(reason(&authenticator, &by_dpop(&caller.token, proof)));
    proptest!(|(
        text in "[A-Za-z0-9._~+/=-]{0,200}",
        header in "\\PC{0,80}",
        payload in "\\PC{0,80}",
        flips in prop::collection::vec((any::<prop::sample::Index>(), 1_u8..128), 1..4),
    )| {
        prop_assert_ne!(judge(&text), Reason::Allowed);
        prop_assert_ne!(judge(&caller.key.token_of(header.as_bytes(), payload.as_bytes())), Reason::Allowed);
        let mut bytes = good.clone().into_bytes();
        for (index, mask) in flips {
            bytes[index.index(good.len())] ^= mask;
        }
        prop_assume!(bytes != good.as_bytes() && bytes.iter().all(|byte| (0x20..0x7f).contains(byte)));
        prop_assert_ne!(judge(&String::from_utf8(bytes).unwrap()), Reason::Allowed);
    });
    assert_eq!(judge(&good), Reason::Allowed);
}
