//! Verified once, judged every time.

use super::issuer::{Key, NOW, RESOURCE, claims};
use super::world::{INTERVAL, World, call, config, pass};
use aws_lc_rs::digest::{SHA256, digest};
use serde_json::json;
use tollward_policy::reason::Reason;

#[tokio::test(start_paused = true)]
async fn a_hit_is_judged_for_its_own_route() {
    let key = Key::new("k", "ES256");
    let world = World::with(config(), &[&key]).await;
    let token = key.token();
    let first = world.call(&token).await.unwrap();
    assert_eq!(world.cache.len(), 1);
    assert_eq!(world.call(&token).await, Ok(first));
    let other = world.route(&["https://mcp.example.com/other/mcp"], &[]);
    assert_eq!(call(&other, &token).await.unwrap_err().reason, Reason::AudienceMismatch, "J40");
    let closed = world.route(&[RESOURCE], &["somebody"]);
    assert_eq!(call(&closed, &token).await.unwrap_err().reason, Reason::ClientNotAllowed, "J40");
    assert_eq!(world.cache.len(), 1, "all of them asked for one proof");
}

#[tokio::test(start_paused = true)]
async fn a_hit_never_outlives_the_token() {
    let key = Key::new("k", "ES256");
    let world = World::with(config(), &[&key]).await;
    let token = key.token();
    for (name, time, reason, remembered) in [
        ("before", NOW, Reason::Allowed, 1),
        ("at the last second", NOW + 599, Reason::Allowed, 1),
        ("at exp, within the leeway", NOW + 600, Reason::Allowed, 0),
        ("at the end of the leeway", NOW + 630, Reason::Allowed, 0),
        ("after", NOW + 631, Reason::TokenExpired, 0),
    ] {
        world.clock.set(time);
        assert_eq!(world.reason(&token).await, reason, "J40 {name}");
        assert_eq!(world.cache.len(), remembered, "J40 {name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_hit_is_not_valid_before_its_time() {
    let key = Key::new("k", "ES256");
    let world = World::with(config(), &[&key]).await;
    let token = key.with_claims(|claims| {
        claims["nbf"] = json!(NOW);
        claims["iat"] = json!(NOW);
    });
    assert_eq!(world.reason(&token).await, Reason::Allowed);
    world.clock.set(NOW - 31);
    assert_eq!(world.reason(&token).await, Reason::TokenNotYetValid, "a clock that was set back");
}

#[tokio::test(start_paused = true)]
async fn a_proof_counts_for_an_hour_at_most() {
    let key = Key::new("k", "ES256");
    let world = World::with(config(), &[&key]).await;
    let token = key.with_claims(|claims| claims["exp"] = json!(NOW + 86_400));
    let digest: [u8; 32] = digest(&SHA256, token.as_bytes()).as_ref().try_into().unwrap();
    assert_eq!(world.reason(&token).await, Reason::Allowed);
    let proof = crate::authenticate::cache::Key {
        token: digest,
        provider: "team/idp".into(),
        generation: world.provider().generation().unwrap(),
    };
    assert!(world.cache.get(&proof, NOW).is_some());
    assert!(world.cache.get(&proof, NOW + 3599).is_some());
    assert!(world.cache.get(&proof, NOW + 3600).is_none());
    assert!(world.cache.is_empty());
    world.clock.set(NOW + 3600);
    assert_eq!(world.reason(&token).await, Reason::Allowed);
    assert!(world.cache.get(&proof, NOW).is_none(), "not before it was made");
}

#[tokio::test(start_paused = true)]
async fn an_unchanged_key_set_keeps_proofs_and_a_changed_configuration_does_not() {
    let (key, other) = (Key::new("k", "ES256"), Key::new("other", "ES256"));
    let world = World::with(config(), &[&key]).await;
    let generation = world.provider().generation();
    pass(INTERVAL).await;
    assert_eq!(world.provider().generation(), generation);
    world.network.serve_keys(&[&key, &other]);
    pass(INTERVAL).await;
    assert_ne!(world.provider().generation(), generation);

    let mut changed = config();
    changed.leeway_seconds = 0;
    let reloaded = world.providers.get_or_start(&changed);
    assert_ne!(reloaded.generation(), world.provider().generation());
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_is_not_remembered() {
    let (key, other) = (Key::new("k", "ES256"), Key::new("k", "ES256"));
    let world = World::with(config(), &[&key]).await;
    for token in [
        other.token(),
        key.with_claims(|claims| claims["exp"] = json!(NOW - 31)),
        key.with_claims(|claims| claims["sub"] = json!("")),
        key.with_header(|header| header["typ"] = json!("JWT")),
    ] {
        assert_ne!(world.reason(&token).await, Reason::Allowed);
        assert_ne!(world.reason(&token).await, Reason::Allowed, "the second time");
    }
    assert!(world.cache.is_empty());
}

#[tokio::test(start_paused = true)]
async fn two_tokens_with_the_same_claims_are_two_proofs_of_one_holder() {
    // ECDSA signatures differ from one signing to the next (J29: so does the twin with a high s).
    let key = Key::new("k", "ES256");
    let world = World::with(config(), &[&key]).await;
    let (one, two) = (world.call(&key.token()).await.unwrap(), world.call(&key.token()).await.unwrap());
    assert_eq!(one, two);
    assert_eq!(one.token_id.as_deref(), Some("token-1"));
    assert_eq!(world.cache.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_cache_is_bounded() {
    let key = Key::new("k", "EdDSA");
    let world = World::with(config(), &[&key]).await;
    for index in 0..10_500 {
        let mut claims = claims();
        claims["jti"] = json!(index.to_string());
        assert!(world.call(&key.token_with(&key.header(), &claims)).await.is_ok());
    }
    assert!(world.cache.len() <= 10_000, "{}", world.cache.len());
}
