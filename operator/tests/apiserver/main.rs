//! The operator against a real API server: definitions and their rules, children, conditions, conflicts, outages.
//!
//! No controller manager and no kubelet run, so Deployments make no pods: where a test needs some, it makes them itself. One API
//! server is shared, with a namespace and an operator of its own for each test; tests that hurt the server start their own.
//! The programs are built by `cargo xtask binaries`.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failed expectation is how a test fails, in its helpers too"
)]

mod admission;
mod cluster;
mod conflicts;
mod denied;
mod elections;
mod judge;
mod lifecycle;
mod outages;
mod programmed;
mod providers;
mod references;
mod rights;
mod sharing;
mod world;

// The very tables that the definitions' own crate evaluates without an API server.
#[path = "../../api/tests/rules/auth.rs"]
mod auth;
#[path = "../../api/tests/rules/objects.rs"]
mod objects;
#[path = "../../api/tests/rules/others.rs"]
mod others;
#[path = "../../api/tests/rules/policies.rs"]
mod policies;
#[path = "../../api/tests/rules/server.rs"]
mod server;
#[path = "../../api/tests/rules/upstream_auth.rs"]
mod upstream_auth;
#[path = "../../api/tests/rules/workload.rs"]
mod workload;
