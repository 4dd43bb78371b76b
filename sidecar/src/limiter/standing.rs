//! How a limit stands after a call, for the answer and the record.

use std::time::Duration;
use tollward_policy::limits::Rate;

/// Who counted a call in a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CountedBy {
    /// This replica.
    Replica,
    /// The store that all replicas share.
    Store,
    /// This replica by its part, since the store did not count.
    ReplicaForStore,
    /// Nobody: the store did not count, and its policy lets calls pass.
    Nobody,
}

/// How a limit stands after a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// `policy/limit`.
    pub limit: String,
    /// The caller's tier; empty before it is known who calls.
    pub tier: String,
    /// Requests per window, or as many as may be open at once.
    pub requests: u32,
    /// The window; none for a limit of what is open at once.
    pub window: Option<Duration>,
    /// As many requests the call counts for.
    pub cost: u32,
    /// Most requests at once.
    pub burst: u32,
    /// Requests that may come at once right now.
    pub remaining: u32,
    /// Time until the full burst is there again.
    pub reset: Duration,
    /// Set on the limit that refused: when the call will pass.
    pub retry_after: Option<Duration>,
    /// Who counted it.
    pub counted: CountedBy,
}

impl Standing {
    /// Of a rate.
    pub(crate) fn of(limit: &str, tier: &str, rate: &Rate, cost: u32) -> Self {
        Self {
            limit: limit.to_owned(),
            tier: tier.to_owned(),
            requests: rate.requests,
            window: Some(rate.window),
            cost,
            burst: rate.burst.get(),
            remaining: 0,
            reset: rate.emission.saturating_mul(rate.burst.get()),
            retry_after: None,
            counted: CountedBy::Replica,
        }
    }

    /// Somebody else counted.
    pub(crate) fn counted_by(self, counted: CountedBy) -> Self {
        Self { counted, ..self }
    }

    /// The call was admitted.
    pub(crate) fn left(self, remaining: u32, reset: Duration) -> Self {
        Self { remaining, reset, ..self }
    }

    /// The call was refused.
    pub(crate) fn refused(self, retry_after: Duration) -> Self {
        Self { retry_after: Some(retry_after), ..self }
    }
}
