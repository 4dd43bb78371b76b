//! What an expression comes to: a value, or why there is none.

use super::fault::{Fault, Stop};
use super::value::Value;
use std::borrow::Cow;

/// A value, borrowed from the condition, the token or the arguments where it can be.
pub(super) type Found<'e> = Result<Cow<'e, Value<'e>>, Stop>;

/// A value that was made.
pub(super) fn owned(value: Value<'_>) -> Cow<'_, Value<'_>> {
    Cow::Owned(value)
}

/// A fault about the type of a value.
pub(super) fn wrong(what: &str, value: &Value<'_>) -> Stop {
    Stop::Fault(Fault::said(format!("{what} can't be used with a value of type {}", value.kind())))
}
