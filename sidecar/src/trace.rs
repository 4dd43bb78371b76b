//! The span of a request: begun before anything is judged, so that refusals are traced too.

use http::HeaderMap;
use opentelemetry::Context;
use opentelemetry::trace::{SpanKind, TraceContextExt as _, Tracer as _};
use opentelemetry_sdk::trace::SdkTracer;
use tollward_telemetry::names::span::UNPARSED_REQUEST;
use tollward_telemetry::{Inbound, Propagation, Telemetry};

/// Begins spans and carries their context to the upstream.
pub struct Tracing {
    tracer: SdkTracer,
    propagation: Propagation,
}

/// The span of a request and where it came from.
pub struct Traced {
    /// The request's own span.
    pub own: Context,
    /// What the caller sent.
    pub inbound: Inbound,
}

impl Tracing {
    /// Uses the process's telemetry.
    pub fn new(telemetry: &Telemetry) -> Self {
        Self { tracer: telemetry.tracer(), propagation: telemetry.propagation() }
    }

    /// Begins the span of a request.
    pub fn begin(&self, headers: &HeaderMap) -> Traced {
        let inbound = self.propagation.extract(headers);
        let builder = self.tracer.span_builder(UNPARSED_REQUEST).with_kind(SpanKind::Server);
        let span = self.tracer.build_with_context(builder, &inbound.parent());
        Traced { own: Context::new().with_span(span), inbound }
    }

    /// Headers that let the upstream's spans follow.
    pub fn upstream_headers(&self, inbound: &Inbound, own: &Context) -> HeaderMap {
        let mut headers = HeaderMap::new();
        self.propagation.inject(inbound, own.span().span_context(), &mut headers);
        headers
    }
}
