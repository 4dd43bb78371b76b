//! Why a charge does not pass.

use std::time::Duration;
use tollward_policy::reason::Reason;

/// Why a request was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The budget is used up.
    Exceeded,
    /// There is no room to count another caller.
    Full,
    /// A store does not count, and its policy refuses calls meanwhile; the class of its failure.
    Unavailable(&'static str),
}

/// A charge that was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// Why.
    pub cause: Cause,
    /// When it would pass, or there may be room.
    pub wait: Duration,
}

impl Cause {
    /// The reason of such a refusal.
    pub fn reason(self) -> Reason {
        match self {
            Self::Exceeded => Reason::RateLimited,
            Self::Full => Reason::LimitsExhausted,
            Self::Unavailable(_) => Reason::LimitStoreUnavailable,
        }
    }
}

impl Refused {
    /// The budget is used up for that long.
    pub fn exceeded(wait: Duration) -> Self {
        Self { cause: Cause::Exceeded, wait }
    }

    /// There may be room after that time.
    pub fn full(wait: Duration) -> Self {
        Self { cause: Cause::Full, wait }
    }
}
