//! What the last moments of a process leave at the collector.

use super::scene::{Scene, once};
use std::process::ExitStatus;
use tollward_tests::deadline::within;
use tollward_tests::real::collector::{Collector, Protocol};

async fn ended(scene: Scene) -> (ExitStatus, Vec<String>) {
    scene.program.terminate();
    let program = scene.program;
    within("the process ends", tokio::task::spawn_blocking(move || program.wait())).await.expect("it is waited for")
}

/// Without the variables that make exports come soon.
fn slow(environment: Vec<(String, String)>) -> Vec<(String, String)> {
    environment
        .into_iter()
        .filter(|(name, _)| !name.ends_with("_DELAY") && !name.ends_with("_INTERVAL"))
        .chain([("OTEL_BLRP_SCHEDULE_DELAY".to_owned(), "600000".to_owned())])
        .collect()
}

#[tokio::test]
async fn what_waited_is_delivered_before_the_process_ends() {
    for protocol in Protocol::ALL {
        let collector = Collector::start().await;
        let scene = Scene::start(&slow(collector.environment(protocol))).await;
        assert_eq!(scene.send(&scene.call()).await.status, 200);
        assert!(collector.received().audit.is_empty(), "nothing is exported yet");
        let (status, log) = ended(scene).await;
        assert!(status.success(), "{log:#?}");
        let received = once(&collector, "all signals are there", |received| {
            received.spans.len() == 1 && received.audit.len() == 1 && !received.points.is_empty()
        })
        .await;
        assert!(received.logs.iter().any(|entry| entry.body == "draining"), "{:#?}", received.logs);
    }
}

#[tokio::test]
async fn without_a_collector_the_process_ends_well_and_says_what_was_lost() {
    for protocol in Protocol::ALL {
        let mut collector = Collector::start().await;
        let mut environment = slow(collector.environment(protocol));
        environment.push(("OTEL_EXPORTER_OTLP_TIMEOUT".to_owned(), "500".to_owned()));
        let scene = Scene::start(&environment).await;
        collector.kill();
        for _ in 0..3 {
            assert_eq!(scene.send(&scene.call()).await.status, 200);
        }
        let (status, log) = ended(scene).await;
        assert!(status.success(), "a collector that is away is no failure of the sidecar: {log:#?}");
        let said = log.iter().find(|line| line.contains("in the life of this process"));
        assert!(said.is_some_and(|line| line.contains("\"audit\":3")), "{log:#?}");
    }
}
