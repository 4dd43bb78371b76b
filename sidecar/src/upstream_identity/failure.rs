//! Why a call has no identity to show. What exactly went wrong is in the log, where it was noticed: neither the caller nor
//! the record is told what an identity provider or a file says.

/// Why a call can't be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdentityFailure {
    /// It may be had later: a file can't be used, or the token endpoint does not answer.
    #[error("the identity for the MCP server can't be had now")]
    Unavailable,
    /// The provider says no, or gave what must not be used.
    #[error("there is no acceptable identity for the MCP server")]
    Refused,
}
