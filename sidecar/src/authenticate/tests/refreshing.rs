//! Where keys come from, and what happens while they can't be had.

use super::issuer::{ISSUER, Key, NOW, key_set};
use super::world::{Answer, COOLDOWN, INTERVAL, JWKS_URL, MAX_STALE, World, config, pass, until};
use crate::authenticate::Provider;
use futures_util::future::join_all;
use http::StatusCode;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tollward_policy::config::{Algorithm, ProviderConfig};
use tollward_policy::reason::Reason;
use tollward_telemetry::{InMemory, Telemetry};

const OAUTH: &str = "https://idp.example/.well-known/oauth-authorization-server/realms/a";
const OPENID: &str = "https://idp.example/.well-known/openid-configuration/realms/a";
const OPENID_APPENDED: &str = "https://idp.example/realms/a/.well-known/openid-configuration";

fn discovered() -> ProviderConfig {
    ProviderConfig { jwks_url: None, ..config() }
}

fn metadata(issuer: &str) -> Answer {
    Answer::json(&json!({"issuer": issuer, "jwks_uri": JWKS_URL}).to_string())
}

fn unknown(index: usize) -> String {
    Key::new("k", "ES256").with_header(|header| header["kid"] = json!(format!("unknown-{index}")))
}

#[tokio::test(start_paused = true)]
async fn a_thousand_unknown_key_ids_are_one_fetch_per_cooldown() {
    let key = Key::new("k", "ES256");
    let world = World::with(config(), &[&key]).await;
    let tokens: Vec<_> = (0..1000).map(unknown).collect();
    for round in 1..=3 {
        let calls = join_all(tokens.iter().map(|token| world.reason(token))).await;
        assert!(calls.iter().all(|reason| *reason == Reason::TokenKeyUnknown), "K01");
        assert_eq!(world.network.count(JWKS_URL), 1 + round, "K01 round {round}");
        assert_eq!(world.reason(&key.token()).await, Reason::Allowed, "K01");
        pass(COOLDOWN).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_fetch_keeps_the_keys_and_counts_for_the_cooldown() {
    let key = Key::new("k", "ES256");
    let world = World::with(config(), &[&key]).await;
    world.network.set(JWKS_URL, Answer::Unreachable);
    let tokens: Vec<_> = (0..100).map(unknown).collect();
    let calls = join_all(tokens.iter().map(|token| world.call(token))).await;
    for call in calls {
        let refusal = call.unwrap_err();
        assert_eq!(refusal.reason, Reason::KeysUnavailable, "K02: a key that might exist is not called unknown");
        assert!(refusal.retry_after.unwrap() <= Duration::from_secs(COOLDOWN));
    }
    assert_eq!(world.network.count(JWKS_URL), 2, "K02");
    let refusal = world.call(&unknown(0)).await.unwrap_err();
    assert_eq!(refusal.reason, Reason::KeysUnavailable);
    assert_eq!(world.network.count(JWKS_URL), 2, "K02");
    assert_eq!(world.reason(&key.token()).await, Reason::Allowed, "K02");
    let status = world.provider().status();
    assert_eq!(status.last_error.as_deref(), Some("not fetched"), "the address is for the log only");
    assert!(status.ready && !status.stale);
}

#[tokio::test(start_paused = true)]
async fn a_document_that_is_no_key_set_replaces_nothing() {
    let key = Key::new("k", "ES256");
    let good = key_set(&[key.jwk()]);
    let many: Vec<_> = (0..10_000).map(|_| json!({"kty": "oct"})).collect();
    let html = b"<html>sign in</html>";
    let unusable = json!({"keys": [{"kty": "RSA", "kid": "r"}, {"kty": "oct", "k": "AA"}, 1]}).to_string();
    let many = json!({"keys": many}).to_string();
    let of = |status, content_type, body: &[u8]| Answer::of(status, content_type, body);
    let ok = StatusCode::OK;
    let (json_type, html_type) = ("application/json", "text/html");
    let twice = good.replacen("{\"keys\"", "{\"keys\":[],\"keys\"", 1);
    let answers = [
        ("K03 empty set", Answer::json(r#"{"keys":[]}"#), "set's 0 keys"),
        ("K03 no usable key", Answer::json(&unusable), "set's 3 keys"),
        ("K03 no keys", Answer::json("{}"), "no JSON object"),
        ("K03 keys twice", Answer::json(&twice), "no JSON object"),
        ("K03 list", Answer::json("[]"), "no JSON object"),
        ("K03 truncated", Answer::json(&good[..good.len() - 2]), "no JSON object"),
        ("K03 HTML as JSON", of(ok, json_type, html), "no JSON object"),
        ("K03 HTML", of(ok, html_type, html), "JSON media type"),
        ("K03 keys as HTML", of(ok, html_type, good.as_bytes()), "JSON media type"),
        ("K03 compressed", of(ok, json_type, &[0x1f, 0x8b, 8, 0]), "no JSON object"),
        ("K03 10,000 keys", Answer::json(&many), "10000 keys"),
        ("K03 10 MB", Answer::json(&(good.clone() + &" ".repeat(10_000_000))), "bytes"),
        ("K03 404", of(StatusCode::NOT_FOUND, json_type, good.as_bytes()), "404"),
        ("K03 204", of(StatusCode::NO_CONTENT, json_type, b""), "204"),
    ];
    for (name, answer, error) in answers {
        let world = World::with(config(), &[&key]).await;
        world.network.set(JWKS_URL, answer);
        pass(INTERVAL).await;
        assert!(world.network.count(JWKS_URL) > 1, "{name}");
        assert_eq!(world.reason(&key.token()).await, Reason::Allowed, "{name}");
        let text = world.provider().status().last_error.unwrap();
        assert!(text.contains(error), "{name}: {text}");
        world.network.serve_keys(&[&key]);
        pass(2).await;
        assert_eq!(world.provider().status().last_error, None, "{name}: recovered");
    }
}

#[tokio::test(start_paused = true)]
async fn a_removed_key_is_refused_after_the_next_refresh() {
    let (old, new) = (Key::new("old", "ES256"), Key::new("new", "ES256"));
    let world = World::with(config(), &[&old]).await;
    let token = old.token();
    assert_eq!(world.reason(&token).await, Reason::Allowed);
    world.network.serve_keys(&[&new]);
    pass(INTERVAL).await;
    assert_eq!(world.reason(&token).await, Reason::TokenKeyUnknown, "K04: also if it was verified before");
    assert_eq!(world.reason(&new.token()).await, Reason::Allowed, "K04");
}

#[tokio::test(start_paused = true)]
async fn a_key_replaced_under_its_own_id_takes_its_tokens_with_it() {
    let (old, new) = (Key::new("k", "ES256"), Key::new("k", "ES256"));
    let world = World::with(config(), &[&old]).await;
    let token = old.token();
    assert_eq!(world.reason(&token).await, Reason::Allowed);
    world.network.serve_keys(&[&new]);
    pass(INTERVAL).await;
    assert_eq!(world.reason(&token).await, Reason::TokenSignatureInvalid, "K04: also if it was verified before");
    assert_eq!(world.reason(&new.token()).await, Reason::Allowed, "K04");
}

#[tokio::test(start_paused = true)]
async fn a_token_of_an_algorithm_that_is_not_allowed_costs_no_fetch() {
    let key = Key::new("k", "RS256");
    let mut narrow = config();
    narrow.algorithms = vec![Algorithm::RS256];
    let world = World::with(narrow, &[&key]).await;
    let other = Key::new("unknown", "ES256");
    assert_eq!(world.reason(&other.token()).await, Reason::TokenAlgorithmRefused);
    assert_eq!(world.network.count(JWKS_URL), 1);
}

#[tokio::test(start_paused = true)]
async fn a_rotated_key_is_accepted_after_one_fetch_beside_the_old_one() {
    let (old, new) = (Key::new("old", "ES256"), Key::new("new", "ES256"));
    let world = World::with(config(), &[&old]).await;
    world.network.serve_keys(&[&old, &new]);
    let (old_token, new_token) = (old.token(), new.token());
    let calls = join_all((0..50).map(|_| world.reason(&new_token))).await;
    assert!(calls.iter().all(|reason| *reason == Reason::Allowed), "K05 {calls:?}");
    assert_eq!(world.network.count(JWKS_URL), 2, "K05");
    assert_eq!(world.reason(&old_token).await, Reason::Allowed, "K05");
}

#[tokio::test(start_paused = true)]
async fn keys_too_old_are_not_used_until_they_are_fetched_again() {
    let key = Key::new("k", "ES256");
    let world = World::with(config(), &[&key]).await;
    let token = key.token();
    assert_eq!(world.reason(&token).await, Reason::Allowed);
    world.network.set(JWKS_URL, Answer::Unreachable);
    pass(MAX_STALE).await;
    assert_eq!(world.reason(&token).await, Reason::Allowed, "K06 at the limit");
    pass(1).await;
    let refusal = world.call(&token).await.unwrap_err();
    assert_eq!(refusal.reason, Reason::KeysUnavailable, "K06: also if it was verified before");
    assert!(refusal.retry_after.is_some(), "K06");
    let status = world.provider().status();
    assert!(!status.ready && status.stale && !world.provider().ready(), "K06 {status:?}");
    world.network.serve_keys(&[&key]);
    pass(60).await;
    assert_eq!(world.reason(&token).await, Reason::Allowed, "K06 without a restart");
    assert!(world.provider().ready());
}

/// The warnings of the log, which is silent otherwise.
fn warnings(memory: &InMemory) -> Vec<String> {
    memory.logs().iter().map(|line| format!("{:?}", line.record.body())).collect()
}

#[tokio::test(start_paused = true)]
async fn a_failed_refresh_promises_the_old_keys_only_while_there_are_usable_ones() {
    let (telemetry, memory) = Telemetry::in_memory().unwrap();
    let dispatch = telemetry.dispatch().unwrap();
    let _guard = tracing::dispatcher::set_default(&dispatch);
    let (kept, lost) = ("the last good ones stay in use", "tokens can't be verified until a refresh works");
    let key = Key::new("k", "ES256");

    let world = World::offline(config());
    world.network.set(JWKS_URL, Answer::Unreachable);
    until(|| warnings(&memory).len() == 1).await;
    assert!(warnings(&memory)[0].contains(lost), "{:?}", warnings(&memory));
    drop(world);

    let world = World::with(config(), &[&key]).await;
    world.network.set(JWKS_URL, Answer::Unreachable);
    pass(INTERVAL).await;
    assert!(warnings(&memory).last().unwrap().contains(kept), "{:?}", warnings(&memory));
    pass(MAX_STALE).await;
    assert!(warnings(&memory).last().unwrap().contains(lost), "{:?}", warnings(&memory));
}

#[tokio::test(start_paused = true)]
async fn a_cold_start_without_keys_is_unavailable_and_tries_again() {
    let key = Key::new("k", "ES256");
    let world = World::offline(config());
    world.network.set(JWKS_URL, Answer::Unreachable);
    until(|| world.network.count(JWKS_URL) == 1).await;
    let refusal = world.call(&key.token()).await.unwrap_err();
    assert_eq!(refusal.reason, Reason::KeysUnavailable, "K07");
    assert!(refusal.retry_after.is_some() && !world.provider().ready(), "K07");
    assert!(!world.provider().status().stale, "K07: nothing was there that could be stale");
    for _ in 0..7 {
        pass(60).await;
    }
    assert_eq!(world.network.count(JWKS_URL), 8, "K07: it keeps trying");
    world.network.serve_keys(&[&key]);
    pass(60).await;
    assert_eq!(world.reason(&key.token()).await, Reason::Allowed, "K07");
    assert_eq!(world.provider().status().last_fetch, Some(NOW));
}

#[tokio::test(start_paused = true)]
async fn discovery_takes_the_first_document_of_this_very_issuer() {
    let key = Key::new("k", "ES256");
    for (name, documents, fetched) in [
        ("RFC 8414", vec![(OAUTH, metadata(ISSUER))], vec![OAUTH, JWKS_URL]),
        ("OpenID", vec![(OPENID, metadata(ISSUER))], vec![OAUTH, OPENID, JWKS_URL]),
        ("appended", vec![(OPENID_APPENDED, metadata(ISSUER))], vec![OAUTH, OPENID, OPENID_APPENDED, JWKS_URL]),
        (
            "another issuer first",
            vec![(OAUTH, metadata("https://idp.example")), (OPENID, metadata(ISSUER))],
            vec![OAUTH, OPENID, JWKS_URL],
        ),
        (
            "a login page first",
            vec![(OAUTH, Answer::of(StatusCode::OK, "text/html", b"<html>")), (OPENID, metadata(ISSUER))],
            vec![OAUTH, OPENID, JWKS_URL],
        ),
        (
            "unreachable first",
            vec![(OAUTH, Answer::Unreachable), (OPENID, metadata(ISSUER))],
            vec![OAUTH, OPENID, JWKS_URL],
        ),
    ] {
        let world = World::offline(discovered());
        for (url, answer) in documents {
            world.network.set(url, answer);
        }
        world.network.serve_keys(&[&key]);
        until(|| world.provider().ready()).await;
        assert_eq!(world.reason(&key.token()).await, Reason::Allowed, "{name}");
        assert_eq!(world.network.log(), fetched, "{name}");
        let document = world.provider().auth_server_metadata().unwrap();
        assert_eq!(document, json!({"issuer": ISSUER, "jwks_uri": JWKS_URL}).to_string(), "{name}: verbatim");
    }
}

#[tokio::test(start_paused = true)]
async fn discovery_of_anything_else_gives_no_keys() {
    let key = Key::new("k", "ES256");
    let twice = format!(r#"{{"issuer":"{ISSUER}","issuer":"{ISSUER}","jwks_uri":"{JWKS_URL}"}}"#);
    let mistyped = json!({"issuer": ISSUER, "jwks_uri": [JWKS_URL]}).to_string();
    let bare = json!({"issuer": ISSUER}).to_string();
    for (name, answer, error) in [
        ("nothing", None, "404"),
        ("trailing slash", Some(metadata(&format!("{ISSUER}/"))), "another issuer"),
        ("longer", Some(metadata(&format!("{ISSUER}-evil"))), "another issuer"),
        ("no issuer", Some(Answer::json(&json!({"jwks_uri": JWKS_URL}).to_string())), "another issuer"),
        ("no jwks_uri", Some(Answer::json(&bare)), "jwks_uri"),
        ("jwks_uri list", Some(Answer::json(&mistyped)), "jwks_uri"),
        ("issuer twice", Some(Answer::json(&twice)), "unambiguous"),
        ("unreachable", Some(Answer::Unreachable), "not fetched"),
    ] {
        let world = World::offline(discovered());
        if let Some(answer) = answer {
            world.network.set(OAUTH, answer);
        }
        world.network.serve_keys(&[&key]);
        until(|| world.provider().status().last_error.is_some()).await;
        let text = world.provider().status().last_error.unwrap();
        assert!(text.contains(error), "K08 {name}: {text}");
        assert_eq!(world.reason(&key.token()).await, Reason::KeysUnavailable, "K08 {name}");
        assert_eq!(world.network.count(JWKS_URL), 0, "K08 {name}");
        assert_eq!(world.provider().auth_server_metadata(), None, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn waiting_requests_are_spared_discovery_and_a_failing_one_does_not_stop_refreshes() {
    let (old, new) = (Key::new("old", "ES256"), Key::new("new", "ES256"));
    let world = World::offline(discovered());
    world.network.set(OAUTH, metadata(ISSUER));
    world.network.serve_keys(&[&old]);
    until(|| world.provider().ready()).await;
    world.network.serve_keys(&[&new]);
    assert_eq!(world.reason(&new.token()).await, Reason::Allowed);
    assert_eq!(world.network.count(OAUTH), 1);
    world.network.set(OAUTH, Answer::Unreachable);
    world.network.serve_keys(&[&old]);
    pass(INTERVAL).await;
    assert_eq!(world.network.count(OAUTH), 2);
    assert_eq!(world.reason(&old.token()).await, Reason::Allowed);
    assert!(world.provider().auth_server_metadata().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_slow_issuer_holds_up_nobody_whose_key_is_known_and_nobody_for_long() {
    let key = Key::new("k", "ES256");
    let world = World::with(config(), &[&key]).await;
    world.network.set(JWKS_URL, Answer::Silent);
    let tokens: Vec<_> = (0..100).map(unknown).collect();
    let good = key.token();
    let start = Instant::now();
    let known = async {
        let reason = world.reason(&good).await;
        (reason, start.elapsed())
    };
    let (refused, (reason, waited)) = tokio::join!(join_all(tokens.iter().map(|token| world.reason(token))), known);
    assert_eq!((reason, waited), (Reason::Allowed, Duration::ZERO), "K11");
    assert!(refused.iter().all(|reason| *reason == Reason::KeysUnavailable), "K11");
    assert!(start.elapsed() <= Duration::from_secs(5), "K11 {:?}", start.elapsed());
    assert_eq!(world.network.count(JWKS_URL), 2, "K11");
}

#[tokio::test(start_paused = true)]
async fn cache_control_may_shorten_the_interval_down_to_the_cooldown() {
    let key = Key::new("k", "ES256");
    for (header, pause) in
        [("max-age=60", 60), ("max-age=1", COOLDOWN), ("max-age=999999", INTERVAL), ("no-store", INTERVAL)]
    {
        let world = World::offline(config());
        let Answer::Document(mut document) = Answer::json(&key_set(&[key.jwk()])) else {
            panic!("a document");
        };
        document.cache_control = Some(header.to_owned());
        world.network.set(JWKS_URL, Answer::Document(document));
        until(|| world.provider().ready()).await;
        pass(pause - 1).await;
        assert_eq!(world.network.count(JWKS_URL), 1, "{header}");
        pass(1).await;
        assert_eq!(world.network.count(JWKS_URL), 2, "{header}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_unchanged_provider_survives_a_reload_and_an_unused_one_ends() {
    let key = Key::new("k", "ES256");
    let world = World::with(config(), &[&key]).await;
    let mut changed = config();
    changed.leeway_seconds = 0;
    assert!(Arc::ptr_eq(&world.providers.get_or_start(&config()), world.provider()));
    assert_eq!(world.providers.statuses().len(), 1);
    let other = world.providers.get_or_start(&changed);
    assert!(!Arc::ptr_eq(&other, world.provider()));
    assert!(Arc::ptr_eq(&world.providers.get_or_start(&changed), &other));

    let World { network, providers, authenticator, .. } = world;
    let ended: std::sync::Weak<Provider> = Arc::downgrade(authenticator.providers().next().unwrap());
    drop((authenticator, other));
    assert!(ended.upgrade().is_none());
    pass(0).await;
    let before = network.log().len();
    pass(INTERVAL).await;
    assert_eq!(network.log().len(), before, "nobody fetches any more");
    assert!(providers.statuses().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_reconfigured_provider_starts_with_the_keys_that_it_had_from_the_same_place() {
    let (key, rsa) = (Key::new("k", "ES256"), Key::new("r", "RS256"));
    let world = World::with(config(), &[&key, &rsa]).await;
    world.network.set(JWKS_URL, Answer::Unreachable);
    // One after the other: each change is a reload of the one before.
    pass(100).await;
    let mut changed = config();
    changed.leeway_seconds = 0;
    let reloaded = world.providers.get_or_start(&changed);
    let status = reloaded.status();
    assert!(status.ready && status.keys.len() == 2, "{status:?}");
    assert_eq!(status.last_fetch, Some(NOW));
    changed.algorithms = vec![Algorithm::RS256];
    let narrowed = world.providers.get_or_start(&changed);
    let ids: Vec<_> = narrowed.status().keys.into_iter().map(|key| key.id.unwrap()).collect();
    assert_eq!(ids, ["r"], "judged by the new configuration");
    pass(MAX_STALE - 100).await;
    assert!(narrowed.ready());
    pass(1).await;
    assert!(!narrowed.ready(), "as old as they were");
    let late = world.providers.get_or_start(&config());
    assert!(late.status().keys.is_empty(), "keys too old are not handed on");

    let world = World::with(config(), &[&key]).await;
    world.network.set(JWKS_URL, Answer::Unreachable);
    for change in [
        |config: &mut ProviderConfig| config.issuer.push('b'),
        |config: &mut ProviderConfig| config.jwks_url = Some("https://idp.example/other".to_owned()),
        |config: &mut ProviderConfig| config.ca_file = Some("/etc/ca.pem".into()),
    ] {
        let mut changed = config();
        change(&mut changed);
        let moved = world.providers.get_or_start(&changed);
        assert!(!moved.ready() && moved.status().keys.is_empty(), "{changed:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_status_is_what_the_report_shows() {
    let key = Key::new("k", "RS256");
    let world = World::offline(config());
    let keys = [key.jwk(), json!({"kty": "oct", "kid": "s", "k": "AA"})];
    world.network.set(JWKS_URL, Answer::json(&key_set(&keys)));
    until(|| world.provider().ready()).await;
    let mut status = serde_json::to_value(world.provider().status()).unwrap();
    assert_eq!(status["keys"][0]["thumbprint"].as_str().unwrap().len(), 43);
    status["keys"][0]["thumbprint"] = json!("…");
    assert_eq!(
        status,
        json!({
            "name": "team/idp",
            "issuer": ISSUER,
            "ready": true,
            "stale": false,
            "keys": [{"id": "k", "algorithms": ["RS256"], "thumbprint": "…"}],
            "ignoredKeys": [{"id": "s", "reason": "the key is symmetric (kty oct), and a published secret proves nothing"}],
            "lastFetch": NOW,
        })
    );
}
