//! Places and counts without an exporter, then the SDK's queues with exporters that fail, hang and recover.

use super::*;
use crate::{ServiceIdentity, Settings, Telemetry};

fn telemetry() -> Telemetry {
    let identity = ServiceIdentity { name: "test".into(), version: "1".into(), namespace: None, instance: None };
    Telemetry::start(&identity, &Settings::from_lookup(|_| None).unwrap()).unwrap()
}

/// The value of a counter in the Prometheus text, by a part of its labels.
fn counted(telemetry: &Telemetry, name: &str, labels: &[&str]) -> Option<f64> {
    let text = telemetry.prometheus_text();
    let line = text.lines().find(|line| line.starts_with(name) && labels.iter().all(|label| line.contains(label)))?;
    line.rsplit(' ').next()?.parse().ok()
}

const AUDIT: &str = "tollward_audit_dropped_total{";
const FULL: &[&str] = &[r#"error_type="queue_full""#, r#"tollward_audit_sink="otlp""#];
const FAILED: &[&str] = &[r#"error_type="not_exported""#, r#"tollward_audit_sink="otlp""#];

#[test]
fn counters_stand_at_zero_before_the_first_loss() {
    let telemetry = telemetry();
    let _passage = Passage::new(&telemetry.meter(), Signal::Audit, 1);
    assert_eq!(counted(&telemetry, AUDIT, FULL), Some(0.0), "{}", telemetry.prometheus_text());
    assert_eq!(counted(&telemetry, AUDIT, FAILED), Some(0.0));
}

#[test]
fn what_finds_no_place_is_lost_and_a_place_that_was_left_is_taken_again() {
    let telemetry = telemetry();
    let passage = Passage::new(&telemetry.meter(), Signal::Audit, 2);
    assert!(passage.enter() && passage.enter());
    assert!(!passage.enter() && !passage.enter());
    passage.leave(1);
    assert!(passage.enter());
    assert!(!passage.enter());
    assert_eq!(passage.lost(), 3);
    assert_eq!(counted(&telemetry, AUDIT, FULL), Some(3.0));
    assert_eq!(counted(&telemetry, AUDIT, FAILED), Some(0.0));
}

#[test]
fn spans_and_log_lines_are_counted_apart_from_audit_records() {
    let telemetry = telemetry();
    Passage::new(&telemetry.meter(), Signal::Traces, 1).failed(7);
    Passage::new(&telemetry.meter(), Signal::Logs, 1).failed(5);
    let name = "tollward_telemetry_dropped_total{";
    assert_eq!(counted(&telemetry, name, &[r#"tollward_telemetry_signal="traces""#, "not_exported"]), Some(7.0));
    assert_eq!(counted(&telemetry, name, &[r#"tollward_telemetry_signal="logs""#, "not_exported"]), Some(5.0));
    assert_eq!(counted(&telemetry, AUDIT, &[]), None);
}

#[cfg(feature = "otlp")]
mod queues {
    use std::{
        sync::{
            Mutex,
            mpsc::{Receiver, SyncSender, sync_channel},
        },
        time::Duration,
    };

    use opentelemetry::logs::{Logger as _, LoggerProvider as _};
    use opentelemetry_sdk::{
        error::{OTelSdkError, OTelSdkResult},
        logs::{BatchConfigBuilder, BatchLogProcessor, LogBatch, LogExporter, SdkLoggerProvider},
    };

    use super::*;

    /// Answers each export as it is told, and waits until it is.
    #[derive(Debug)]
    struct Told(Mutex<Receiver<bool>>);

    impl LogExporter for Told {
        async fn export(&self, _: LogBatch<'_>) -> OTelSdkResult {
            // A test that has ended says no more.
            match self.0.lock().unwrap().recv() {
                Ok(true) | Err(_) => Ok(()),
                Ok(false) => Err(OTelSdkError::InternalFailure("told so".to_owned())),
            }
        }
    }

    fn provider(passage: &Passage) -> (SdkLoggerProvider, SyncSender<bool>) {
        let (answers_tx, answers_rx) = sync_channel(1024);
        let exporter = Counted::new(Told(Mutex::new(answers_rx)), passage.clone());
        // No export by the clock: only when a batch is full, and when a test asks.
        let size = BatchConfigBuilder::default()
            .with_max_queue_size(passage.places())
            .with_scheduled_delay(Duration::from_hours(1))
            .build();
        let queue = BatchLogProcessor::builder(exporter).with_batch_config(size).build();
        (SdkLoggerProvider::builder().with_log_processor(Bounded::new(queue, passage.clone())).build(), answers_tx)
    }

    fn emit(provider: &SdkLoggerProvider, count: usize) {
        let logger = provider.logger("test");
        for _ in 0..count {
            logger.emit(logger.create_log_record());
        }
    }

    #[test]
    fn records_of_a_failed_export_are_lost_and_those_of_the_next_are_not() {
        let telemetry = telemetry();
        let passage = Passage::new(&telemetry.meter(), Signal::Audit, 8);
        let (provider, answers) = provider(&passage);
        answers.send(false).unwrap();
        emit(&provider, 5);
        provider.force_flush().unwrap_err();
        assert_eq!(passage.lost(), 5);
        answers.send(true).unwrap();
        emit(&provider, 3);
        provider.force_flush().unwrap();
        assert_eq!(passage.lost(), 5);
        assert_eq!(counted(&telemetry, AUDIT, FAILED), Some(5.0));
        assert_eq!(counted(&telemetry, AUDIT, FULL), Some(0.0));
    }

    #[test]
    fn every_record_is_exported_or_counted_when_the_exporter_is_slower_than_the_callers() {
        let telemetry = telemetry();
        let passage = Passage::new(&telemetry.meter(), Signal::Audit, 4);
        let (provider, answers) = provider(&passage);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| emit(&provider, 1000));
            }
        });
        // At most one batch is with the exporter, and four wait.
        let lost = passage.lost();
        assert!((4000 - 8..4000).contains(&lost), "{lost}");
        for _ in 0..64 {
            answers.send(true).unwrap();
        }
        provider.force_flush().unwrap();
        drop(answers);
        assert_eq!(passage.lost(), lost, "what waited was exported");
        assert_eq!(counted(&telemetry, AUDIT, FULL), Some(f64::from(u32::try_from(lost).unwrap())));
    }
}
