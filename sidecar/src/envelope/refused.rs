//! Why a message is refused: our reason, and the code that the JSON-RPC and MCP specifications give it.
//!
//! It is mapped to HTTP elsewhere (`denial`). Its text never repeats what the caller sent, apart from versions in `data`
//! that passed a bound.

use super::request_id::RequestId;
use serde_json::Value;
use tollward_policy::operation::Era;
use tollward_policy::reason::Reason;

/// Codes of the JSON-RPC 2.0 specification (section 5.1) and of MCP 2026-07-28.
pub mod code {
    /// The body is not JSON.
    pub const PARSE_ERROR: i64 = -32700;
    /// The JSON is not a message.
    pub const INVALID_REQUEST: i64 = -32600;
    /// The method does not exist, or is not served.
    pub const METHOD_NOT_FOUND: i64 = -32601;
    /// A parameter is missing or of the wrong type.
    pub const INVALID_PARAMS: i64 = -32602;
    /// MCP: a header is missing or disagrees with the body.
    pub const HEADER_MISMATCH: i64 = -32020;
    /// MCP: the protocol revision is not served; `data` has `supported` and `requested`.
    pub const UNSUPPORTED_VERSION: i64 = -32022;
}

/// A message that is not let through.
#[derive(Debug, Clone, PartialEq)]
pub struct Refused {
    /// The reason.
    pub reason: Reason,
    /// JSON-RPC error code, see [`code`].
    pub rpc_code: i64,
    /// What is wrong, for the caller.
    pub message: String,
    /// `data` of the JSON-RPC error, where the specification asks for it.
    pub data: Option<Value>,
    /// The request that is answered, if its id could be read. None for notifications and posted responses.
    pub id: Option<RequestId>,
    /// The era, once it is known: an unknown method is 404 in one and 200 in the other.
    pub era: Option<Era>,
}

impl Refused {
    pub(super) fn new(reason: Reason, rpc_code: i64, message: impl Into<String>) -> Self {
        Self { reason, rpc_code, message: message.into(), data: None, id: None, era: None }
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(Reason::MessageInvalid, code::INVALID_REQUEST, message)
    }

    pub(super) fn params(message: impl Into<String>) -> Self {
        Self::new(Reason::MessageInvalid, code::INVALID_PARAMS, message)
    }

    pub(super) fn mismatch(message: impl Into<String>) -> Self {
        Self::new(Reason::HeaderMismatch, code::HEADER_MISMATCH, message)
    }

    pub(super) fn media(message: impl Into<String>) -> Self {
        Self::new(Reason::MediaTypeRefused, code::INVALID_REQUEST, message)
    }

    pub(super) fn answering(mut self, id: Option<&RequestId>) -> Self {
        self.id = id.cloned();
        self
    }

    pub(super) fn in_era(mut self, era: Era) -> Self {
        self.era = Some(era);
        self
    }
}
