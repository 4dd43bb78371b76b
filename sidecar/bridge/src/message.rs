//! One JSON-RPC message: what kind it is, and where in its text stand the ids that may have to be others.
//!
//! The text is never written anew: ids are put in place of ids, and line ends between tokens become spaces, so that the server
//! reads what was judged.

use bytes::{Bytes, BytesMut};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::ops::Range;

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Wants an answer.
    Request,
    /// Wants none.
    Notification,
    /// Is one.
    Response,
}

/// A place in the text, and the value there in a form that can be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    range: Range<usize>,
    /// Equal for equal values, however they are written.
    pub(crate) key: String,
}

/// A message on one line.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    /// The text, without a line end.
    pub(crate) line: Bytes,
    pub(crate) kind: Kind,
    pub(crate) method: Option<String>,
    pub(crate) id: Option<Place>,
    /// What progress of the call is told under.
    pub(crate) progress: Option<Place>,
    /// The request that a notification belongs to (2026-07-28).
    pub(crate) subscription: Option<Place>,
    /// The revision that the message itself names (2026-07-28).
    pub(crate) revision: Option<String>,
    /// The error's code, in a response.
    pub(crate) error: Option<i64>,
}

#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    method: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    params: Option<&'a RawValue>,
    #[serde(borrow, default)]
    result: Option<&'a RawValue>,
    #[serde(default)]
    error: Option<WireError>,
}

#[derive(Deserialize)]
struct WireError {
    code: i64,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Inner<'a> {
    #[serde(borrow, default, rename = "_meta")]
    meta: Option<&'a RawValue>,
    #[serde(borrow, default)]
    progress_token: Option<&'a RawValue>,
}

#[derive(Deserialize, Default)]
struct Meta<'a> {
    #[serde(borrow, default, rename = "progressToken")]
    progress_token: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "io.modelcontextprotocol/subscriptionId")]
    subscription: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "io.modelcontextprotocol/protocolVersion")]
    revision: Option<&'a RawValue>,
}

impl Message {
    /// Reads a message, from whichever side. `None` for what is none.
    pub(crate) fn read(text: &Bytes) -> Option<Self> {
        let line = one_line(text);
        let wire: Wire<'_> = serde_json::from_slice(&line).ok()?;
        let kind = match (&wire.method, wire.id, wire.result.is_some() || wire.error.is_some()) {
            (Some(_), Some(_), false) => Kind::Request,
            (Some(_), None, false) => Kind::Notification,
            (None, Some(_), true) => Kind::Response,
            (Some(_), _, true) | (None, None, _) | (None, Some(_), false) => return None,
        };
        let place = |raw: &RawValue| place(&line, raw);
        // Parameters by position have no names to look for, and no MCP message has such.
        let inner: Inner<'_> = wire.params.or(wire.result).map(parse).unwrap_or_default();
        let meta: Meta<'_> = inner.meta.map(parse).unwrap_or_default();
        let progress = match kind {
            Kind::Request => meta.progress_token,
            Kind::Notification => inner.progress_token,
            Kind::Response => None,
        };
        Some(Self {
            kind,
            method: wire.method.map(Cow::into_owned),
            id: wire.id.and_then(place),
            progress: progress.and_then(place),
            subscription: meta.subscription.and_then(place),
            revision: meta.revision.and_then(|raw| serde_json::from_str(raw.get()).ok()),
            error: wire.error.map(|error| error.code),
            line,
        })
    }

    /// The text at a place, as it is written.
    pub(crate) fn at(&self, place: &Place) -> Option<&str> {
        std::str::from_utf8(self.line.get(place.range.clone())?).ok()
    }

    /// The id as it is written.
    pub(crate) fn id_text(&self) -> Option<&str> {
        self.id.as_ref().and_then(|place| self.at(place))
    }

    /// The same line with other values at those places.
    pub(crate) fn with(&self, mut changes: Vec<(&Place, &str)>) -> Bytes {
        changes.sort_by_key(|(place, _)| place.range.start);
        let mut line = BytesMut::with_capacity(self.line.len() + 64);
        let mut from = 0;
        for (place, value) in changes {
            line.extend_from_slice(self.line.get(from..place.range.start).unwrap_or_default());
            line.extend_from_slice(value.as_bytes());
            from = place.range.end;
        }
        line.extend_from_slice(self.line.get(from..).unwrap_or_default());
        line.freeze()
    }
}

fn parse<'a, T: Deserialize<'a> + Default>(raw: &'a RawValue) -> T {
    serde_json::from_str(raw.get()).unwrap_or_default()
}

/// Where a value borrowed from the line stands in it.
fn place(line: &Bytes, raw: &RawValue) -> Option<Place> {
    let start = raw.get().as_ptr().addr().checked_sub(line.as_ptr().addr())?;
    Some(Place { range: start..start + raw.get().len(), key: key(raw.get())? })
}

/// Servers write a value they were given in their own way: `1.0` comes back as `1`, `"\u0061"` as `"a"`.
fn key(text: &str) -> Option<String> {
    let value: serde_json::Value = serde_json::from_str(text).ok()?;
    match value.as_f64() {
        Some(number) if value.is_f64() && number.fract() == 0.0 && number.abs() < 9e15 => Some(format!("{number:.0}")),
        Some(_) | None => Some(value.to_string()),
    }
}

/// Without line ends. In JSON they stand between tokens only: within a text they must be escaped.
fn one_line(text: &Bytes) -> Bytes {
    let is_end = |byte: &u8| matches!(byte, b'\n' | b'\r');
    if !text.iter().any(is_end) {
        return text.clone();
    }
    text.iter().map(|byte| if is_end(byte) { b' ' } else { *byte }).collect()
}

#[cfg(test)]
mod tests;
