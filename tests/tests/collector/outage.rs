//! The collector is killed in the middle of load and comes back.

use super::scene::{Scene, traceparent};
use http::StatusCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::task::JoinSet;
use tollward_tests::client::{Connection, Wire};
use tollward_tests::deadline::{eventually, within};
use tollward_tests::mcp::Call;
use tollward_tests::real::collector::{Collector, Protocol};

/// Callers at a time.
const CALLERS: usize = 4;

/// More than an export that was under way may hold, so that some of it is lost for certain.
const LOST: u64 = 128;

/// Calls without a pause until they are told to stop; every one must be answered with 200.
struct Load {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    callers: JoinSet<()>,
}

impl Load {
    fn start(scene: &Scene) -> Self {
        let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let mut callers = JoinSet::new();
        for _ in 0..CALLERS {
            let (stop, answered, address, call) = (stop.clone(), answered.clone(), scene.program.public, scene.call());
            callers.spawn(async move {
                let mut connection = Connection::plain(Wire::Http1, address).await;
                while !stop.load(Ordering::Relaxed) {
                    assert_eq!(status(&mut connection, &call).await, 200);
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        Self { stop, answered, callers }
    }

    /// Stops it; how many were answered.
    async fn end(mut self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(caller) = within("a caller ends", self.callers.join_next()).await {
            caller.expect("every call was answered with 200");
        }
        self.answered.load(Ordering::Relaxed)
    }
}

async fn status(connection: &mut Connection, call: &Call) -> StatusCode {
    let opened = within("an answer begins", connection.send(call.request(Wire::Http1))).await.expect("an answer");
    let reply = within("an answer ends", opened.whole()).await.expect("an answer does not break off");
    reply.status
}

async fn lost(scene: &Scene) -> u64 {
    scene.metric("tollward_audit_dropped_total", &["tollward_audit_sink=\"otlp\""]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_dies_under_load_costs_records_that_are_counted_and_no_call() {
    for protocol in Protocol::ALL {
        let mut collector = Collector::start().await;
        let mut environment = collector.environment(protocol);
        for (name, value) in [
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "500"),
            ("OTEL_BLRP_MAX_QUEUE_SIZE", "256"),
            ("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", "32"),
        ] {
            environment.push((name.to_owned(), value.to_owned()));
        }
        let scene = Scene::start(&environment).await;
        let load = Load::start(&scene);
        eventually("records arrive", async || collector.received().audit.len() > 100).await;
        let before = lost(&scene).await;
        collector.kill();
        eventually("losses are counted", async || lost(&scene).await > before + LOST).await;
        collector.again().await;
        let mut own = Vec::new();
        eventually("a call after its return arrives", async || {
            let (header, trace, _) = traceparent(u16::try_from(own.len()).expect("few calls"));
            assert_eq!(scene.send(&scene.call().header("traceparent", &header)).await.status, 200);
            own.push(trace);
            own.iter().any(|trace| collector.holds("audit", trace) && collector.holds("traces", trace))
        })
        .await;

        let total = load.end().await + own.len() as u64;
        assert_eq!(scene.metric("tollward_audit_records_total", &[]).await, total, "one record for each call");
        let mut missing = 0;
        eventually("every record is at the collector or counted as lost", async || {
            missing = total - collector.received().numbers().len() as u64;
            missing <= lost(&scene).await
        })
        .await;
        assert!(missing >= LOST - 32, "{missing} are missing, of {total}");
        let log = scene.program.log();
        for said in ["audit records are lost on their way", "the collector takes audit records again"] {
            assert!(log.iter().any(|line| line.contains(said)), "{said}: {log:#?}");
        }
        assert!(log.len() < 40, "an outage does not flood the log: {log:#?}");
        scene.check_secrets(&collector.received().text, "what the collector got");
    }
}
