//! Programs that other people wrote, as processes of this test run: MCP clients and servers, identity providers, and the
//! official conformance suite. Nothing of Tollward's behaviour is doubled here.
//!
//! Map, from the outside inwards:
//! - [`guarded`] is the data plane in front of a real server; [`visit`] is one run of a real client against it.
//! - [`verified`] is the table of clients that are known to work, which tests go through and the manual shows.
//! - [`suite`] runs the conformance suite and compares two runs.
//! - [`collector`] is an OpenTelemetry Collector, [`received`] what it was sent.
//! - [`control_plane`] is a Kubernetes API server without a node.
//! - [`store`] is a Redis or a Valkey, [`charted`] the Valkey that the chart brings.
//! - [`reader`] is an HTTP server that says what it reads of a request.
//! - [`front`] is a proxy in front of the data plane.
//! - [`helm`] renders the chart.
//! - [`provider`] and [`keycloak`] are identity providers, [`server`] the MCP servers, [`document`] a client's own web server.
//! - [`passage`] is a way between two parts on which requests are seen and headers added.
//! - [`process`], [`place`] and [`http`] are what those are made of.
//!
//! Assumptions: the programs were installed by `cargo xtask test` or by the command that a missing one is answered with.

pub mod charted;
pub mod collector;
pub mod control_plane;
pub mod document;
pub mod front;
pub mod guarded;
pub mod helm;
pub mod http;
pub mod keycloak;
pub mod passage;
pub mod place;
pub mod process;
pub mod provider;
pub mod reader;
pub mod received;
pub mod server;
pub mod store;
pub mod suite;
pub mod verified;
pub mod visit;
