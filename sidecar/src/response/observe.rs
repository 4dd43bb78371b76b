//! Notes the outcome of a call while its bytes go by, for the audit record, and the task that it began.
//!
//! It changes and delays nothing and keeps at most [`MAX_EVENT`] bytes. An answer beyond that is not determined, which the
//! record says, rather than held back.

use super::event_stream::{Decoder, Oversize, Piece};
use super::headers::Media;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

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
    Done(Said),
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
    /// MCP 2025-11-25: `{"taskId": ...}`. Any value, since what is no task must not hide the outcome.
    #[serde(default)]
    task: Option<Value>,
    /// SEP-2663.
    #[serde(rename = "taskId", default)]
    task_id: Option<Value>,
}

impl ResponseResult {
    fn task(&self) -> Option<&str> {
        self.task_id.as_ref().or_else(|| self.task.as_ref()?.get("taskId"))?.as_str()
    }
}

/// What a response says.
#[derive(Debug)]
struct Said {
    outcome: RpcOutcome,
    task: Option<Box<str>>,
}

/// What an answer came to.
#[derive(Debug)]
pub struct Observed {
    /// How the call ended.
    pub outcome: RpcOutcome,
    /// Id of the task that it began.
    pub task: Option<Box<str>>,
}

impl Said {
    const NOTHING: Self = Self { outcome: RpcOutcome::UNDETERMINED, task: None };
}

impl Observer {
    /// An observer of an answer of that media type.
    pub fn new(media: Media) -> Self {
        let state = match media {
            Media::Json => State::Body(Vec::new()),
            Media::EventStream => State::Events(Box::new(Decoder::new(MAX_EVENT, Oversize::Skip))),
            Media::Opaque => State::Done(Said::NOTHING),
        };
        Self { state }
    }

    /// Takes the next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        let next = match &mut self.state {
            State::Body(body) if body.len() + bytes.len() > MAX_EVENT => Some(Said::NOTHING),
            State::Body(body) => {
                body.extend_from_slice(bytes);
                None
            }
            State::Events(decoder) => decoder.push(bytes).ok().and_then(|pieces| pieces.iter().find_map(of_piece)),
            State::Done(_) => None,
        };
        if let Some(said) = next {
            self.state = State::Done(said);
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
        self.conclude().outcome
    }

    /// The outcome and the task, once the answer has ended.
    pub fn conclude(self) -> Observed {
        let Said { outcome, task } = match self.state {
            State::Body(body) => of_message(&body).unwrap_or(Said::NOTHING),
            State::Events(_) => Said::NOTHING,
            State::Done(said) => said,
        };
        Observed { outcome, task }
    }

    /// The task that a stream's response began, as soon as it has gone by; given once.
    pub fn take_task(&mut self) -> Option<Box<str>> {
        match &mut self.state {
            State::Done(said) => said.task.take(),
            State::Body(_) | State::Events(_) => None,
        }
    }
}

/// The first response on a stream is the answer; notifications and requests come before it.
fn of_piece(piece: &Piece) -> Option<Said> {
    match piece {
        Piece::Comment(_) => None,
        Piece::Event(event) => of_message(event.data.as_deref()?),
    }
}

fn of_message(message: &[u8]) -> Option<Said> {
    let response: Response = serde_json::from_slice(message).ok()?;
    match (response.method, response.error, response.result) {
        (None, Some(error), None) => {
            let outcome = RpcOutcome { error_code: Some(error.code), tool_error: false, determined: true };
            Some(Said { outcome, task: None })
        }
        (None, None, Some(result)) => {
            let tool_error = result.is_error.unwrap_or(false);
            let task = result.task().map(Box::from);
            Some(Said { outcome: RpcOutcome { error_code: None, tool_error, determined: true }, task })
        }
        (None | Some(_), None | Some(_), None | Some(_)) => None,
    }
}

#[cfg(test)]
mod tests;
