//! JSON objects of tokens and key sets, read by the same strict reader as messages: two readers that disagree about a
//! repeated member would let a token mean one thing to the issuer and another to us.

use serde_json::{Map, Value};

/// Not one JSON object without ambiguity. It says no more, since the library's own text repeats what it read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not one JSON object in UTF-8, at most {} deep and without repeated members", crate::json::MAX_DEPTH)]
pub(super) struct NotAnObject;

/// Reads one object and nothing after it.
pub(super) fn object(bytes: &[u8]) -> Result<Map<String, Value>, NotAnObject> {
    crate::json::parse(bytes).map_err(|_| NotAnObject)?;
    serde_json::from_slice(bytes).map_err(|_| NotAnObject)
}
