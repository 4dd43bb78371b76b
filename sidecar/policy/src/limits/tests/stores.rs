//! Stores that replicas share: what may be written, and who counts where.

use super::*;
use crate::limits::store::{OnStoreFailure, StoreAddress, StoreConfig, StoreError, StoreMode};
use std::path::PathBuf;

fn store(url: &str) -> StoreConfig {
    StoreConfig {
        url: url.into(),
        mode: StoreMode::Standalone,
        username_file: None,
        password_file: None,
        ca_file: None,
        deadline_millis: 30,
        on_failure: OnStoreFailure::Deny,
    }
}

#[test]
fn a_store_is_named_by_scheme_host_and_port_alone_in_one_spelling() {
    for (url, expected) in [
        ("redis://valkey.shop.svc", "redis://valkey.shop.svc:6379"),
        ("rediss://valkey.shop.svc:80", "rediss://valkey.shop.svc:80"),
        ("rediss://10.0.0.1:443", "rediss://10.0.0.1:443"),
        ("redis://[fd00::1]", "redis://[fd00::1]:6379"),
        ("redis://[fd00::1]:6380", "redis://[fd00::1]:6380"),
    ] {
        assert_eq!(StoreAddress::parse(url).unwrap().to_string(), expected);
    }
    for (url, expected) in [
        ("http://valkey", StoreError::Scheme),
        ("REDIS://valkey", StoreError::Scheme),
        ("valkey:6379", StoreError::Scheme),
        ("unix:///run/redis.sock", StoreError::Scheme),
        ("redis://:secret@valkey", StoreError::Extra),
        ("redis://valkey/1", StoreError::Extra),
        ("redis://valkey/", StoreError::Extra),
        ("redis://valkey?protocol=resp3", StoreError::Extra),
        ("redis://valkey#insecure", StoreError::Extra),
        ("redis://", StoreError::Host),
        ("redis://:6379", StoreError::Host),
        ("redis://Valkey", StoreError::Host),
        ("redis://val key", StoreError::Host),
        ("redis://valkey.", StoreError::Host),
        ("redis://127.1", StoreError::Host),
        ("redis://0x7f000001", StoreError::Host),
        ("redis://[FD00::1]", StoreError::Host),
        ("redis://fd00::1", StoreError::Host),
        ("redis://valkey:0", StoreError::Port),
        ("redis://valkey:", StoreError::Port),
        ("redis://valkey:+1", StoreError::Port),
        ("redis://valkey:06379", StoreError::Port),
        ("redis://valkey:65536", StoreError::Port),
    ] {
        assert_eq!(StoreAddress::parse(url).unwrap_err(), expected, "{url}");
    }
}

#[test]
fn a_node_that_a_cluster_names_is_read_as_strictly_and_keeps_the_scheme() {
    let store = StoreAddress::parse("rediss://valkey.shop.svc").unwrap();
    assert_eq!(store.node("10.0.0.7", 7000).unwrap().to_string(), "rediss://10.0.0.7:7000");
    assert_eq!(store.node("fd00::7", 7000).unwrap().to_string(), "rediss://[fd00::7]:7000");
    for (host, port) in [("", 7000), ("a@b", 7000), ("a/b", 7000), ("10.0.0.7", 0), ("127.1", 1), ("0::1", 1)] {
        assert!(store.node(host, port).is_err(), "{host}:{port}");
    }
}

#[test]
fn files_and_deadline_of_a_store_are_checked_and_a_refused_url_is_never_repeated() {
    let file = |text: &str| Some(PathBuf::from(text));
    let good = StoreConfig {
        username_file: file("/a"),
        password_file: file("/b"),
        ca_file: file("/c"),
        ..store("rediss://valkey")
    };
    assert!(good.compile().is_ok());
    for (config, expected) in [
        (StoreConfig { password_file: None, ..good.clone() }, StoreError::UserWithoutPassword),
        (StoreConfig { url: "redis://valkey".into(), ..good.clone() }, StoreError::CaWithoutTls),
        (StoreConfig { ca_file: file("c"), ..good.clone() }, StoreError::Path),
        (StoreConfig { deadline_millis: 4, ..good.clone() }, StoreError::Deadline),
        (StoreConfig { deadline_millis: 1001, ..good.clone() }, StoreError::Deadline),
    ] {
        assert_eq!(config.compile().unwrap_err(), expected);
    }
    let leaky = RateLimitConfig { store: Some(store("redis://:hunter2@valkey")), ..policy() };
    let message = LimitSet::compile(&[leaky]).unwrap_err().to_string();
    assert!(message.contains("policy `shop`: store:") && !message.contains("hunter2"), "{message}");
}

#[test]
fn limits_of_a_policy_with_a_store_keep_their_whole_rate_beside_the_replicas_part() {
    let shared = RateLimitConfig { store: Some(store("redis://valkey")), ..policy() };
    let other = StoreConfig { on_failure: OnStoreFailure::Allow, ..store("redis://valkey:6379") };
    let same = RateLimitConfig { policy: "same".into(), store: Some(other), ..policy() };
    let own = RateLimitConfig { policy: "own".into(), ..policy() };
    let set = LimitSet::compile(&[shared, same, own]).unwrap().shared_by(NonZeroU32::new(4).unwrap());
    assert_eq!(set.stores().len(), 1, "two spellings of one store are one");
    let policies: Vec<_> = set.shared_policies().map(|(name, store)| (name, store.on_failure)).collect();
    assert_eq!(policies, [("shop", OnStoreFailure::Deny), ("same", OnStoreFailure::Allow)]);
    let operation = Operation { method: Method::Ping, target: Target::None };
    let principal = caller("a", &json!("basic"));
    let counted =
        Counted { principal: &principal, operation: &operation, target_known: true, server: "s", address: "a" };
    let charges = set.charges(&counted);
    assert_eq!(charges.len(), 3);
    for charge in charges {
        assert_eq!(charge.rate.requests, 250);
        let whole = charge.shared.map(|shared| shared.whole.requests);
        assert_eq!(whole, (!charge.id.starts_with("own/")).then_some(1000), "{}", charge.id);
    }
}

#[test]
fn charges_of_one_store_stand_together_behind_those_that_a_replica_counts_by_itself() {
    let limits = |widths: [usize; 2]| {
        let limit = |width: usize| {
            let per = vec![Dimension::Client, Dimension::Tool].into_iter().take(width).collect();
            LimitConfig { name: format!("w{width}"), per, ..policy().limits[0].clone() }
        };
        widths.map(limit).to_vec()
    };
    let with = |name: &str, url: Option<&str>, widths| RateLimitConfig {
        policy: name.into(),
        store: url.map(store),
        limits: limits(widths),
        ..policy()
    };
    let (one, other) = (Some("redis://one"), Some("redis://other"));
    let policies = [with("a", one, [0, 1]), with("b", other, [1, 2]), with("c", None, [0, 2]), with("d", one, [2, 1])];
    let set = LimitSet::compile(&policies).unwrap();
    let operation = Operation { method: Method::Ping, target: Target::None };
    let principal = caller("a", &json!("basic"));
    let counted =
        Counted { principal: &principal, operation: &operation, target_known: true, server: "s", address: "a" };
    let ids: Vec<_> = set.charges(&counted).iter().map(|charge| charge.id).collect();
    assert_eq!(ids, ["c/w2", "c/w0", "d/w2", "a/w1", "d/w1", "a/w0", "b/w2", "b/w1"]);
}

#[test]
fn a_store_in_which_nothing_is_counted_is_refused() {
    let before = AddressConfig { requests: Some(rate(10, 60, None)), failures: None };
    let config = RateLimitConfig {
        limits: vec![],
        before_authentication: Some(before),
        store: Some(store("redis://valkey")),
        ..policy()
    };
    assert!(matches!(LimitSet::compile(&[config]), Err(LimitError::StoreOfNothing { .. })));
}
