//! Buckets of histograms. The SDK's default ones are made for milliseconds; the conventions measure in seconds.

use opentelemetry_sdk::metrics::{Aggregation, Instrument, InstrumentKind, Stream};

use crate::names::metric;

/// For MCP operations, sessions and streams: `docs/gen-ai/mcp.md` advises these, since tools may run for minutes.
pub const MCP_SECONDS: [f64; 14] = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0];

/// For everything else in seconds: what the HTTP conventions advise.
pub const HTTP_SECONDS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// The one view: histograms in seconds get buckets in seconds, whoever makes the instrument.
pub(crate) fn seconds(instrument: &Instrument) -> Option<Stream> {
    if instrument.kind() != InstrumentKind::Histogram || instrument.unit() != "s" {
        return None;
    }
    let name = instrument.name();
    let long = name.starts_with("mcp.") || name == metric::TOLLWARD_STREAM_DURATION;
    let boundaries = if long { MCP_SECONDS } else { HTTP_SECONDS };
    let aggregation = Aggregation::ExplicitBucketHistogram { boundaries: boundaries.to_vec(), record_min_max: true };
    Stream::builder().with_aggregation(aggregation).build().ok()
}
