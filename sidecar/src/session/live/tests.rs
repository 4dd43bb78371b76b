//! Cases S12 and R17 as far as they are about counting.

use super::{Full, IDLE, Sessions, counted_as};
use crate::session::Binding;
use proptest::prelude::*;
use tollward_policy::config::{ServerRef, SessionBounds};
use tollward_policy::principal::Principal;

const NOW: i64 = 1_800_000_000;

const BOUNDS: SessionBounds =
    SessionBounds { max_sessions_per_client: 3, max_sessions: 5, max_streams_per_client: 2, max_streams: 3 };

/// Begins sessions until one is refused.
fn fill(sessions: &Sessions, client: &str, now: i64) -> (usize, Full) {
    for number in 0.. {
        match sessions.open(client, &BOUNDS, now) {
            Ok(place) => sessions.began(&format!("{client}-{now}-{number}"), place, now),
            Err(full) => return (number, full),
        }
    }
    unreachable!("a bound is reached")
}

#[test]
fn s12_a_client_has_its_bound_of_sessions_and_all_have_theirs() {
    let sessions = Sessions::new();
    assert_eq!(fill(&sessions, "alice", NOW), (3, Full::Client));
    assert_eq!(fill(&sessions, "bob", NOW), (2, Full::Server));
    assert_eq!(fill(&sessions, "carol", NOW), (0, Full::Server));
    assert_eq!(sessions.known(), 5);
}

#[test]
fn s12_a_million_attempts_leave_no_more_memory_than_the_bound() {
    let sessions = Sessions::new();
    fill(&sessions, "mallory", NOW);
    for second in 0..1_000 {
        for _ in 0..1_000 {
            assert_eq!(sessions.open("mallory", &BOUNDS, NOW + second % 60).err(), Some(Full::Client));
        }
    }
    assert_eq!((sessions.known(), sessions.by_client.keys(), sessions.all.keys()), (3, 1, 1));
}

#[test]
fn a_place_that_no_session_followed_is_free_again() {
    let sessions = Sessions::new();
    for _ in 0..100 {
        drop(sessions.open("alice", &BOUNDS, NOW).unwrap());
    }
    assert_eq!(fill(&sessions, "alice", NOW).0, 3);
}

#[test]
fn a_session_that_ended_makes_room_and_one_that_is_in_use_stays() {
    let sessions = Sessions::new();
    fill(&sessions, "alice", NOW);
    let first = sessions.resume(&format!("alice-{NOW}-0"), "alice", &BOUNDS, NOW).unwrap();
    sessions.ended(&first);
    assert_eq!(fill(&sessions, "alice", NOW + 1).0, 1);
    let used = sessions.resume(&format!("alice-{NOW}-1"), "alice", &BOUNDS, NOW).unwrap();
    // Two were unused for too long, one still has a message under way.
    assert_eq!(fill(&sessions, "alice", NOW + IDLE + 2).0, 2);
    drop(used);
    assert_eq!(fill(&sessions, "alice", NOW + 2 * IDLE + 2).0, 0, "its use counts until it ended");
    assert_eq!(fill(&sessions, "alice", NOW + 2 * IDLE + 4).0, 3);
}

#[test]
fn a_session_that_is_not_known_here_takes_a_place_once() {
    let sessions = Sessions::new();
    for _ in 0..10 {
        sessions.resume("from elsewhere", "alice", &BOUNDS, NOW).unwrap();
    }
    assert_eq!(fill(&sessions, "alice", NOW).0, 2);
    assert_eq!(sessions.resume("another", "alice", &BOUNDS, NOW).err(), Some(Full::Client));
    assert!(sessions.resume("from elsewhere", "alice", &BOUNDS, NOW).is_ok(), "who is in stays in");
}

#[test]
fn lowered_bounds_push_nobody_out() {
    let sessions = Sessions::new();
    fill(&sessions, "alice", NOW);
    let lower = SessionBounds { max_sessions_per_client: 1, max_sessions: 1, ..BOUNDS };
    assert_eq!(sessions.open("bob", &lower, NOW + 1).err(), Some(Full::Server));
    assert!(sessions.resume(&format!("alice-{NOW}-0"), "alice", &lower, NOW).is_ok());
}

#[test]
fn r17_streams_are_bounded_for_a_client_and_for_all_and_come_back() {
    let sessions = Sessions::new();
    let first = sessions.stream("alice", &BOUNDS).unwrap();
    let _second = sessions.stream("alice", &BOUNDS).unwrap();
    assert_eq!(sessions.stream("alice", &BOUNDS).err(), Some(Full::Client));
    let _third = sessions.stream("bob", &BOUNDS).unwrap();
    assert_eq!(sessions.stream("carol", &BOUNDS).err(), Some(Full::Server));
    drop(first);
    assert!(sessions.stream("carol", &BOUNDS).is_ok());
    assert!(sessions.stream("alice", &BOUNDS).is_ok());
}

#[test]
fn callers_without_a_token_are_counted_by_address() {
    let server = ServerRef { namespace: "shop".into(), name: "catalog".into(), uid: "uid".into() };
    let binding = Binding::new(&Principal::Anonymous, &server);
    let [one, other] = ["192.0.2.1", "192.0.2.2"].map(|address| counted_as(&binding, &Principal::Anonymous, address));
    assert_ne!(one, other);
}

proptest! {
    #[test]
    fn whatever_happens_there_are_never_more_than_the_bounds(
        steps in prop::collection::vec((0..4_u8, 0..3_u8, 0..6_u8, 0..600_i64), 1..200)
    ) {
        let sessions = Sessions::new();
        let (mut now, mut used) = (NOW, Vec::new());
        for (what, who, which, later) in steps {
            now += later;
            let (client, id) = (format!("client-{who}"), format!("{who}-{which}"));
            match what {
                0 => if let Ok(place) = sessions.open(&client, &BOUNDS, now) { sessions.began(&id, place, now) },
                1 => used.extend(sessions.resume(&id, &client, &BOUNDS, now)),
                2 => if let Some(session) = used.pop() { sessions.ended(&session) },
                _ => used.clear(),
            }
            prop_assert!(sessions.known() <= 5);
            prop_assert_eq!(sessions.all.count("") as usize, sessions.known());
            for client in ["client-0", "client-1", "client-2"] {
                prop_assert!(sessions.by_client.count(client) <= 3);
            }
        }
    }
}
