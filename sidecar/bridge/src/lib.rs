//! MCP servers that speak standard input and output, served as Streamable HTTP on a Unix socket.
//!
//! The sidecar's pipeline stays the only path: what comes over the socket was judged, and the bridge judges nothing. It
//! runs in the server's container and is as little trusted as the server. It must not listen on a port, and it knows no token.
//!
//! - [`bridge`] owns the processes, which `starter` starts: one for each session, and one for all calls that have no session.
//! - `exchange` is HTTP with `answer` and `refusal`, `message` JSON-RPC, `peer` who waits for which answer, `process` the child itself.
//!
//! Caveats: processes of one container share a user. Sessions are kept apart against mistakes, not against a server that
//! means harm.

mod answer;
mod backoff;
pub mod bridge;
pub mod command;
mod exchange;
mod install;
mod message;
mod orphans;
mod peer;
mod process;
mod refusal;
mod serve;
mod settings;
mod starter;
mod stateless;

pub use bridge::Bridge;
pub use serve::{Door, serve};
pub use settings::{Launch, Log, SessionMode, Settings};
