//! The real sidecar exports to a real OpenTelemetry Collector, which is configured as users are told to: what arrives, under
//! which names, that nothing secret is in it, and what is lost and said while there is no collector.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "outside of test functions too, a failed expectation is how these tests fail"
)]

#[path = "collector/names.rs"]
mod names;
#[path = "collector/operator.rs"]
mod operator;
#[path = "collector/outage.rs"]
mod outage;
#[path = "collector/scene.rs"]
mod scene;
#[path = "collector/secured.rs"]
mod secured;
#[path = "collector/shutdown.rs"]
mod shutdown;
#[path = "collector/signals.rs"]
mod signals;
