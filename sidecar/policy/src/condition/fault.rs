//! Why a condition has no result. A fault never holds a value of a call or a token, so that it may be shown and recorded.

use std::borrow::Cow;
use std::fmt;

/// Why a condition has no result, in words for whoever wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault(Cow<'static, str>);

impl Fault {
    pub(super) const fn new(message: &'static str) -> Self {
        Self(Cow::Borrowed(message))
    }

    pub(super) fn said(message: String) -> Self {
        Self(Cow::Owned(message))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Why an expression has no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stop {
    /// It depends on what is not known yet.
    Unknown,
    /// It depends on that as well, but it can't come out as true: false, or this fault.
    Never(Fault),
    /// It can't have one.
    Fault(Fault),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// A fault with a fixed text.
pub(super) const fn fault(message: &'static str) -> Stop {
    Stop::Fault(Fault::new(message))
}
