//! What is counted in a store, what stands there, and what does not.

use crate::scene::{PATIENT, Scene, limit, policy, set, store};
use serde_json::json;
use std::num::NonZeroU32;
use tollward_tests::real::store::{Kind, Store};

#[tokio::test]
async fn a_burst_passes_and_the_next_call_is_refused_as_by_a_replica_of_its_own() {
    for kind in Kind::ALL {
        let server = Store::start(kind).await;
        let scene = Scene::new(&store(&server.url(), "Deny", PATIENT), 3).await;
        for left in [2, 1, 0] {
            let (reply, state) = scene.passes("alice").await;
            assert_eq!(reply.header("ratelimit-policy"), "\"standard/calls\";q=10;w=36000");
            assert!(reply.header("ratelimit").starts_with(&format!("\"standard/calls\";r={left};t=")));
            assert_eq!((state.remaining, state.counted_by), (left, Some("store")), "{state:?}");
        }
        let (reply, state) = scene.is_limited("alice").await;
        let wait: u64 = reply.header("retry-after").parse().unwrap();
        // 36,000 s for 7 refills.
        assert!((5130..=5143).contains(&wait), "{wait}");
        assert!(state.exceeded && state.counted_by == Some("store"), "{state:?}");
        scene.passes("bob").await;
        scene.world.end();
    }
}

#[tokio::test]
async fn nobody_can_be_found_in_the_store_and_every_count_is_forgotten_once_it_is_refilled() {
    let server = Store::start(Kind::Valkey).await;
    let scene = Scene::new(&store(&server.url(), "Deny", PATIENT), 3).await;
    scene.passes("alice").await;
    scene.passes("alice").await;
    let keys: Vec<String> = server.answer("KEYS *").await;
    assert_eq!(keys.len(), 1, "{keys:?}");
    assert!(keys[0].starts_with("{tollward:shop}:standard/calls:basic:"), "{keys:?}");
    assert!(!keys[0].contains("alice") && !keys[0].contains("uid-catalog"), "{keys:?}");
    let value: String = server.answer(&format!("GET {}", keys[0])).await;
    assert!(value.bytes().all(|byte| byte.is_ascii_digit()), "{value}");
    let expiry: u64 = server.answer(&format!("PTTL {}", keys[0])).await;
    let refill = 2 * 36_000_000 / 7;
    assert!((refill - 20_000..=refill + 1).contains(&expiry), "{expiry}");
    scene.world.end();
}

#[tokio::test]
async fn all_limits_of_a_call_are_one_question_and_a_refusal_charges_none() {
    let server = Store::start(Kind::Redis).await;
    let wide =
        json!({"name": "wide", "match": {}, "tiers": {"basic": {"requests": 9, "windowSeconds": 36_000, "burst": 2}}});
    let policies = [policy(&store(&server.url(), "Deny", PATIENT), &[limit(5), wide])];
    let scene = Scene::with(|config, _| set(config, &policies)).await;
    scene.passes("alice").await;
    let asked = server.charges().await;
    scene.passes("bob").await;
    assert_eq!(server.charges().await, asked + 1);
    let (_, state) = scene.is_limited("bob").await;
    assert_eq!(state.limit, "standard/wide");
    let keys: Vec<String> = server.answer("KEYS *calls*").await;
    for key in keys {
        let owed: u64 = server.answer(&format!("PTTL {key}")).await;
        assert!(owed <= 36_000_000 / 7 + 1, "one call each: {owed}");
    }
    scene.world.end();
}

#[tokio::test]
async fn a_caller_that_is_exhausted_for_certain_costs_the_store_nothing() {
    let server = Store::start(Kind::Valkey).await;
    let scene = Scene::new(&store(&server.url(), "Deny", PATIENT), 1).await;
    scene.passes("alice").await;
    scene.is_limited("alice").await;
    let asked = server.charges().await;
    for _ in 0..20 {
        let (reply, state) = scene.is_limited("alice").await;
        let wait: u64 = reply.header("retry-after").parse().unwrap();
        assert!((5120..=5143).contains(&wait) && state.exceeded, "{wait}");
    }
    let more = server.charges().await - asked;
    assert!(more <= 4, "{more} questions for 20 refusals");
    scene.world.end();
}

#[tokio::test]
async fn an_edit_keeps_the_connection_and_the_counts_and_a_raised_limit_holds_at_once() {
    let server = Store::start(Kind::Redis).await;
    let mut scene = Scene::new(&store(&server.url(), "Deny", PATIENT), 2).await;
    scene.passes("alice").await;
    scene.passes("alice").await;
    scene.is_limited("alice").await;
    let client = || async {
        let clients: String = server.answer("CLIENT LIST").await;
        clients
            .lines()
            .filter(|line| line.contains("cmd=evalsha"))
            .map(|line| line.split(' ').next().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let before = client().await;
    scene
        .edit(|limits| {
            let rate = limits[0].tiers.get_mut("basic").unwrap();
            rate.requests = NonZeroU32::new(27).unwrap();
            rate.burst = NonZeroU32::new(20);
        })
        .await;
    let (_, state) = scene.passes("alice").await;
    assert!((12..=17).contains(&state.remaining), "what was owed is still owed: {state:?}");
    assert_eq!(before, client().await, "the same connection");
    assert_eq!(before.len(), 1);
    scene.world.end();
}
