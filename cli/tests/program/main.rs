//! The program as it runs: what it prints, how it ends, and what it answers on its ports.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed expectation is how a test fails, in its helpers too"
)]

mod check;
mod dev;
mod explain;
mod limits;
mod manifests;
mod sandbox;
mod session;
mod shop;
mod tokens;
mod walkthrough;
