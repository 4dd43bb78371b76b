//! Cases S01, S04, S05, S06 and S13 as far as they concern the sealed form.

use super::{Binding, SealError, SessionError, SessionKeyError, SessionKeys, SessionSealer};
use proptest::prelude::*;
use serde_json::Map;
use std::collections::HashSet;
use tollward_policy::config::{ServerRef, SessionBounds, SessionConfig, SessionKey};
use tollward_policy::principal::{Membership, Principal, TokenPrincipal};

const NOW: i64 = 1_800_000_000;
const MAX_AGE: u32 = 3600;

fn binding(issuer: &str, subject: &str, client: Option<&str>, uid: &str) -> Binding {
    let principal = Principal::Token(std::sync::Arc::new(TokenPrincipal {
        provider: "main".into(),
        issuer: issuer.into(),
        subject: subject.into(),
        client: client.map(str::to_owned),
        token_id: None,
        scopes: Vec::new(),
        groups: Membership::Unknown,
        roles: Membership::Unknown,
        expires_at: NOW,
        claims: Map::new(),
    }));
    Binding::new(&principal, &server(uid))
}

fn server(uid: &str) -> ServerRef {
    ServerRef { namespace: "shop".into(), name: "catalog".into(), uid: uid.into() }
}

fn alice() -> Binding {
    binding("https://idp.example", "alice", Some("desk"), "uid-1")
}

fn sealer(keys: &[(u8, u8)]) -> SessionSealer {
    let keys = SessionKeys::new(keys.iter().map(|(id, byte)| (*id, [*byte; 32]))).unwrap();
    SessionSealer::new(&keys, MAX_AGE).unwrap()
}

#[test]
fn a_sealed_id_opens_for_its_caller_and_hides_the_servers_id() {
    let sealer = sealer(&[(7, 1)]);
    for upstream in ["1", "session-42", &"x".repeat(512)] {
        let text = sealer.seal(upstream, &alice(), NOW).unwrap();
        assert!(text.bytes().all(|byte| byte.is_ascii_graphic()) && text.len() <= 1024);
        assert_eq!(sealer.open(&text, &alice(), NOW + 5).as_deref(), Ok(upstream));
    }
    assert!(!sealer.seal("session-42", &alice(), NOW).unwrap().contains("session-42"));
}

#[test]
fn s01_another_issuer_subject_client_or_server_finds_no_session() {
    let sealer = sealer(&[(7, 1)]);
    let text = sealer.seal("session-42", &alice(), NOW).unwrap();
    let others = [
        binding("https://other.example", "alice", Some("desk"), "uid-1"),
        binding("https://idp.example", "bob", Some("desk"), "uid-1"),
        binding("https://idp.example", "alice", Some("phone"), "uid-1"),
        binding("https://idp.example", "alice", None, "uid-1"),
        binding("https://idp.example", "alice", Some("desk"), "uid-2"),
        Binding::new(&Principal::Anonymous, &server("uid-1")),
    ];
    for other in others {
        assert_eq!(sealer.open(&text, &other, NOW), Err(SessionError), "{other:?}");
    }
}

#[test]
fn s04_a_server_that_repeats_its_id_still_gives_every_session_a_fresh_one() {
    let sealer = sealer(&[(7, 1)]);
    let seals: HashSet<_> = (0..1000).map(|_| sealer.seal("1", &alice(), NOW).unwrap()).collect();
    assert_eq!(seals.len(), 1000);
    for chosen in ["my-own-session", "1", "AAAA"] {
        assert_eq!(sealer.open(chosen, &alice(), NOW), Err(SessionError));
    }
}

#[test]
fn s05_malformed_ids_are_unknown() {
    let sealer = sealer(&[(7, 1)]);
    let text = sealer.seal("session-42", &alice(), NOW).unwrap();
    let table = [
        String::new(),
        "B".into(),
        "BwcH".into(),
        format!("{text}="),
        format!("{text}A"),
        format!(" {text}"),
        format!("{text}\r\n"),
        format!("{text}\0"),
        "ä".repeat(20),
        "A".repeat(4096),
        text[..text.len() - 1].to_owned(),
    ];
    for text in table {
        assert_eq!(sealer.open(&text, &alice(), NOW), Err(SessionError), "{text:?}");
    }
}

#[test]
fn s06_a_session_ends_with_its_age_and_does_not_begin_in_the_future() {
    let sealer = sealer(&[(7, 1)]);
    let text = sealer.seal("session-42", &alice(), NOW).unwrap();
    let table = [(0, true), (i64::from(MAX_AGE), true), (i64::from(MAX_AGE) + 1, false), (-60, true), (-61, false)];
    for (later, opens) in table {
        assert_eq!(sealer.open(&text, &alice(), NOW + later).is_ok(), opens, "{later} s");
    }
    assert_eq!(sealer.open(&text, &alice(), i64::MIN), Err(SessionError));
}

#[test]
fn s13_keys_rotate_the_first_seals_and_all_open() {
    let (old, both, new) = (sealer(&[(1, 1)]), sealer(&[(2, 2), (1, 1)]), sealer(&[(2, 2)]));
    let before = old.seal("session-42", &alice(), NOW).unwrap();
    let after = both.seal("session-42", &alice(), NOW).unwrap();
    assert!(both.open(&before, &alice(), NOW).is_ok());
    assert!(new.open(&after, &alice(), NOW).is_ok());
    assert_eq!(new.open(&before, &alice(), NOW), Err(SessionError));
    assert_eq!(old.open(&after, &alice(), NOW), Err(SessionError));
    let other_key_of_that_id = sealer(&[(1, 9)]);
    assert_eq!(other_key_of_that_id.open(&before, &alice(), NOW), Err(SessionError));
    let same_key_in_another_place = sealer(&[(3, 7), (2, 1)]);
    assert!(same_key_in_another_place.open(&before, &alice(), NOW).is_ok(), "a key is known by itself");
}

#[test]
fn s13_keys_that_look_alike_are_tried_in_turn() {
    // A byte tells 256 keys apart at most.
    let seals = |byte: u8| sealer(&[(1, byte)]).seal("session-42", &alice(), NOW).unwrap();
    let hint = |sealed: &str| sealed[..1].to_owned();
    let first = seals(0);
    let twin = (1..=255).find(|byte| hint(&seals(*byte)) == hint(&first)).expect("64 characters, 255 keys");
    for ring in [[(1, 0), (2, twin)], [(1, twin), (2, 0)]] {
        assert!(sealer(&ring).open(&first, &alice(), NOW).is_ok());
        assert!(sealer(&ring).open(&seals(twin), &alice(), NOW).is_ok());
    }
}

#[test]
fn s09_an_event_is_of_its_caller_and_session_and_is_no_session() {
    let (sealer, alice) = (sealer(&[(7, 1)]), alice());
    let of_one = alice.of_events(Some("one"));
    let text = sealer.seal_event("stream-1_42", &of_one, NOW).unwrap();
    assert_eq!(sealer.open(&text, &of_one, NOW).as_deref(), Ok("stream-1_42"));
    let mallory = binding("https://idp.example", "mallory", Some("desk"), "uid-1");
    for other in [alice.of_events(Some("two")), alice.of_events(None), mallory.of_events(Some("one")), alice.clone()] {
        assert_eq!(sealer.open(&text, &other, NOW), Err(SessionError), "{other:?}");
    }
    let session = sealer.seal("one", &alice, NOW).unwrap();
    assert_eq!(sealer.open(&session, &of_one, NOW), Err(SessionError));
    for odd in ["", "a\0b", "a\u{7f}", &"x".repeat(513)] {
        assert_eq!(sealer.seal_event(odd, &of_one, NOW), Err(SealError::UpstreamId), "{odd:?}");
    }
    assert!(sealer.seal_event("ereignis ä", &of_one, NOW).is_ok());
}

#[test]
fn servers_ids_that_no_header_may_carry_are_refused() {
    let sealer = sealer(&[(7, 1)]);
    for id in ["", "a b", "a\nb", "sitzung-ä", "\u{7f}", &"x".repeat(513)] {
        assert_eq!(sealer.seal(id, &alice(), NOW), Err(SealError::UpstreamId), "{id:?}");
    }
}

#[test]
fn key_files_hold_exactly_32_bytes() {
    let directory = tempfile::tempdir().unwrap();
    let config = |bytes: &[u8]| {
        let file = directory.path().join(bytes.len().to_string());
        std::fs::write(&file, bytes).unwrap();
        SessionConfig {
            keys: vec![SessionKey { id: 4, file }],
            max_age_seconds: MAX_AGE,
            bounds: SessionBounds::STANDARD,
        }
    };
    let text = sealer(&[(4, 5)]).seal("a", &alice(), NOW).unwrap();
    let loaded = SessionSealer::new(&SessionKeys::load(&config(&[5; 32])).unwrap(), MAX_AGE).unwrap();
    assert!(loaded.open(&text, &alice(), NOW).is_ok());
    for length in [0, 31, 33, 4096] {
        let error = SessionKeys::load(&config(&vec![5; length])).unwrap_err();
        assert!(matches!(error, SessionKeyError::WrongLength { id: 4, .. }), "{error}");
    }
    let mut missing = config(&[5; 32]);
    missing.keys[0].file.push("missing");
    assert!(matches!(SessionKeys::load(&missing), Err(SessionKeyError::Unreadable { id: 4, .. })));
    let mut twice = config(&[5; 32]);
    twice.keys.push(twice.keys[0].clone());
    assert!(matches!(SessionKeys::load(&twice), Err(SessionKeyError::DuplicateId(4))));
}

#[test]
fn without_configured_keys_every_process_has_its_own() {
    let config = SessionConfig { keys: Vec::new(), max_age_seconds: MAX_AGE, bounds: SessionBounds::STANDARD };
    let [one, other] = [0, 1].map(|_| SessionSealer::new(&SessionKeys::load(&config).unwrap(), MAX_AGE).unwrap());
    let text = one.seal("a", &alice(), NOW).unwrap();
    assert!(one.open(&text, &alice(), NOW).is_ok());
    assert_eq!(other.open(&text, &alice(), NOW), Err(SessionError));
}

#[test]
fn debug_shows_ids_and_no_key() {
    let keys = SessionKeys::new([(4, [0xAB; 32])]).unwrap();
    assert_eq!(format!("{keys:?}"), "[4]");
    let sealer = SessionSealer::new(&keys, MAX_AGE).unwrap();
    assert_eq!(format!("{sealer:?}"), "SessionSealer { keys: [4], max_age_seconds: 3600 }");
}

proptest! {
    #[test]
    fn no_change_of_a_sealed_id_opens(position in 0..60_usize, replacement in "[A-Za-z0-9_-]") {
        let sealer = sealer(&[(7, 1), (8, 2)]);
        let text = sealer.seal("session-42", &alice(), NOW).unwrap();
        let position = position % text.len();
        let mut forged = text.clone();
        forged.replace_range(position..=position, &replacement);
        prop_assert_eq!(sealer.open(&forged, &alice(), NOW).is_ok(), forged == text);
    }

    #[test]
    fn arbitrary_text_never_opens_and_never_panics(text in ".{0,200}") {
        prop_assert_eq!(sealer(&[(7, 1)]).open(&text, &alice(), NOW), Err(SessionError));
    }
}
