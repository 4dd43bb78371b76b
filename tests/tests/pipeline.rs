//! The whole data plane on real sockets, between a double of an authorization server and a double of an MCP server: what
//! passes, what is refused and how, and that nothing else reaches the MCP server.
//!
//! One file for each subject; `tollward_tests::world` says what must hold of every refusal. Cases that depend on neither run
//! over both versions of HTTP and in both protocol eras.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "outside of test functions too, a failed expectation is how these tests fail"
)]

#[path = "pipeline/addresses.rs"]
mod addresses;
#[path = "pipeline/attacked_keys.rs"]
mod attacked_keys;
#[path = "pipeline/attacks.rs"]
mod attacks;
#[path = "pipeline/authentication.rs"]
mod authentication;
#[path = "pipeline/authorization.rs"]
mod authorization;
#[path = "pipeline/bound.rs"]
mod bound;
#[path = "pipeline/bounds.rs"]
mod bounds;
#[path = "pipeline/broken_upstream.rs"]
mod broken_upstream;
#[path = "pipeline/browsers.rs"]
mod browsers;
#[path = "pipeline/certificates.rs"]
mod certificates;
#[path = "pipeline/concurrency.rs"]
mod concurrency;
#[path = "pipeline/conditions.rs"]
mod conditions;
#[path = "pipeline/crossing.rs"]
mod crossing;
#[path = "pipeline/discovery.rs"]
mod discovery;
#[path = "pipeline/draining.rs"]
mod draining;
#[path = "pipeline/egress.rs"]
mod egress;
#[path = "pipeline/egress_relay.rs"]
mod egress_relay;
#[path = "pipeline/envelope.rs"]
mod envelope;
#[path = "pipeline/fetches.rs"]
mod fetches;
#[path = "pipeline/forwarding.rs"]
mod forwarding;
#[path = "pipeline/http2.rs"]
mod http2;
#[path = "pipeline/inquiry.rs"]
mod inquiry;
#[path = "pipeline/introspection.rs"]
mod introspection;
#[path = "pipeline/keys.rs"]
mod keys;
#[path = "pipeline/limits.rs"]
mod limits;
#[path = "pipeline/limits_everywhere.rs"]
mod limits_everywhere;
#[path = "pipeline/listeners.rs"]
mod listeners;
#[path = "pipeline/lists.rs"]
mod lists;
#[path = "pipeline/matrix.rs"]
mod matrix;
#[path = "pipeline/process.rs"]
mod process;
#[path = "pipeline/proxies.rs"]
mod proxies;
#[path = "pipeline/reload.rs"]
mod reload;
#[path = "pipeline/resumption.rs"]
mod resumption;
#[path = "pipeline/revoked.rs"]
mod revoked;
#[path = "pipeline/rules_changed.rs"]
mod rules_changed;
#[path = "pipeline/sealing.rs"]
mod sealing;
#[path = "pipeline/session_bounds.rs"]
mod session_bounds;
#[path = "pipeline/session_keys.rs"]
mod session_keys;
#[path = "pipeline/sessions.rs"]
mod sessions;
#[path = "pipeline/smuggling.rs"]
mod smuggling;
#[path = "pipeline/stdio.rs"]
mod stdio;
#[path = "pipeline/storm.rs"]
mod storm;
#[path = "pipeline/streams.rs"]
mod streams;
#[path = "pipeline/tasks.rs"]
mod tasks;
#[path = "pipeline/token_exchange.rs"]
mod token_exchange;
#[path = "pipeline/tokens.rs"]
mod tokens;
#[path = "pipeline/upstream_identity.rs"]
mod upstream_identity;
#[path = "pipeline/vendors.rs"]
mod vendors;
