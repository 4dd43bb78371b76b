//! Answers: whole, or while they come.

use super::Connection;
use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde_json::Value;

/// A whole answer.
#[derive(Debug, Clone)]
pub struct Reply {
    /// Status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// Body.
    pub body: Bytes,
}

impl Reply {
    /// A header's text; empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The body as JSON; null if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// `data.reason` of the JSON-RPC error; empty if there is none.
    pub fn reason(&self) -> String {
        self.json().pointer("/error/data/reason").and_then(Value::as_str).unwrap_or_default().to_owned()
    }
}

/// An answer whose body is still coming.
pub struct Opened {
    /// Status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    body: Incoming,
    read: Vec<u8>,
    connection: Option<Connection>,
}

impl Opened {
    pub(super) fn new(response: Response<Incoming>) -> Self {
        let (parts, body) = response.into_parts();
        Self { status: parts.status, headers: parts.headers, body, read: Vec::new(), connection: None }
    }

    pub(super) fn holding(mut self, connection: Connection) -> Self {
        self.connection = Some(connection);
        self
    }

    /// A header's text; empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The next piece, never empty; `None` at the end, an error if it broke off.
    pub async fn piece(&mut self) -> Option<Result<Bytes, hyper::Error>> {
        loop {
            match self.body.frame().await? {
                Ok(frame) => match frame.into_data() {
                    Ok(data) if !data.is_empty() => return Some(Ok(data)),
                    Ok(_) | Err(_) => {}
                },
                Err(error) => return Some(Err(error)),
            }
        }
    }

    /// The next server-sent event, without its blank line; `None` at the end or if it broke off.
    pub async fn event(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.read.windows(2).position(|pair| pair == b"\n\n") {
                let rest = self.read.split_off(end + 2);
                let event = std::mem::replace(&mut self.read, rest);
                return Some(String::from_utf8_lossy(&event).trim_end().to_owned());
            }
            let piece = self.piece().await?.ok()?;
            self.read.extend_from_slice(&piece);
        }
    }

    /// The whole answer, or the error with which it broke off.
    pub async fn whole(self) -> Result<Reply, hyper::Error> {
        let Self { status, headers, body, read: _, connection } = self;
        let body = body.collect().await?.to_bytes();
        drop(connection);
        Ok(Reply { status, headers, body })
    }
}
