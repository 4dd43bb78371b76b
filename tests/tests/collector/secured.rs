//! A collector behind TLS that asks for a token: the standard variables reach it, and whoever is told wrong loses telemetry
//! and nothing else.

use super::scene::{Scene, once};
use tollward_tests::deadline::eventually;
use tollward_tests::real::collector::{Collector, Protocol};

const TOKEN: &str = "the-collectors-own-canary";

#[tokio::test]
async fn endpoint_certificate_and_headers_of_the_environment_reach_a_secured_collector() {
    for protocol in Protocol::ALL {
        let collector = Collector::secured(TOKEN).await;
        let scene = Scene::start(&collector.environment(protocol)).await;
        assert_eq!(scene.send(&scene.call()).await.status, 200);
        let received = once(&collector, "all signals arrive", |received| {
            !received.spans.is_empty() && !received.audit.is_empty() && !received.points.is_empty()
        })
        .await;
        assert!(!received.text.contains(TOKEN), "the header is no telemetry");
        assert!(!scene.program.log().iter().any(|line| line.contains(TOKEN)), "nor a log line");
    }
}

#[tokio::test]
async fn a_wrong_header_or_an_unknown_certificate_loses_telemetry_and_no_call() {
    for protocol in Protocol::ALL {
        let collector = Collector::secured(TOKEN).await;
        let good = collector.environment(protocol);
        let wrong = good.iter().cloned().map(|(name, value)| (name, value.replace(TOKEN, "another-canary"))).collect();
        let distrusting = good.iter().filter(|(name, _)| name != "OTEL_EXPORTER_OTLP_CERTIFICATE").cloned().collect();
        let cases: [Vec<(String, String)>; 2] = [wrong, distrusting];
        for mut environment in cases {
            environment.push(("OTEL_EXPORTER_OTLP_TIMEOUT".to_owned(), "500".to_owned()));
            let scene = Scene::start(&environment).await;
            assert_eq!(scene.send(&scene.call()).await.status, 200);
            let lost = ["tollward_audit_sink=\"otlp\"", "error_type=\"not_exported\""];
            eventually("the loss is counted", async || {
                scene.metric("tollward_audit_dropped_total", &lost).await == 1
                    && scene.metric("tollward_telemetry_dropped_total", &["signal=\"traces\""]).await == 1
            })
            .await;
            assert_eq!(scene.send(&scene.call()).await.status, 200, "calls go on");
            let log = scene.program.log();
            assert!(log.iter().any(|line| line.contains("audit records are lost")), "{log:#?}");
            assert!(!log.iter().any(|line| line.contains("canary")), "no header in the log: {log:#?}");
            assert_eq!(collector.received().text, "", "nothing was taken");
        }
    }
}
