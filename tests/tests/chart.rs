//! The Helm chart: what it renders, what it refuses, and that a real API server enforces its policies.
//!
//! Helm and the API server are the programs of `cargo xtask binaries control-plane helm`; a missing one fails the test
//! that needs it, and says so.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a chart that does not render, or a server that does not start, is how these tests fail"
)]

#[path = "chart/admission.rs"]
mod admission;
#[path = "chart/api_server.rs"]
mod api_server;
#[path = "chart/definitions.rs"]
mod definitions;
#[path = "chart/images.rs"]
mod images;
#[path = "chart/install.rs"]
mod install;
#[path = "chart/pods.rs"]
mod pods;
#[path = "chart/process.rs"]
mod process;
#[path = "chart/rendered.rs"]
mod rendered;
#[path = "chart/revoke.rs"]
mod revoke;
#[path = "chart/roles.rs"]
mod roles;
#[path = "chart/valkey.rs"]
mod valkey;
#[path = "chart/values.rs"]
mod values;

// The tests call it by this name.
use tollward_tests::real::helm;
