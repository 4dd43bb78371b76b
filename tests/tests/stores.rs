//! Limits that replicas count together in a real Redis and a real Valkey: exactness, what callers see while the store fails in
//! every way that servers do, and that everything recovers without a restart.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "outside of test functions too, a failed expectation is how these tests fail"
)]

#[path = "stores/admission.rs"]
mod admission;
#[path = "stores/charted.rs"]
mod charted;
#[path = "stores/clustered.rs"]
mod clustered;
#[path = "stores/counting.rs"]
mod counting;
#[path = "stores/exact.rs"]
mod exact;
#[path = "stores/failing.rs"]
mod failing;
#[path = "stores/failover.rs"]
mod failover;
#[path = "stores/hostile.rs"]
mod hostile;
#[path = "stores/looking.rs"]
mod looking;
#[path = "stores/scene.rs"]
mod scene;
#[path = "stores/script.rs"]
mod script;
