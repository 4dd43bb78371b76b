//! Sessions of the legacy era: the server's session id, sealed for one caller of one server.
//!
//! The client never sees the server's own id, and no table is needed to open it: the sealed text holds the id and is bound to
//! issuer, subject, client and server. So it can't be guessed, used by somebody else, carried to another server, or chosen
//! by the client, and every replica with the same keys opens it. Ids of events, from which a client resumes a stream, go out
//! in the same way, bound to the session as well. How many sessions and streams there are is counted here ([`Sessions`]), and whose a
//! task is ([`Tasks`]) (MCP 2025-11-25 basic/transports "Session Management" and
//! `basic/security_best_practices` "Session Hijacking").

mod keys;
mod live;
mod seal;
mod tasks;

pub use keys::{SessionKeyError, SessionKeys};
pub use live::{Full, Opening, SessionInUse, Sessions, StreamPlace, counted_as};
pub use seal::{Binding, SealError, SessionError, SessionSealer};
pub use tasks::Tasks;

#[cfg(test)]
mod tests;
