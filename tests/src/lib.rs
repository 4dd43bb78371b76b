//! What the tests in `tests/` share: doubles of the parts around Tollward, the data plane itself on real sockets, and a
//! client that can be as rude as an attacker. They join the crates of the workspace and the real parts around them.
//!
//! Map, from the outside inwards:
//! - [`world`] joins everything and knows what a refusal must look like.
//! - [`issuer`] is an authorization server, [`upstream`] an MCP server, [`client`] an MCP client; [`mcp`] writes messages.
//! - [`exchange`] is a token endpoint that exchanges tokens.
//! - [`sidecar`] runs the data plane in this process, [`program`] runs the real binary; [`config`] writes their file, and
//!   [`operator`] reads their report.
//! - [`real`] is programs that other people wrote, as processes.
//! - [`cluster`] is a whole installation on a Kubernetes node.
//! - [`egress`] is an egress proxy, servers that connect through it, and the outside that they want to reach.
//! - [`sender`] is a caller whose tokens are bound to its key.
//! - [`records`], [`clock`], [`key`], [`certificates`], [`loopback`] and [`deadline`] are what those are made of.
//!
//! Assumptions: everything binds port 0 on loopback and lives in a directory of its own. Nothing sleeps for a guessed time:
//! [`deadline`] waits for conditions.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a harness that can't go on is a failed test, and says so by a panic"
)]

pub mod certificates;
pub mod client;
pub mod clock;
pub mod cluster;
pub mod config;
pub mod deadline;
pub mod egress;
pub mod exchange;
pub mod issuer;
pub mod key;
pub mod loopback;
pub mod mcp;
pub mod operator;
pub mod program;
pub mod real;
pub mod records;
pub mod sender;
pub mod sidecar;
pub mod token;
pub mod upstream;
pub mod vendor;
pub mod world;
