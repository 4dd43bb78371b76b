//! The trace context within a message, as far as it may be passed on.

use crate::json::Json;

/// Trace context that the client put into the message (W3C Trace Context and Baggage, MCP 2026-07-28 `_meta`). Each member
/// is a bounded, printable ASCII text, and unverified otherwise; whatever is not is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TraceContext {
    /// `traceparent`.
    pub traceparent: Option<Box<str>>,
    /// `tracestate`.
    pub tracestate: Option<Box<str>>,
    /// `baggage`.
    pub baggage: Option<Box<str>>,
}

impl TraceContext {
    pub(super) fn read(traceparent: Option<Json<'_>>, tracestate: Option<Json<'_>>, baggage: Option<Json<'_>>) -> Self {
        let bounded = |member: Option<Json<'_>>, most: usize| {
            let text = member?.string()?;
            let printable = text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
            (printable && !text.is_empty() && text.len() <= most).then(|| text.into())
        };
        Self {
            traceparent: bounded(traceparent, 128),
            tracestate: bounded(tracestate, 512),
            baggage: bounded(baggage, 8192),
        }
    }
}
