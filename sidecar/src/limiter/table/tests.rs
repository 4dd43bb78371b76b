//! What is forgotten, what is refused when there is no room, and what memory follows.

use super::{Room, SHARDS, Table};
use crate::limiter::{Cause, Refused};
use proptest::prelude::*;
use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;
use tollward_policy::limits::Rate;

const SECOND: u64 = 1_000_000_000;

/// `burst` at once, one a second.
fn rate(burst: u32) -> Rate {
    let window = Duration::from_mins(1);
    Rate { requests: burst + 60, window, burst: NonZeroU32::new(burst).unwrap(), emission: Duration::from_secs(1) }
}

fn table(keys: usize) -> Table {
    Table::new(keys, Arc::new(Room::new(keys)))
}

#[test]
fn a_budget_in_use_is_never_forgotten_however_many_callers_come() {
    let (table, rate) = (table(10 * SHARDS), rate(3));
    for _ in 0..3 {
        table.charge("attacker", &rate, 1, 0).unwrap();
    }
    let full = (0..100_000).filter(|number| table.charge(&number.to_string(), &rate, 1, 0).is_err()).count();
    assert!(full > 90_000 && table.keys() <= 10 * SHARDS, "{full} refused, {} kept", table.keys());
    assert!(matches!(table.charge("attacker", &rate, 1, 0), Err(Refused { cause: Cause::Exceeded, .. })));
    for turn in 0..SHARDS {
        table.tidy(turn, SECOND);
    }
    assert!(
        matches!(table.charge("attacker", &rate, 2, SECOND), Err(Refused { cause: Cause::Exceeded, .. })),
        "one of three is refilled"
    );
    assert!(table.charge("attacker", &rate, 1, SECOND).is_ok());
}

#[test]
fn a_newcomer_without_room_is_told_when_the_first_count_is_refilled() {
    let (table, rate) = (table(SHARDS), rate(5));
    let mut refused = None;
    for number in 0..10_000 {
        if let Err(Refused { cause: Cause::Full, wait }) = table.charge(&format!("caller {number}"), &rate, 2, 0) {
            refused = Some((number, wait));
            break;
        }
    }
    let (number, wait) = refused.expect("a shard is full");
    assert_eq!(wait, Duration::from_secs(2));
    let newcomer = format!("caller {number}");
    assert!(table.charge(&newcomer, &rate, 1, 2 * SECOND - 1).is_err());
    assert!(table.charge(&newcomer, &rate, 1, 2 * SECOND).is_ok());
}

#[test]
fn tables_share_their_room_and_give_it_back() {
    let room = Arc::new(Room::new(100));
    let (one, other, rate) = (Table::new(1000, room.clone()), Table::new(1000, room.clone()), rate(1));
    for number in 0..100 {
        one.charge(&number.to_string(), &rate, 1, 0).unwrap();
    }
    assert!(matches!(other.charge("a", &rate, 1, 0), Err(Refused { cause: Cause::Full, .. })));
    one.refund("7", &rate, 1, Duration::MAX, 0);
    assert!(other.charge("a", &rate, 1, 0).is_ok(), "a refund that leaves nothing owed frees its place");
    drop(one);
    for number in 0..99 {
        other.charge(&number.to_string(), &rate, 1, 0).unwrap();
    }
    assert!(other.charge("b", &rate, 1, 0).is_err());
    for turn in 0..SHARDS {
        other.tidy(turn, SECOND);
    }
    assert!(other.keys() == 0 && other.charge("b", &rate, 1, SECOND).is_ok());
}

#[test]
fn memory_follows_the_callers_that_owe_something() {
    let (table, rate) = (table(1_000_000), rate(1));
    let capacity = || -> usize { table.shards.iter().map(|shard| shard.lock().unwrap().arrivals.capacity()).sum() };
    for number in 0..50_000 {
        table.charge(&number.to_string(), &rate, 1, 0).unwrap();
    }
    assert!(capacity() >= 50_000);
    // Others come, ten at a time, for hours.
    for number in 0..50_000_u64 {
        table.charge(&format!("later {number}"), &rate, 1, SECOND + number * SECOND / 10).unwrap();
    }
    assert!(capacity() < 200_000, "{}", capacity());
    for turn in 0..SHARDS {
        table.tidy(turn, 10_000 * SECOND);
    }
    assert!(table.keys() == 0 && capacity() <= 64 * SHARDS, "{}", capacity());
}

/// One step of a history.
#[derive(Debug, Clone)]
enum Step {
    Charge { key: u8, cost: u32 },
    Refund,
    Wait(u64),
    Tidy(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0u8..40, 1u32..4).prop_map(|(key, cost)| Step::Charge { key, cost }),
        1 => Just(Step::Refund),
        2 => (0u64..3 * SECOND).prop_map(Step::Wait),
        1 => (0usize..SHARDS).prop_map(Step::Tidy),
    ]
}

proptest! {
    /// A table with hardly any room says of every charge what one with all the room in the world says, or that it is full;
    /// and what it said it was full for is as if it had not been asked.
    #[test]
    fn a_small_table_forgets_nothing_that_matters(steps in prop::collection::vec(step(), 1..300), burst in 3u32..6) {
        let (small, rate) = (table(SHARDS), rate(burst));
        let mut reference: HashMap<u8, u64> = HashMap::new();
        let (mut now, mut last) = (0, None);
        for step in steps {
            match step {
                Step::Wait(time) => now += time,
                Step::Tidy(turn) => small.tidy(turn, now),
                Step::Refund => {
                    if let Some((key, cost, charged)) = last.take() {
                        let left = Duration::from_nanos(u64::saturating_sub(charged, now));
                        small.refund(&format!("{key}"), &rate, cost, left, now);
                        let arrival: &mut u64 = reference.get_mut(&key).unwrap();
                        *arrival = rate.give_back(*arrival, cost, left);
                    }
                }
                Step::Charge { key, cost } => {
                    let arrival = reference.get(&key).copied().unwrap_or_default();
                    match (small.charge(&format!("{key}"), &rate, cost, now), rate.admit(arrival, now, cost)) {
                        (Err(Refused { cause: Cause::Full, .. }), _) => prop_assert!(arrival <= now, "a live count is never refused for room"),
                        (Ok(got), Ok(expected)) => {
                            prop_assert_eq!(got, expected);
                            reference.insert(key, expected.arrival);
                            last = Some((key, cost, expected.arrival));
                        }
                        (Err(Refused { cause: Cause::Exceeded, wait: got }), Err(expected)) => prop_assert_eq!(got, expected),
                        (got, expected) => prop_assert!(false, "{:?} instead of {:?}", got, expected),
                    }
                }
            }
        }
    }
}
