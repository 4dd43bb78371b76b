//! Bounds and evictions of the memory store.

use std::time::{Duration, SystemTime};

use futures_util::FutureExt;

use super::{MemoryStore, StoreLimits};
use crate::client::{ApplicationType, Client, ClientId};
use crate::store::{Store, StoreError};

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn small() -> MemoryStore {
    MemoryStore::new(StoreLimits { clients: 3, requests: 2, codes: 1, families: 1, consents: 1 })
}

fn id(text: &str) -> ClientId {
    ClientId::parse(text).unwrap()
}

fn add(store: &MemoryStore, name: &str, seconds: u64) {
    let client = Client {
        id: id(name),
        name: None,
        redirect_uris: vec![],
        may_refresh: false,
        application_type: ApplicationType::Native,
        registered_at: at(seconds),
        last_used: None,
        expires_at: at(1000),
    };
    store.add_client(client, at(seconds)).now_or_never().unwrap().unwrap();
}

fn has(store: &MemoryStore, name: &str, seconds: u64) -> bool {
    store.client(&id(name), at(seconds)).now_or_never().unwrap().unwrap().is_some()
}

#[test]
fn a_flood_of_registrations_evicts_unused_clients_and_keeps_used_ones() {
    let store = small();
    add(&store, "used", 1);
    store.client_used(&id("used"), at(2), at(2000)).now_or_never().unwrap().unwrap();
    for number in 0..900 {
        add(&store, &format!("flood-{number}"), 3 + number);
    }
    assert_eq!(store.client_count(), 3);
    assert!(has(&store, "used", 1010), "use prolongs a registration");
    assert!(!has(&store, "flood-897", 902));
    assert!(has(&store, "flood-899", 902));
}

#[test]
fn expired_clients_are_absent_and_make_room_first() {
    let store = small();
    for name in ["a", "b", "c"] {
        add(&store, name, 1);
    }
    assert!(has(&store, "a", 999));
    assert!(!has(&store, "a", 1000));
    add(&store, "d", 1000);
    assert_eq!(store.client_count(), 1);
}

#[test]
fn answered_requests_are_never_evicted_to_make_room_for_others() {
    let store = small();
    let settle = |name: &str, now| store.settle_request(name.to_owned(), at(600), at(now)).now_or_never().unwrap();
    assert_eq!(settle("a", 1), Ok(true));
    assert_eq!(settle("a", 2), Ok(false));
    assert_eq!(settle("b", 3), Ok(true));
    assert_eq!(settle("c", 4), Err(StoreError::Full));
    assert_eq!(settle("a", 5), Ok(false));
    assert_eq!(settle("c", 600), Ok(true), "expired ones make room");
}
