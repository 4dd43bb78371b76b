//! Everything that can be wrong with a store, for each thing that a policy can decide then.

use crate::scene::{PATIENT, Scene, limit, policy, set, store};
use futures_util::future::join_all;
use serde_json::Value;
use std::time::{Duration, Instant};
use tollward_tests::client::Wire;
use tollward_tests::real::store::{Kind, Store};

/// Short enough to be felt, long enough for a loaded machine.
const DEADLINE: u32 = 250;

/// Three data planes that count in one store and decide differently.
struct Trio {
    denying: Scene,
    local: Scene,
    allowing: Scene,
}

impl Trio {
    async fn new(server: &Store) -> Self {
        let scene = |on_failure| {
            let store = store(&server.url(), on_failure, DEADLINE);
            async move { Scene::new(&store, 5000).await }
        };
        Self { denying: scene("Deny").await, local: scene("Local").await, allowing: scene("Allow").await }
    }

    /// Every policy gets what it decided for, within the deadline; the first calls may still find a connection that looks good.
    async fn decide(&self, what: &str) {
        let wait = Duration::from_millis(u64::from(DEADLINE)) + Duration::from_millis(1500);
        let started = Instant::now();
        let class = self.denying.is_unavailable("alice").await;
        assert!(!class.is_empty() && started.elapsed() < wait, "{what}: {class} after {:?}", started.elapsed());
        let started = Instant::now();
        let (reply, state) = self.local.passes("alice").await;
        assert_eq!(state.counted_by, Some("replicaForStore"), "{what}: {state:?}");
        assert!(reply.header("ratelimit").starts_with("\"standard/calls\";r="), "{what}");
        assert!(started.elapsed() < wait, "{what}: {:?}", started.elapsed());
        let started = Instant::now();
        let (reply, state) = self.allowing.passes("alice").await;
        assert_eq!(state.counted_by, Some("nobody"), "{what}: {state:?}");
        assert!(reply.headers.get("ratelimit").is_none(), "{what}: nothing was counted, so nothing is said");
        assert!(started.elapsed() < wait, "{what}: {:?}", started.elapsed());
    }

    /// All are counted in the store again, without a restart.
    async fn recover(&self, what: &str) {
        for scene in [&self.denying, &self.local, &self.allowing] {
            scene.counts().await;
            let (_, state) = scene.passes("alice").await;
            assert_eq!(state.counted_by, Some("store"), "{what}: {state:?}");
        }
    }

    fn end(self) {
        for scene in [self.denying, self.local, self.allowing] {
            scene.world.end();
        }
    }
}

/// What breaks a store, what mends it, and what the operator is told then.
const CASES: [(&str, &str, &str); 4] = [
    ("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE", "read-only"),
    ("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0", "maxmemory"),
    ("CONFIG SET min-replicas-to-write 1", "CONFIG SET min-replicas-to-write 0", "NOREPLICAS"),
    ("ACL SETUSER default -evalsha", "ACL SETUSER default +evalsha", "+evalsha"),
];

async fn each_failure(kind: Kind) {
    let mut server = Store::start(kind).await;
    let trio = Trio::new(&server).await;
    trio.recover("at the start").await;
    for (broken, mended, told) in CASES {
        server.tell(broken).await;
        trio.decide(broken).await;
        let error = trio.denying.fails().await;
        assert!(error.contains(told), "{broken}: {error}");
        server.tell(mended).await;
        trio.recover(mended).await;
    }
    server.pause();
    trio.decide("paused").await;
    server.resume();
    trio.recover("resumed").await;
    server.tell("SCRIPT FLUSH").await;
    trio.recover("scripts flushed").await;
    server.kill();
    trio.decide("killed").await;
    let metrics = trio.denying.world.sidecar.metrics();
    assert!(metrics.contains("tollward_ratelimit_store_up"), "{metrics}");
    assert!(metrics.contains("tollward_ratelimit_store_fallbacks_total"), "{metrics}");
    server.again().await;
    trio.recover("started again").await;
    trio.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn each_policy_gets_what_it_decided_for_in_each_failure_of_redis_and_all_recover() {
    each_failure(Kind::Redis).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_policy_gets_what_it_decided_for_in_each_failure_of_valkey_and_all_recover() {
    each_failure(Kind::Valkey).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_fails_gives_nobody_a_new_part_and_no_more_than_the_replicas_part() {
    let mut server = Store::start(Kind::Valkey).await;
    let policies = [policy(&store(&server.url(), "Local", PATIENT), &[limit(20)])];
    let scene = Scene::with(|config, _| {
        set(config, &policies);
        config.routes[0].replicas = 2.try_into().unwrap();
    })
    .await;
    scene.counts().await;
    for _ in 0..6 {
        let (_, state) = scene.passes("alice").await;
        assert_eq!(state.counted_by, Some("store"));
    }
    server.kill();
    scene.fails().await;
    for _ in 0..4 {
        let (_, state) = scene.passes("alice").await;
        assert_eq!((state.counted_by, state.burst), (Some("replicaForStore"), 10));
    }
    scene.is_limited("alice").await;
    scene.world.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn many_calls_at_once_hold_their_deadline_while_the_store_hangs_and_then_wait_no_more() {
    let server = Store::start(Kind::Redis).await;
    let scene = Scene::new(&store(&server.url(), "Deny", DEADLINE), 5000).await;
    scene.counts().await;
    server.pause();
    let calls = (0..40).map(|_| async {
        let reply = scene.world.send(Wire::Http1, &scene.call("alice")).await;
        assert_eq!(reply.status, 503);
    });
    join_all(calls).await;
    scene.fails().await;
    let started = Instant::now();
    for _ in 0..20 {
        scene.is_unavailable("alice").await;
    }
    let limit = Duration::from_millis(u64::from(DEADLINE)) * 10;
    assert!(started.elapsed() < limit, "a store that is known to be down is not waited for: {:?}", started.elapsed());
    server.resume();
    scene.counts().await;
    scene.passes("alice").await;
    scene.world.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_of_the_replica_itself_go_on_beside_a_store_that_fails() {
    let mut server = Store::start(Kind::Valkey).await;
    let mut own: Value = policy(&Value::Null, &[limit(3)]);
    own["policy"] = "own".into();
    own.as_object_mut().unwrap().remove("store");
    let policies = [policy(&store(&server.url(), "Allow", DEADLINE), &[limit(5000)]), own];
    let scene = Scene::with(|config, _| set(config, &policies)).await;
    scene.counts().await;
    let (reply, _) = scene.passes("alice").await;
    assert!(reply.header("ratelimit").contains("\"own/calls\";r=2"), "{}", reply.header("ratelimit"));
    server.kill();
    scene.fails().await;
    let (reply, _) = scene.passes("bob").await;
    assert!(reply.header("ratelimit").contains("\"own/calls\";r=2"), "{}", reply.header("ratelimit"));
    scene.passes("bob").await;
    scene.passes("bob").await;
    let (_, state) = scene.is_limited("bob").await;
    assert_eq!(state.limit, "own/calls");
    scene.world.end();
}
