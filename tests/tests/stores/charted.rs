//! The Valkey that the chart brings, as its files make it: whom it lets in to what, what becomes of it when it is full, and
//! what it remembers.

use crate::scene::{PATIENT, Scene, limit, policy, set, store};
use futures_util::future::join_all;
use serde_json::json;
use tollward_policy::config::{Allowance, Scheme};
use tollward_tests::client::{Connection, Wire};
use tollward_tests::clock::TestClock;
use tollward_tests::config::ConfigFile;
use tollward_tests::deadline::{eventually, within};
use tollward_tests::real::charted::Charted;
use tollward_tests::sidecar::Sidecar;

/// A data plane of the namespace `shop`, with what the namespace's Secret mounts into it.
async fn counting_in(server: &Charted, burst: u32) -> Scene {
    Scene::with(|config, file| {
        let mut store = store(&server.url(), "Deny", PATIENT);
        for (field, part) in [("usernameFile", "username"), ("passwordFile", "password"), ("caFile", "ca.crt")] {
            store[field] = json!(file.beside(part, server.credential("shop", part)));
        }
        // The addresses of its name.
        for cidr in ["127.0.0.0/8", "::1/128"] {
            config.process.dial.allow.push(Allowance { cidr: cidr.parse().unwrap(), scheme: Scheme::Https });
        }
        set(config, &[policy(&store, &[limit(burst)])]);
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_share_one_count_and_not_a_call_more_passes() {
    let server = Charted::start(&[]).await;
    let scene = counting_in(&server, 20).await;
    scene.counts().await;
    let mut config = scene.world.sidecar.config.current().clone();
    config.process.report = None;
    config.routes[0].replicas = 2.try_into().unwrap();
    let other = Sidecar::start(ConfigFile::new(config), TestClock::default()).await.expect("a second replica");
    other.ready().await;
    let call = scene.call("alice");
    let replicas = [scene.world.sidecar.public, other.public];
    let calls = (0..40).map(|number| {
        let (call, replica) = (&call, number % 2);
        async move {
            let connection = Connection::plain(Wire::Http1, replicas[replica]).await;
            let opened = connection.send_only(call.request(Wire::Http1)).await.expect("an answer");
            (replica, opened.whole().await.expect("a whole answer").status.as_u16())
        }
    });
    let answers = within("all are answered", join_all(calls)).await;
    let passed = |which: usize| answers.iter().filter(|answer| **answer == (which, 200)).count();
    assert_eq!(passed(0) + passed(1), 20, "{answers:?}");
    assert!(passed(0) > 0 && passed(1) > 0, "{answers:?}");
    assert!(answers.iter().all(|(_, status)| [200, 429].contains(status)), "{answers:?}");
    let (_, state) = scene.is_limited("alice").await;
    assert!(state.exceeded && state.counted_by == Some("store"), "{state:?}");
    scene.world.end();
}

/// What the user of a namespace is refused, each as a line of words.
const REFUSED: &[&str] = &[
    "CONFIG GET *",
    "CONFIG SET maxmemory 0",
    "FLUSHALL",
    "FLUSHDB",
    "KEYS *",
    "SCAN 0",
    "RANDOMKEY",
    "DBSIZE",
    "SCRIPT FLUSH",
    "SCRIPT LOAD return",
    "SCRIPT KILL",
    "FUNCTION LIST",
    "FCALL any 0",
    "ACL LIST",
    "ACL WHOAMI",
    "ACL SETUSER tollward-shop allkeys",
    "CLIENT LIST",
    "CLIENT KILL TYPE normal",
    "DEBUG SLEEP 0",
    "MODULE LIST",
    "MONITOR",
    "INFO",
    "COMMAND LIST",
    "LATENCY RESET",
    "SLOWLOG GET",
    "MEMORY STATS",
    "REPLICAOF localhost 1",
    "FAILOVER",
    "SHUTDOWN NOSAVE",
    "SAVE",
    "BGREWRITEAOF",
    "SELECT 1",
    "SWAPDB 0 1",
    "PUBLISH news x",
    "SUBSCRIBE news",
    "MULTI",
    "WAIT 1 0",
    "INCR {tollward:shop}:a",
    "RENAME {tollward:shop}:a {tollward:shop}:b",
    "DUMP {tollward:shop}:a",
    "EXPIRE {tollward:shop}:a 1",
    // Keys of others, in every way that leads to them.
    "GET {tollward:other}:a",
    "SET {tollward:other}:a 1",
    "DEL {tollward:other}:a",
    "GET {tollward:shop",
    "GET {tollward:shop}",
    "GET {tollward:shopping}:a",
    "EVAL return(redis.call('GET',KEYS[1])) 1 {tollward:other}:a",
    "EVAL return(redis.call('GET',ARGV[1])) 0 {tollward:other}:a",
    "EVAL return(redis.call('FLUSHALL')) 0",
    "EVAL return(redis.call('KEYS','*')) 0",
    "EVAL return(redis.call('CONFIG','GET','*')) 0",
];

#[tokio::test]
async fn the_user_of_a_namespace_may_count_there_and_nothing_else() {
    let server = Charted::start(&[]).await;
    assert!(server.tell_as("other", &["SET", "{tollward:other}:a", "kept"]).starts_with("OK"));
    for line in REFUSED {
        let words: Vec<&str> = line.split(' ').collect();
        let answer = server.tell_as("shop", &words);
        // Some commands are closed to everybody before anybody looks at users.
        let refused = ["NOPERM", "ACL failure in script", "not allowed"].iter().any(|why| answer.contains(why));
        assert!(refused, "{line}: {answer}");
    }
    assert!(server.tell_as("shop", &["SET", "{tollward:shop}:a", "1"]).starts_with("OK"), "its own it may");
    assert_eq!(server.tell_as("other", &["GET", "{tollward:other}:a"]).trim(), "kept");
    let stolen = (server.credential("shop", "username"), server.credential("other", "password"));
    assert!(server.tell(Some(stolen), &["PING"]).contains("WRONGPASS"), "each namespace has a password of its own");
}

#[tokio::test]
async fn whoever_does_not_log_in_gets_nothing_and_the_probes_user_gets_an_answer_alone() {
    let server = Charted::start(&[]).await;
    for words in [&["PING"][..], &["GET", "{tollward:shop}:a"], &["INFO"], &["EVAL", "return 1", "0"]] {
        assert!(server.tell(None, words).contains("NOAUTH"), "{words:?}: {}", server.tell(None, words));
    }
    for password in ["", "default", "probe"] {
        assert!(server.tell(Some(("default", password)), &["PING"]).contains("WRONGPASS"), "{password:?}");
    }
    let probe = Some(("probe", "probe"));
    assert!(server.tell(probe, &["PING"]).contains("PONG"));
    for words in [&["GET", "{tollward:shop}:a"][..], &["EVAL", "return 1", "0"], &["ACL", "WHOAMI"], &["INFO"]] {
        assert!(server.tell(probe, words).contains("NOPERM"), "{words:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn when_it_is_full_nothing_is_forgotten_and_calls_that_would_pass_are_not_counted_there() {
    let server = Charted::start(&[r#"valkey.maxMemory="4mb""#]).await;
    let scene = counting_in(&server, 3).await;
    scene.counts().await;
    for _ in 0..3 {
        scene.passes("exhausted").await;
    }
    scene.passes("known").await;
    // What a script began with its first write it may end, however much it is.
    let ours = |command: &str| {
        let script = format!("for i = 1, 20000 do redis.call({command}) end");
        server.tell_as("shop", &["EVAL", &script, "1", "{tollward:shop}:junk:"])
    };
    assert!(!ours("'SET', KEYS[1] .. i, string.rep('x', 300)").contains("ERR"));
    assert_eq!(scene.is_unavailable("known").await, "out_of_memory");
    assert_eq!(scene.is_unavailable("new").await, "out_of_memory");
    assert!(scene.fails().await.contains("maxmemory"));
    // The count of who used all up is still there: space for others does not make a new budget of it.
    assert!(!ours("'DEL', KEYS[1] .. i").contains("ERR"));
    scene.counts().await;
    scene.is_limited("exhausted").await;
    let (_, state) = scene.passes("known").await;
    assert_eq!((state.remaining, state.counted_by), (1, Some("store")), "{state:?}");
    scene.world.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_outlive_a_crash_and_a_new_pod_without_a_volume_has_none() {
    let mut server = Charted::start(&[]).await;
    let scene = counting_in(&server, 5).await;
    scene.counts().await;
    for left in [4, 3, 2] {
        assert_eq!(scene.passes("alice").await.1.remaining, left);
    }
    server.kill();
    assert_eq!(scene.is_unavailable("alice").await, "unreachable");
    server.again().await;
    scene.counts().await;
    assert_eq!(
        scene.passes("alice").await.1.remaining,
        1,
        "a container that is restarted finds the file in its folder"
    );
    server.kill();
    server.forget();
    scene.fails().await;
    server.again().await;
    scene.counts().await;
    assert_eq!(scene.passes("alice").await.1.remaining, 4, "a new pod begins with nothing counted");
    scene.world.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_that_does_not_end_fails_the_probes_so_that_the_kubelet_ends_it() {
    let server = Charted::start(&[]).await;
    let _script = server.begin_as("shop", &["EVAL", "while true do end", "0"]);
    eventually("the probes fail", async || !server.probe()).await;
    assert!(server.tell_as("other", &["PING"]).contains("BUSY"), "nobody is answered");
    assert!(!server.probe(), "and so it stays");
}
