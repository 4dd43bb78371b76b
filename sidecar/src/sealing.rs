//! Whether the MCP server can be reached past the data plane: who else listens in the network that the pod's containers share.
//!
//! The kernel's tables are read every other second ([`watch()`]), parsed ([`table`]) and judged ([`judge`]). Nothing is done about what
//! is found but to tell it: in the report to the operator, as a metric, and in the log when it changes. To refuse calls would close
//! the guarded way and leave the other one open.

mod judge;
mod table;
mod watch;

pub use judge::Own;
pub use watch::{Sealing, gauge, own_user, watch};

#[cfg(test)]
mod tests;
