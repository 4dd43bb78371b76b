//! What the bridge itself answers, and how that looks as HTTP and JSON-RPC. No other file makes an error.

use crate::answer::{Answer, json};
use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};
use std::time::Duration;

/// Revisions that a server of before 2026-07-28 may speak.
const SESSION_REVISIONS: [&str; 3] = ["2025-11-25", "2025-06-18", "2025-03-26"];

/// Why there is no answer of the server's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// No message of JSON-RPC 2.0.
    #[error("the body is no single message of JSON-RPC 2.0")]
    Malformed,
    /// Larger than a message may be.
    #[error("the message is larger than the bridge lets through; see --max-message-bytes")]
    TooLarge,
    /// Not a method of the endpoint.
    #[error("this endpoint has no such method")]
    Method,
    /// A call without a session, and it is no `initialize`.
    #[error("Mcp-Session-Id is missing; begin with initialize")]
    SessionMissing,
    /// A session that is not, or no more.
    #[error("there is no such session; begin with initialize")]
    SessionUnknown,
    /// The same id waits for an answer in the same session.
    #[error("this id already waits for an answer")]
    Duplicate,
    /// As many processes as there may be.
    #[error("as many processes run as may")]
    Full,
    /// The server failed, and is not started again before that.
    #[error("the server failed and is started again later")]
    Waiting(Duration),
    /// The program can't be started.
    #[error("the server's program can't be started; see the container's log")]
    Start,
    /// The server does not read its input.
    #[error("the server does not take messages")]
    Busy,
    /// The process ended before it answered.
    #[error("the server's process ended before it answered")]
    Ended,
    /// A request of revision 2026-07-28, and the server is older.
    #[error("the server speaks no revision without sessions; begin with initialize")]
    Era(String),
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::Malformed | Self::SessionMissing | Self::Duplicate | Self::Era(_) => StatusCode::BAD_REQUEST,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::SessionUnknown => StatusCode::NOT_FOUND,
            Self::Full | Self::Waiting(_) | Self::Start | Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::Ended => StatusCode::OK,
        }
    }

    fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Full => Some(5),
            Self::Waiting(left) => Some(left.as_secs() + 1),
            Self::Start | Self::Busy => Some(1),
            Self::Malformed
            | Self::TooLarge
            | Self::Method
            | Self::SessionMissing
            | Self::SessionUnknown
            | Self::Duplicate
            | Self::Ended
            | Self::Era(_) => None,
        }
    }

    /// The JSON-RPC error for the request with this id, as it stands on the wire.
    pub(crate) fn message(&self, id: Option<&str>) -> Bytes {
        let id = id.unwrap_or("null");
        let error = match self {
            Self::Era(requested) => serde_json::json!({
                "code": -32022, "message": self.to_string(), "data": {"supported": SESSION_REVISIONS, "requested": requested},
            }),
            // A waiting call learns of it as of an error of the server's; the number is that of HTTP.
            Self::Ended => serde_json::json!({"code": 502, "message": self.to_string()}),
            Self::Malformed => serde_json::json!({"code": -32600, "message": self.to_string()}),
            Self::TooLarge
            | Self::Method
            | Self::SessionMissing
            | Self::SessionUnknown
            | Self::Duplicate
            | Self::Full
            | Self::Waiting(_)
            | Self::Start
            | Self::Busy => serde_json::json!({"code": self.status().as_u16(), "message": self.to_string()}),
        };
        Bytes::from(format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#))
    }

    /// The whole answer.
    pub(crate) fn answer(&self, id: Option<&str>) -> Answer {
        let mut answer = json(self.status(), self.message(id));
        if let Some(seconds) = self.retry_after() {
            answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        answer
    }
}
