//! The id of a request, which answers repeat: JSON-RPC 2.0, section 4, bounded and without numbers that servers round.

use crate::json::Json;
use std::fmt;

/// Longest id, in bytes of JSON text.
const MAX_ID: usize = 256;

/// An id that no answer could repeat safely.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("`id` must be a string or an integer of at most {MAX_ID} bytes")]
pub(super) struct RequestIdError;

/// A request's id, as the raw JSON text of a string or an integer, for echoing in an answer.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RequestId(Box<str>);

impl RequestId {
    pub(super) fn read(id: Json<'_>) -> Result<Self, RequestIdError> {
        let text = id.text();
        // Integers beyond 64 bits, fractions and exponents become floating point in most servers, so that the answer
        // would carry another id.
        let is_integer = text != "-0" && text.parse::<i64>().is_ok();
        if text.len() <= MAX_ID && (is_integer || text.starts_with('"')) {
            Ok(Self(text.into()))
        } else {
            Err(RequestIdError)
        }
    }

    /// The id as JSON text, quotes included.
    pub fn as_json(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
