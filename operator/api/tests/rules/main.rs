//! Every CEL rule, once with what it accepts and once with what it refuses, evaluated as an API server would.
//!
//! Explicit nulls are not here: the API server drops or refuses them before any rule runs, which only a real one shows.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failed expectation is how a test fails, in its helpers too"
)]

mod auth;
mod judge;
mod objects;
mod others;
mod policies;
mod server;
mod upstream_auth;
mod workload;
