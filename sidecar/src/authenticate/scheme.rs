//! Ways to show a token.

/// By which schemes tokens are accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schemes {
    /// Bearer alone.
    Bearer,
    /// DPoP alone.
    Dpop,
    /// Either.
    Both,
}

/// How a token is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// By itself (RFC 6750).
    Bearer,
    /// With a proof of the key that it is bound to (RFC 9449).
    Dpop,
}
