//! Real clients through the data plane to real MCP servers, with a real identity provider: the official TypeScript, Python
//! and Rust SDKs and mcp-remote, `oidc-provider`, the `catalog` example on rmcp, and the official `server-everything`.
//!
//! The clients do what they do for people: discovery, registration, PKCE, step-up. What they got, what the audit records
//! say of it and what reached the server must agree.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "outside of test functions too, a failed expectation is how these tests fail"
)]

#[path = "clients/anonymous.rs"]
mod anonymous;
#[path = "clients/bound.rs"]
mod bound;
#[path = "clients/catalog.rs"]
mod catalog;
#[path = "clients/corpus.rs"]
mod corpus;
#[path = "clients/everything.rs"]
mod everything;
#[path = "clients/guards.rs"]
mod guards;
#[path = "clients/journey.rs"]
mod journey;
#[path = "clients/second_judge.rs"]
mod second_judge;
#[path = "clients/tokens.rs"]
mod tokens;
