//! The data plane: one pipeline in front of an MCP server.
//!
//! Map, from the socket inwards:
//! - [`listen`] accepts connections, [`run`] and [`run_egress`] put a process together, [`reload`] and [`state`] change its policy.
//! - [`pipeline`] is the one way of a request; each file in its folder is a stage.
//! - Stages use [`authenticate`], [`envelope`], [`session`], [`limiter`], [`response`], [`audit`], [`trace`], [`upstream_identity`], which know
//!   nothing of each other's business; [`denial`] is the only place where a refusal becomes HTTP.
//! - [`dial`] connects to the MCP server, over TCP or at the socket of a bridge.
//! - [`explain`] asks the deciding stages without sending anything.
//! - [`egress`] carries the server's own connections to the outside: the relay in a sidecar, and the namespace's egress proxy.
//! - [`snapshot`] is the compiled configuration; [`observe`] tells probes, Prometheus and the operator how it goes, and
//!   [`sealing`] whether the server can be reached past all this.

mod address;
pub mod audit;
pub mod authenticate;
pub mod clock;
pub mod command;
pub mod denial;
pub mod dial;
pub mod egress;
pub mod envelope;
pub mod explain;
pub mod inquiry;
mod json;
pub mod limiter;
pub mod listen;
pub mod observe;
pub mod pipeline;
pub mod reload;
pub mod response;
pub mod run;
pub mod run_egress;
pub mod sealing;
mod secret_file;
pub mod session;
pub mod snapshot;
pub mod source;
pub mod state;
pub mod thumbprint;
pub mod trace;
pub mod upstream_identity;

pub use tollward_telemetry as telemetry;
