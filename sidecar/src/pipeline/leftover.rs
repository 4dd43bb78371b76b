//! What an answer leaves unread of its request. The HTTP library ends an HTTP/1.1 connection on which a body is still to come,
//! without telling the client, and one that sends its next request in that moment fails. So what is small is taken off the
//! connection, and otherwise the answer says that the connection ends (RFC 9112 section 9.6).

use bytes::Buf;
use http::header::{CONNECTION, EXPECT};
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode, Version};
use http_body::Body;
use http_body_util::BodyExt as _;
use std::time::Duration;
use tokio::time::timeout;

/// Bytes that are thrown away to keep a connection: more than most calls have.
const MOST: usize = 64 * 1024;
/// Time in which they must have come. It only passes for a client that stops in the middle of its request.
const LONGEST: Duration = Duration::from_millis(100);

/// How the rest of a request may be dealt with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leftover {
    /// Another protocol than HTTP/1.1: a stream ends by itself, and HTTP/1.0 has no second request.
    Separate,
    /// The client waits to be asked for its body, which will not happen.
    Unsent,
    /// The client asked for a tunnel and may speak anything behind its request.
    Tunnel,
    /// The body is on its way.
    Coming,
}

impl Leftover {
    /// Of a request with this head.
    pub(super) fn of(parts: &Parts) -> Self {
        if parts.version != Version::HTTP_11 {
            return Self::Separate;
        }
        if parts.method == Method::CONNECT {
            return Self::Tunnel;
        }
        if parts.headers.contains_key(EXPECT) { Self::Unsent } else { Self::Coming }
    }

    /// Reads what is left, or says that the connection ends.
    pub(super) async fn settle<B, A>(self, body: &mut B, response: &mut Response<A>)
    where
        B: Body + Unpin,
    {
        // Most often nothing is left.
        let ended = (body.is_end_stream() && self != Self::Tunnel)
            || match self {
                Self::Separate => true,
                Self::Tunnel | Self::Unsent => false,
                Self::Coming if doubtful(response.status()) => false,
                Self::Coming => timeout(LONGEST, read(body)).await.unwrap_or(false),
            };
        if !ended {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
    }
}

/// Where this request ends is not certain enough, or too far away, for another to be read behind it.
fn doubtful(status: StatusCode) -> bool {
    [StatusCode::BAD_REQUEST, StatusCode::REQUEST_TIMEOUT, StatusCode::PAYLOAD_TOO_LARGE].contains(&status)
}

/// Whether that was all.
async fn read<B: Body + Unpin>(body: &mut B) -> bool {
    let mut left = MOST;
    if body.size_hint().lower() > MOST as u64 {
        return false;
    }
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return false };
        let taken = frame.data_ref().map_or(0, Buf::remaining);
        let Some(rest) = left.checked_sub(taken) else { return false };
        left = rest;
    }
    true
}

#[cfg(test)]
mod tests;
