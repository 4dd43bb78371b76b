//! Two replicas and a thousand callers at once get what the limit says, to the call.

use crate::scene::{PATIENT, Scene, status, store};
use futures_util::future::join_all;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tollward_tests::clock::TestClock;
use tollward_tests::config::ConfigFile;
use tollward_tests::deadline::within;
use tollward_tests::real::store::{Kind, Store};
use tollward_tests::sidecar::Sidecar;

/// Calls, and connections open at once.
const CALLS: usize = 1000;
const AT_ONCE: usize = 50;

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_calls_through_two_replicas_get_exactly_what_one_limit_says() {
    for kind in Kind::ALL {
        let server = Store::start(kind).await;
        let scene = Scene::new(&store(&server.url(), "Deny", PATIENT), 100).await;
        let mut config = scene.world.sidecar.config.current().clone();
        config.process.report = None;
        config.routes[0].replicas = 2.try_into().unwrap();
        let other = Sidecar::start(ConfigFile::new(config), TestClock::default()).await.expect("a second replica");
        other.ready().await;
        let (call, turns) = (Arc::new(scene.call("alice")), Arc::new(Semaphore::new(AT_ONCE)));
        let calls = (0..CALLS).map(|number| {
            let address = if number % 2 == 0 { scene.world.sidecar.public } else { other.public };
            let (call, turns) = (Arc::clone(&call), Arc::clone(&turns));
            tokio::spawn(async move {
                let _turn = turns.acquire().await.expect("nobody closes it");
                status(&call, address).await
            })
        });
        let answers = within("all are answered", join_all(calls)).await;
        let statuses: Vec<u16> = answers.into_iter().map(|answer| answer.expect("no call panics")).collect();
        let count = |wanted| statuses.iter().filter(|status| **status == wanted).count();
        // A call whose answer is late on a machine under load may have been charged or not; all others are exact.
        let late = count(503);
        assert!((100 - late.min(100)..=100).contains(&count(200)), "{kind:?}: {} passed, {late} were late", count(200));
        assert_eq!(count(200) + count(429) + late, CALLS, "{kind:?}");
        assert_eq!(scene.world.upstream.count(), count(200));
        scene.world.end();
    }
}
