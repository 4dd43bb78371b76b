//! Trace context and baggage across the proxy: W3C headers in, bounded and checked; W3C headers out.
//!
//! What comes in was written by anybody. A `traceparent` counts only if there is exactly one and it is valid to the
//! letter, a `tracestate` only within 512 bytes and 32 members, `baggage` only within 8192 bytes and 64 members; what
//! breaks a limit is dropped whole, never repaired, and never logged (the SDK's own baggage propagator logs what it
//! can't read). What goes out is written anew from the parsed form, so that the header that was judged is the header
//! that travels: [`Propagation::inject`] removes whatever stood there.
//!
//! The request's body is not touched. For revision 2026-07-28 the context inside `params._meta` is read through
//! [`Propagation::extract_fields`] and is the parent of the span, while the headers' context becomes a link
//! (MCP conventions, "Context propagation").
//!
//! The caller's sampled flag is not believed by default: its ids are kept as the parent, the decision is
//! `sampling.rs`'s. While nothing is traced here, the caller's own span stays the parent of what is behind Tollward, since
//! an id of ours that nobody exports would cut the trace in two; its flag is cleared unless it is trusted.
//!
//! Specifications: <https://www.w3.org/TR/trace-context-2/>, <https://www.w3.org/TR/baggage/>.

mod w3c;

#[cfg(test)]
mod tests;

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::{
    Context,
    trace::{SpanContext, TraceContextExt, TraceFlags},
};

use crate::settings::{Propagators, Settings};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
const BAGGAGE: HeaderName = HeaderName::from_static("baggage");

/// How context travels through this process.
#[derive(Clone, Copy, Debug)]
pub struct Propagation {
    formats: Propagators,
    /// Whether spans of our own are exported, and may therefore stand between the caller's and the upstream's.
    traced: bool,
    trust_inbound: bool,
}

/// What a caller sent, checked.
#[derive(Clone, Debug, Default)]
pub struct Inbound {
    span: Option<SpanContext>,
    baggage: Option<HeaderValue>,
}

/// Context fields as they stand in `params._meta`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fields<'a> {
    /// `traceparent`.
    pub traceparent: Option<&'a str>,
    /// `tracestate`.
    pub tracestate: Option<&'a str>,
    /// `baggage`.
    pub baggage: Option<&'a str>,
}

impl Propagation {
    /// The way of travel that the settings ask for.
    pub fn new(settings: &Settings) -> Self {
        Self {
            formats: settings.propagators,
            traced: settings.traces.is_some(),
            trust_inbound: settings.sampler.trust_inbound,
        }
    }

    /// The same with spans of our own, wherever they go.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn traced(settings: &Settings) -> Self {
        Self { traced: true, ..Self::new(settings) }
    }

    /// Reads the context of a request's headers.
    pub fn extract(&self, headers: &HeaderMap) -> Inbound {
        let mut parents = headers.get_all(TRACEPARENT).iter();
        let traceparent = match (parents.next(), parents.next()) {
            (Some(only), None) => only.to_str().ok(),
            (None | Some(_), _) => None,
        };
        // Both lists may be spread over several lines, which count as one (RFC 9110 section 5.3).
        let tracestate = w3c::joined(headers, &TRACESTATE, w3c::TRACESTATE_BYTES);
        let baggage = w3c::joined(headers, &BAGGAGE, w3c::BAGGAGE_BYTES);
        self.extract_fields(Fields { traceparent, tracestate: tracestate.as_deref(), baggage: baggage.as_deref() })
    }

    /// Reads the context of `params._meta`, under the same limits.
    pub fn extract_fields(&self, fields: Fields<'_>) -> Inbound {
        let span = fields
            .traceparent
            .filter(|_| self.formats.trace_context)
            .and_then(|parent| w3c::span_context(parent, fields.tracestate));
        let baggage = fields.baggage.filter(|_| self.formats.baggage).and_then(w3c::baggage);
        Inbound { span, baggage }
    }

    /// Writes the context of a request to the upstream. `own` is the span that stands for that request here. Any
    /// `traceparent`, `tracestate` and `baggage` in `headers` are replaced or removed.
    pub fn inject(&self, inbound: &Inbound, own: &SpanContext, headers: &mut HeaderMap) {
        for name in [TRACEPARENT, TRACESTATE, BAGGAGE] {
            headers.remove(name);
        }
        if let Some(baggage) = inbound.baggage.as_ref().filter(|_| self.formats.baggage) {
            headers.insert(BAGGAGE, baggage.clone());
        }
        if !self.formats.trace_context {
            return;
        }
        let forwarded = inbound.span.as_ref().map(|span| self.without_an_untrusted_flag(span));
        let parent = match forwarded {
            Some(forwarded) if !self.traced || !own.is_valid() => Some(forwarded),
            Some(_) | None => own.is_valid().then(|| own.clone()),
        };
        let Some(parent) = parent else { return };
        if let Ok(value) = HeaderValue::try_from(w3c::traceparent(&parent)) {
            headers.insert(TRACEPARENT, value);
        }
        let state = parent.trace_state().header();
        if !state.is_empty()
            && let Ok(value) = HeaderValue::try_from(state)
        {
            headers.insert(TRACESTATE, value);
        }
    }

    fn without_an_untrusted_flag(self, span: &SpanContext) -> SpanContext {
        let flags = if self.trust_inbound { span.trace_flags() } else { TraceFlags::default() };
        SpanContext::new(span.trace_id(), span.span_id(), flags, true, span.trace_state().clone())
    }
}

impl Inbound {
    /// The caller's span, for a link.
    pub fn span_context(&self) -> Option<&SpanContext> {
        self.span.as_ref()
    }

    /// The parent context for a span of our own; empty if the caller sent none that counts.
    pub fn parent(&self) -> Context {
        match &self.span {
            Some(span) => Context::new().with_remote_span_context(span.clone()),
            None => Context::new(),
        }
    }
}
