//! Counting pods, and when another number is written. Time is that of the test.

use super::{CALM, START, Seen, Sharing, after};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

const NAME: &str = "uid";

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn number(replicas: u32) -> NonZeroU32 {
    NonZeroU32::new(replicas).unwrap()
}

/// A pod that was made at that time.
fn pod(made: i64, status: &Value) -> Arc<Pod> {
    let object = json!({"metadata": {"name": "p", "creationTimestamp": at(made).to_string()}, "status": status});
    Arc::new(serde_json::from_value(object).unwrap())
}

fn ready(made: i64) -> Arc<Pod> {
    pod(made, &json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}))
}

fn unready(made: i64) -> Arc<Pod> {
    pod(made, &json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "False"}]}))
}

fn ending(pod: &Arc<Pod>) -> Arc<Pod> {
    let mut pod = Pod::clone(pod);
    pod.metadata.deletion_timestamp = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(at(0)));
    Arc::new(pod)
}

fn count(pods: &[Arc<Pod>], now: i64) -> u32 {
    Seen::of(pods, None, at(now)).replicas
}

#[test]
fn pods_count_while_they_can_get_calls_or_are_about_to() {
    assert_eq!(count(&[], 0), 0);
    assert_eq!(count(&[ready(-9000), ready(-1)], 0), 2);
    assert_eq!(count(&[ending(&ready(-9000))], 0), 1, "calls still come over its connections");
    assert_eq!(count(&[ending(&unready(-9000)), ending(&unready(-1))], 0), 0);
    assert_eq!(count(&[unready(-9000)], 0), 0, "crashed, or its node is lost");
    let over = json!({"phase": "Failed", "conditions": [{"type": "Ready", "status": "True"}]});
    assert_eq!(count(&[pod(-1, &over)], 0), 0);
    let pending = pod(0, &json!({"phase": "Pending"}));
    let start = i64::try_from(START.as_secs()).unwrap();
    assert_eq!([0, start - 1, start].map(|now| count(std::slice::from_ref(&pending), now)), [1, 1, 0]);
}

#[test]
fn what_the_specification_wants_counts_until_the_deployment_is_told() {
    assert_eq!(Seen::of(&[ready(0)], Some(4), at(9)).replicas, 4);
    assert_eq!(Seen::of(&[ready(0), ready(0)], Some(1), at(9)).replicas, 2, "never less than there are");
}

#[test]
fn a_pod_that_never_gets_ready_is_looked_at_again_when_it_stops_counting() {
    let sharing = Sharing::default();
    let seen = Seen::of(&[ready(0), unready(5)], None, at(10));
    assert_eq!(sharing.settle(NAME, number(2), seen, at(10)), number(2));
    let again = sharing.next_look(NAME, at(10)).unwrap();
    assert_eq!(again + Duration::from_secs(5), START + Duration::from_millis(100));
    assert_eq!(sharing.next_look(NAME, at(10)), None, "told once");
}

/// A server's number as the operator writes it.
struct Server {
    sharing: Sharing,
    in_force: NonZeroU32,
    written: u32,
}

impl Server {
    fn with(replicas: u32) -> Self {
        Self { sharing: Sharing::default(), in_force: number(replicas), written: 0 }
    }

    fn look(&mut self, pods: &[Arc<Pod>], now: i64) -> u32 {
        let settled = self.sharing.settle(NAME, self.in_force, Seen::of(pods, None, at(now)), at(now));
        self.written += u32::from(settled != self.in_force);
        self.in_force = settled;
        settled.get()
    }
}

fn many(replicas: usize) -> Vec<Arc<Pod>> {
    vec![ready(-9000); replicas]
}

#[test]
fn replicas_are_counted_at_once_and_discounted_after_a_calm_time() {
    let calm = i64::try_from(CALM.as_secs()).unwrap();
    let mut server = Server::with(2);
    assert_eq!(server.look(&many(4), 0), 4);
    assert_eq!([server.look(&many(2), 10), server.look(&many(2), 10 + calm - 1)], [4, 4]);
    assert_eq!(server.sharing.next_look(NAME, at(10 + calm - 1)), Some(Duration::from_millis(1100)));
    assert_eq!(server.look(&many(2), 10 + calm), 2);
    assert_eq!(server.sharing.next_look(NAME, at(10 + calm)), None);
    assert_eq!((server.look(&[], 9000), server.written), (2, 2), "without any replica nothing is rewritten");
}

#[test]
fn a_pod_that_comes_and_goes_rewrites_nothing() {
    let mut server = Server::with(3);
    for second in 0..3600 {
        assert_eq!(server.look(&many(if second % 20 < 15 { 2 } else { 3 }), second), 3);
    }
    assert_eq!(server.written, 0);
}

#[test]
fn a_rollout_is_written_once_when_it_begins_and_once_when_it_is_over() {
    let mut server = Server::with(10);
    for second in 0..200 {
        // One more at a time, each ready after seven seconds.
        let surge = second < 100 && second % 10 < 7;
        server.look(&many(if surge { 11 } else { 10 }), second);
    }
    assert_eq!((server.in_force, server.written), (number(10), 2));
}

#[test]
fn the_most_that_was_seen_in_the_calm_time_is_what_is_left() {
    let mut server = Server::with(9);
    for (second, replicas) in [(0, 3), (10, 5), (20, 4), (29, 3), (30, 2)] {
        let settled = server.look(&many(replicas), second);
        assert_eq!(settled, if second < 30 { 9 } else { 5 });
    }
    assert_eq!(server.look(&many(2), 60), 2);
}

#[test]
fn a_clock_that_is_set_back_puts_nothing_off_for_longer_than_the_calm_time() {
    let mut server = Server::with(2);
    assert_eq!(server.look(&many(1), 100_000), 2);
    assert_eq!(server.look(&many(1), 0), 2);
    assert_eq!(server.look(&many(1), 30), 1);
}

#[test]
fn a_server_that_is_gone_leaves_nothing_behind() {
    let mut server = Server::with(2);
    server.look(&many(2), 0);
    assert!(server.sharing.0.lock().unwrap().is_empty(), "nor one that nothing is to be done about");
    server.look(&many(1), 0);
    server.sharing.retain(&[NAME.to_owned()].into());
    assert_eq!(server.sharing.0.lock().unwrap().len(), 1);
    server.sharing.retain(&["another".to_owned()].into());
    assert!(server.sharing.0.lock().unwrap().is_empty());
    server.look(&many(1), 0);
    server.sharing.forget(NAME);
    assert!(server.sharing.0.lock().unwrap().is_empty());
    assert_eq!(server.sharing.next_look(NAME, at(0)), None);
}

proptest! {
    /// Whatever pods do and whenever somebody looks: no part is larger than one of as many as there are, and one that stays
    /// away leaves its part to the others in the end.
    #[test]
    fn a_part_is_never_larger_than_its_share(history in prop::collection::vec((0u32..40, 0usize..8), 1..60), last in 1usize..8) {
        let mut server = Server::with(1);
        let mut now = 0;
        for (pause, replicas) in history {
            now += i64::from(pause);
            let settled = server.look(&many(replicas), now);
            prop_assert!(settled >= u32::try_from(replicas).unwrap());
        }
        for _ in 0..3 {
            server.look(&many(last), now);
            now = after(at(now), CALM).duration_since(at(0)).as_secs();
        }
        prop_assert_eq!(server.look(&many(last), now), u32::try_from(last).unwrap());
    }
}
