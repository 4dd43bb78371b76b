//! Notes the outcome of a call while its bytes go by, for the audit record.
//!
//! It changes and delays nothing and keeps at most [`MAX_EVENT`] bytes. An answer beyond that is not determined, which the
//! record says, rather than held back.

use super::event_stream::{Decoder, Oversize, Piece};
use super::headers::Media;
use serde::Deserialize;
use serde::de::IgnoredAny;

/// Most bytes of one event, or of a JSON body, that are looked at.
pub const MAX_EVENT: usize = 64 * 1024;

/// How a call ended, as far as the server says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RpcOutcome {
    /// Code of the JSON-RPC error, if it is one.
    pub error_code: Option<i64>,
    /// True if a tool reports failure (`isError`).
    pub tool_error: bool,
    /// False if no response was seen, or it could not be looked at; the other members then mean nothing.
    pub determined: bool,
}

impl RpcOutcome {
    /// No response was seen, or none that can be looked into.
    pub const UNDETERMINED: Self = Self { error_code: None, tool_error: false, determined: false };
}

/// Looks at one answer.
#[derive(Debug)]
pub struct Observer {
    state: State,
}

#[derive(Debug)]
enum State {
    Body(Vec<u8>),
    Events(Box<Decoder>),
    Done(RpcOutcome),
}

#[derive(Deserialize)]
struct Response {
    method: Option<IgnoredAny>,
    error: Option<ResponseError>,
    result: Option<ResponseResult>,
}

#[derive(Deserialize)]
struct ResponseError {
    code: i64,
}

#[derive(Deserialize)]
struct ResponseResult {
    #[serde(rename = "isError", default)]
    is_error: Option<bool>,
}

impl Observer {
    /// An observer of an answer of that media type.
    pub fn new(media: Media) -> Self {
        let state = match media {
            Media::Json => State::Body(Vec::new()),
            Media::EventStream => State::Events(Box::new(Decoder::new(MAX_EVENT, Oversize::Skip))),
            Media::Opaque => State::Done(RpcOutcome::UNDETERMINED),
        };
        Self { state }
    }

    /// Takes the next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        let next = match &mut self.state {
            State::Body(body) if body.len() + bytes.len() > MAX_EVENT => Some(RpcOutcome::UNDETERMINED),
            State::Body(body) => {
                body.extend_from_slice(bytes);
                None
            }
            State::Events(decoder) => decoder.push(bytes).ok().and_then(|pieces| pieces.iter().find_map(of_piece)),
            State::Done(_) => None,
        };
        if let Some(outcome) = next {
            self.state = State::Done(outcome);
        }
    }

    /// Bytes that are kept.
    #[cfg(test)]
    fn held(&self) -> usize {
        match &self.state {
            State::Body(body) => body.len(),
            State::Events(decoder) => decoder.held(),
            State::Done(_) => 0,
        }
    }

    /// The outcome, once the answer has ended.
    pub fn finish(self) -> RpcOutcome {
        match self.state {
            State::Body(body) => of_message(&body).unwrap_or(RpcOutcome::UNDETERMINED),
            State::Events(_) => RpcOutcome::UNDETERMINED,
            State::Done(outcome) => outcome,
        }
    }
}

/// The first response on a stream is the answer; notifications and requests come before it.
fn of_piece(piece: &Piece) -> Option<RpcOutcome> {
    match piece {
        Piece::Comment(_) => None,
        Piece::Event(event) => of_message(event.data.as_deref()?),
    }
}

fn of_message(message: &[u8]) -> Option<RpcOutcome> {
    let response: Response = serde_json::from_slice(message).ok()?;
    match (response.method, response.error, response.result) {
        (None, Some(error), None) => {
            Some(RpcOutcome { error_code: Some(error.code), tool_error: false, determined: true })
        }
        (None, None, Some(result)) => {
            let tool_error = result.is_error.unwrap_or(false);
            Some(RpcOutcome { error_code: None, tool_error, determined: true })
        }
        (None | Some(_), None | Some(_), None | Some(_)) => None,
    }
}

#[cfg(test)]
mod tests;
