//! What a signed assertion says, and by which keys.

use super::world::{Caller, ENDPOINT, ISSUER, NOW, World, header};
use crate::upstream_identity::{IdentityFailure, Kind, UpstreamIdentity};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tollward_policy::principal::Principal;

fn assertion() -> Value {
    json!({"type": "SignedAssertion", "audience": "u1"})
}

fn decoded(part: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// Header and claims, after the signature was verified by the published key of its `kid`.
fn verified(identity: &UpstreamIdentity, token: &str) -> (Value, Value) {
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let (head, payload) = signed.split_once('.').unwrap();
    let head = decoded(head);
    let keys: Value = serde_json::from_slice(&identity.key_set().unwrap()).unwrap();
    let key = keys["keys"].as_array().unwrap().iter().find(|key| key["kid"] == head["kid"]).unwrap();
    let public = URL_SAFE_NO_PAD.decode(key["x"].as_str().unwrap()).unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    UnparsedPublicKey::new(&ED25519, public).verify(signed.as_bytes(), &signature).unwrap();
    (head, decoded(payload))
}

async fn shown(world: &World, identity: &UpstreamIdentity, caller: &Caller) -> (Value, Value) {
    let presented = world.present(identity, caller, NOW).await.unwrap().unwrap();
    assert_eq!((presented.kind(), presented.token_id()), (Kind::SignedAssertion, Some("request-1")));
    let (name, value) = header(&presented);
    assert_eq!(name, "tollward-assertion");
    assert!(!value.contains("alices-token"));
    verified(identity, &value)
}

#[tokio::test]
async fn an_assertion_says_who_calls_what_for_one_minute_and_one_server() {
    let world = World::new();
    let identity = world.compile(&assertion(), 1).unwrap();
    let (head, claims) = shown(&world, &identity, &Caller::alice()).await;
    assert_eq!((&head["typ"], &head["alg"]), (&json!("tollward-assertion+jwt"), &json!("EdDSA")));
    let expected = json!({
        "iss": ENDPOINT, "aud": "u1", "iat": NOW, "exp": NOW + 60, "jti": "request-1",
        "sub": "alice", "sub_id": {"format": "iss_sub", "iss": ISSUER, "sub": "alice"},
        "client_id": "desk", "scope": "mcp:write mcp:read", "mcp_method": "tools/call",
    });
    assert_eq!(claims, expected, "declared scopes only, implied ones included");
}

#[tokio::test]
async fn with_several_identity_providers_a_subject_never_stands_alone() {
    let world = World::new();
    let (_, claims) = shown(&world, &world.compile(&assertion(), 2).unwrap(), &Caller::alice()).await;
    assert_eq!((claims.get("sub"), &claims["sub_id"]["sub"]), (None, &json!("alice")));
}

#[tokio::test]
async fn nothing_is_said_about_a_caller_whom_nobody_verified_and_nothing_that_does_not_fit_a_header() {
    let world = World::new();
    let identity = world.compile(&assertion(), 1).unwrap();
    let anonymous = Caller { principal: Principal::Anonymous, ..Caller::alice() };
    assert_eq!(world.present(&identity, &anonymous, NOW).await.unwrap_err(), IdentityFailure::Unavailable);
    let long = Caller::new(&"x".repeat(9000), "alices-token", "shop/idp-0");
    assert_eq!(world.present(&identity, &long, NOW).await.unwrap_err(), IdentityFailure::Unavailable);
}

#[tokio::test]
async fn keys_of_replicas_before_and_after_a_rotation_are_published_beside_the_own_one() {
    let (world, folder) = (World::new(), tempfile::tempdir().unwrap());
    let public = |seed: u8| Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap().public_key().as_ref().to_vec();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        json!(path)
    };
    let keys = |own: u8, near: [u8; 2]| {
        json!({
            "privateKey": file(&format!("{own}.key"), &[own; 32]),
            "neighbours": near.map(|seed| file(&format!("{seed}.pub"), &public(seed))),
        })
    };
    let with = |keys: Value| world.compile(&json!({"type": "SignedAssertion", "audience": "u1", "keys": keys}), 1);
    let (before, after) = (with(keys(1, [0, 2])).unwrap(), with(keys(2, [1, 3])).unwrap());
    let presented = world.present(&after, &Caller::alice(), NOW).await.unwrap().unwrap();
    let (_, claims) = verified(&before, &header(&presented).1);
    assert_eq!(claims["aud"], "u1", "a server that asked the replica of before can verify the one of after");
    let set: Value = serde_json::from_slice(&after.key_set().unwrap()).unwrap();
    assert_eq!(set["keys"].as_array().unwrap().len(), 3);
    assert!(!set.to_string().contains("\"d\""), "no private key is published: {set}");

    let short = json!({"privateKey": file("short", &[1; 31])});
    assert!(with(short).unwrap_err().to_string().contains("exactly 32 raw bytes"));
    let missing = json!({"privateKey": folder.path().join("missing")});
    assert!(with(missing).unwrap_err().to_string().contains("can't read"));
}

#[tokio::test]
async fn a_key_that_was_made_on_the_spot_lives_as_long_as_the_process_and_serves_one_server() {
    let world = World::new();
    let set = |identity: UpstreamIdentity| identity.key_set().unwrap();
    let first = set(world.compile(&assertion(), 1).unwrap());
    assert_eq!(first, set(world.compile(&assertion(), 1).unwrap()), "a reload keeps it");
    let (mut other, providers) = world.route(&assertion(), 1);
    other.server.uid = "u2".into();
    assert_ne!(first, set(world.identities.compile(&other, &providers).unwrap()));
    assert_ne!(first, set(World::new().compile(&assertion(), 1).unwrap()));
}

#[tokio::test]
async fn no_identity_is_no_header_and_has_no_keys() {
    let world = World::new();
    let identity = world.compile(&json!({"type": "None"}), 1).unwrap();
    assert!(world.present(&identity, &Caller::alice(), NOW).await.unwrap().is_none());
    assert_eq!((identity.key_set(), identity.unready(NOW)), (None, None));
}
