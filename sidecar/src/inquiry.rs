//! How a caller's limits stand, for an administrator who asks: `tollward limits`.
//!
//! Flow: [`Door`] (a socket beside the process) -> [`answer`] (pure but for the counts, and a store that is asked for its own) -> JSON. The same code as in the
//! pipeline names the counts, for a caller that nobody verified: it is a question, no request.
//!
//! Guarantees: nothing is charged, and nothing can be changed. There is no listener for it on any network: who may open the
//! socket's folder may ask, which in a cluster is who may run programs in the data plane's container.

mod answer;
mod ask;
mod caller;
mod calls;
mod door;
mod told_apart;

pub use answer::{TooMany, answer};
pub use ask::{AskError, ask, read_question};
pub use door::Door;

#[cfg(test)]
mod tests;
