//! Sessions of the legacy era: the server's session id, sealed for one caller of one server.
//!
//! The client never sees the server's own id, and the sidecar keeps no table: the sealed text holds the id and is bound to
//! issuer, subject, client and server. So it can't be guessed, used by somebody else, carried to another server, or chosen
//! by the client, and every replica with the same keys opens it (MCP 2025-11-25 basic/transports "Session Management" and
//! `basic/security_best_practices` "Session Hijacking").

mod keys;
mod seal;

pub use keys::{SessionKeyError, SessionKeys};
pub use seal::{Binding, SealError, SessionError, SessionSealer};

#[cfg(test)]
mod tests;
