//! What `tollward limits` shows of counts in a store: one number for all replicas, which looking does not change, and what is
//! wrong where there is none.

use crate::scene::{PATIENT, Scene, limit, policy, set, status, store};
use serde_json::json;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tollward_policy::inquiry::{Answer, LimitState};
use tollward_policy::limits::OnStoreFailure;
use tollward_sidecar::inquiry::ask;
use tollward_tests::clock::TestClock;
use tollward_tests::config::ConfigFile;
use tollward_tests::deadline::eventually;
use tollward_tests::real::store::{Kind, Store};
use tollward_tests::sidecar::Sidecar;

/// A data plane with a socket.
struct Asked {
    scene: Scene,
    socket: PathBuf,
    _folder: TempDir,
}

impl Asked {
    fn new(mut scene: Scene) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("inquiry.sock");
        scene.world.sidecar.answer_inquiries(&socket);
        Self { scene, socket, _folder: folder }
    }

    async fn limits(&self, subject: &str) -> Vec<LimitState> {
        limits(&self.socket, subject).await
    }
}

/// What the process of that socket tells.
async fn limits(socket: &Path, subject: &str) -> Vec<LimitState> {
    let (socket, question) = (socket.to_owned(), json!({"subject": subject, "tools": ["get_product"]}));
    let answer = tokio::task::spawn_blocking(move || ask(&socket, &question.to_string())).await.unwrap().unwrap();
    serde_json::from_str::<Answer>(&answer).unwrap().limits
}

#[tokio::test]
async fn every_replica_shows_what_all_of_them_counted_and_looking_changes_nothing() {
    for kind in Kind::ALL {
        let server = Store::start(kind).await;
        let one = Asked::new(Scene::new(&store(&server.url(), "Deny", PATIENT), 20).await);
        let mut config = one.scene.world.sidecar.config.current().clone();
        config.process.report = None;
        config.routes[0].replicas = 2.try_into().unwrap();
        let mut other = Sidecar::start(ConfigFile::new(config), TestClock::default()).await.expect("a second replica");
        other.ready().await;
        let folder = tempfile::tempdir().unwrap();
        let doors = [one.socket.clone(), folder.path().join("inquiry.sock")];
        other.answer_inquiries(&doors[1]);
        assert_eq!(limits(&doors[0], "alice").await[0].left, Some(20));
        let keys: Vec<String> = server.answer("KEYS *").await;
        assert!(keys.iter().all(|key| key.ends_with(":trial")), "no count begins by a look: {keys:?}");
        for _ in 0..3 {
            one.scene.passes("alice").await;
            assert_eq!(status(&one.scene.call("alice"), other.public).await, 200);
        }
        for _ in 0..5 {
            for socket in &doors {
                let limits = limits(socket, "alice").await;
                let state = &limits[0];
                assert_eq!((state.left, state.most, state.in_store), (Some(14), 20, true), "{limits:#?}");
                // 36,000 s for 7 refills, of which six are owed.
                let full = 6 * 36_000_000 / 7;
                assert!((full - 30_000..=full + 1).contains(&state.full_after_millis), "{limits:#?}");
            }
            assert_eq!(limits(&doors[1], "bob").await[0].left, Some(20));
        }
        let (_, state) = one.scene.passes("alice").await;
        assert_eq!(state.remaining, 13, "a look is no call");
        other.drain().await;
        one.scene.world.end();
    }
}

#[tokio::test]
async fn all_counts_of_an_answer_are_one_question_and_a_user_for_counting_may_look() {
    let server = Store::start(Kind::Valkey).await;
    server.tell("ACL SETUSER default resetkeys ~{tollward:* -@all +eval +evalsha +time +get +set +del +info").await;
    let asked = Asked::new(
        Scene::with(|config, _| {
            let more = json!({"name": "more", "match": {}, "per": ["Subject", "Tool"], "tiers": {"basic": {"requests": 9, "windowSeconds": 36_000, "burst": 2}}});
            set(config, &[policy(&store(&server.url(), "Deny", PATIENT), &[limit(5), more])]);
        })
        .await,
    );
    asked.scene.counts().await;
    // The first may have to teach the store the script.
    asked.limits("alice").await;
    let before = server.charges().await;
    let limits = asked.limits("alice").await;
    assert_eq!(server.charges().await, before + 1);
    assert_eq!(limits.iter().map(|state| state.left).collect::<Vec<_>>(), [Some(5), Some(2)], "{limits:#?}");
    asked.scene.world.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_does_not_tell_is_said_with_its_cause_and_what_becomes_of_calls() {
    let mut server = Store::start(Kind::Redis).await;
    let asked = Asked::new(Scene::new(&store(&server.url(), "Deny", 250), 5).await);
    asked.scene.counts().await;
    server.pause();
    let state = asked.limits("alice").await.remove(0);
    assert_eq!((state.left, state.on_store_failure), (None, Some(OnStoreFailure::Deny)), "{state:?}");
    assert!(state.store_error.unwrap().contains("no answer within 250ms"));
    for _ in 0..8 {
        asked.limits("alice").await;
    }
    assert!(asked.scene.reported().await.up, "late answers to looks are nothing to the store's calls");
    server.resume();
    eventually("the store tells again", async || asked.limits("alice").await[0].left == Some(5)).await;
    server.kill();
    asked.scene.fails().await;
    let error = asked.limits("alice").await.remove(0).store_error.unwrap();
    assert!(error.contains("could not be reached") && !error.contains("127.0.0.1"), "{error}");
    asked.scene.world.end();
}
