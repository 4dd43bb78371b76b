//! Tollward as people run it: installed by Helm on a real node, from images, with real servers behind it. Each test has a
//! namespace of its own whose pods must be of the `restricted` profile, and ends with a look at the operator's log: the
//! API server must have refused it nothing.
//!
//! It needs a cluster: `cargo xtask test --suite e2e` makes one and takes it down.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "outside of test functions too, a failed expectation is how these tests fail"
)]

#[path = "cluster/change.rs"]
mod change;
#[path = "cluster/guardrails.rs"]
mod guardrails;
#[path = "cluster/invalid.rs"]
mod invalid;
#[path = "cluster/journey.rs"]
mod journey;
#[path = "cluster/limits.rs"]
mod limits;
#[path = "cluster/operator.rs"]
mod operator;
#[path = "cluster/relay.rs"]
mod relay;
#[path = "cluster/removal.rs"]
mod removal;
#[path = "cluster/revoke.rs"]
mod revoke;
#[path = "cluster/rollout.rs"]
mod rollout;
#[path = "cluster/sealing.rs"]
mod sealing;
#[path = "cluster/sessions.rs"]
mod sessions;
#[path = "cluster/store.rs"]
mod store;
#[path = "cluster/telemetry.rs"]
mod telemetry;
