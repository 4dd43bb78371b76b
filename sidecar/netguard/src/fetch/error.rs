//! Why a document could not be fetched: in detail for the operator's log, and in one sentence for everybody else.

use crate::dial::DialError;
use http::StatusCode;
use std::fmt::Write as _;
use std::time::Duration;

/// The only thing an outsider is told. One text for closed, filtered, denied, unverified and malformed alike, or whoever
/// may name a URL could map the network with it.
const PUBLIC_MESSAGE: &str = "the URL could not be fetched; the cause is in the log of the operator or replica that tried. Plain http, \
                              and addresses that are not public, need the installer's consent (`dial.allow`)";

/// Longest piece of a server's answer that an error repeats, in characters.
const MAX_QUOTE: usize = 200;

/// Why a fetch gave no document. `Display` is for the operator's log; outsiders get [`FetchError::public_message`].
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// No connection: denied by the guard, or failed.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// The total deadline passed.
    #[error("{target} gave no complete answer within {limit:?}: raise the limit, or find out why the server is slow")]
    Deadline {
        /// Host and port.
        target: String,
        /// The deadline.
        limit: Duration,
    },
    /// A 3xx answer, which is never followed.
    #[error("{target} answered {status} with a redirect to {location}: configure the URL that answers itself")]
    Redirect {
        /// Host and port.
        target: String,
        /// The status, 300 to 399.
        status: StatusCode,
        /// Where it points, escaped, shortened and without its query; `nowhere` if there is no `Location`.
        location: String,
    },
    /// A compressed or otherwise encoded body, although only `identity` was accepted.
    #[error("{target} answered in the coding {coding}: only identity is accepted, switch compression off")]
    Encoded {
        /// Host and port.
        target: String,
        /// The coding, escaped and shortened.
        coding: String,
    },
    /// The body is larger than [`FetchLimits::max_body`](crate::FetchLimits::max_body).
    #[error("{target} answered with more than {limit} bytes: raise the limit, or name another document")]
    TooLarge {
        /// Host and port.
        target: String,
        /// The limit in bytes.
        limit: usize,
    },
    /// The status line and headers are too large or too many.
    #[error("{target} answered with too many or too large headers")]
    HeadTooLarge {
        /// Host and port.
        target: String,
    },
    /// A body that only the end of the connection ends: nothing shows that it is complete.
    #[error("{target} answered without Content-Length or chunks: the body might be cut off, let the server frame it")]
    Unframed {
        /// Host and port.
        target: String,
    },
    /// The answer is no HTTP/1.1, or breaks off.
    #[error("the HTTP exchange with {target} failed: {cause}")]
    Exchange {
        /// Host and port.
        target: String,
        /// What the HTTP library says.
        cause: String,
    },
    /// The request can't be written as HTTP.
    #[error("the request can't be written as HTTP/1.1: {cause}")]
    Request {
        /// What is wrong with it.
        cause: String,
    },
}

impl FetchError {
    /// A text that is safe to give to whoever supplied the URL: it is the same for every error.
    pub const fn public_message(&self) -> &'static str {
        PUBLIC_MESSAGE
    }

    /// Whether the guard refused, so that trying again is of no use until the policy or the name changes.
    pub const fn is_denied(&self) -> bool {
        match self {
            Self::Dial(DialError::Denied { .. }) => true,
            Self::Dial(DialError::Resolve(_) | DialError::Connect { .. } | DialError::Tls { .. })
            | Self::Deadline { .. }
            | Self::Redirect { .. }
            | Self::Encoded { .. }
            | Self::TooLarge { .. }
            | Self::HeadTooLarge { .. }
            | Self::Unframed { .. }
            | Self::Exchange { .. }
            | Self::Request { .. } => false,
        }
    }

    pub(super) fn request(error: &dyn std::error::Error) -> Self {
        Self::Request { cause: error.to_string() }
    }

    pub(super) fn exchange(target: &str, error: &hyper::Error) -> Self {
        let target = target.to_owned();
        if error.is_parse_too_large() {
            Self::HeadTooLarge { target }
        } else {
            Self::Exchange { target, cause: with_sources(error) }
        }
    }
}

/// What a server sent, made fit for a log line.
pub(super) fn quote(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut quoted: String = text.chars().take(MAX_QUOTE).flat_map(char::escape_default).collect();
    if text.chars().nth(MAX_QUOTE).is_some() {
        quoted.push('…');
    }
    quoted
}

/// The HTTP library names the step in the error and the reason in its source; a log line needs both.
fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        // Writing to a string does not fail.
        let _ = write!(text, ": {source}");
        next = source.source();
    }
    text
}
