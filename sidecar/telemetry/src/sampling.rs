//! The sampler at the edge: a trace may begin outside, but the decision to keep it is taken here.
//!
//! The caller's trace id is kept as the parent's, so that a trace stays whole. Its sampled flag is not believed unless
//! the operator says so, and neither is the id as a source of chance: `TraceIdRatioBased` keeps low ids, and whoever
//! chooses the id would choose to be kept. For an untrusted parent the ratio is drawn from a fresh id instead. Spans
//! below the first follow it, so a trace is kept or dropped as a whole within Tollward and, by the flag sent on, behind it.

use opentelemetry::{
    Context, KeyValue,
    trace::{Link, SpanKind, TraceContextExt, TraceId},
};
use opentelemetry_sdk::trace::{
    IdGenerator, RandomIdGenerator, Sampler, SamplingDecision, SamplingResult, ShouldSample,
};

use crate::settings::{RootSampler, SamplerSettings};

#[derive(Clone, Debug)]
pub(crate) struct EdgeSampler {
    root: Sampler,
    parent_based: bool,
    trust_inbound: bool,
    ids: RandomIdGenerator,
}

impl EdgeSampler {
    pub(crate) fn new(settings: &SamplerSettings) -> Self {
        let root = match settings.root {
            RootSampler::AlwaysOn => Sampler::AlwaysOn,
            RootSampler::AlwaysOff => Sampler::AlwaysOff,
            RootSampler::Ratio(ratio) => Sampler::TraceIdRatioBased(ratio),
        };
        Self {
            root,
            parent_based: settings.parent_based,
            trust_inbound: settings.trust_inbound,
            ids: RandomIdGenerator::default(),
        }
    }

    /// For when nothing is exported: ids are made, so that log lines and audit records can be joined, nothing is recorded.
    pub(crate) fn never() -> Self {
        Self { root: Sampler::AlwaysOff, parent_based: false, trust_inbound: false, ids: RandomIdGenerator::default() }
    }
}

impl ShouldSample for EdgeSampler {
    fn should_sample(
        &self,
        parent_context: Option<&Context>,
        trace_id: TraceId,
        name: &str,
        span_kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let parent = parent_context.map(|context| context.span().span_context().clone());
        let parent = parent.filter(opentelemetry::trace::SpanContext::is_valid);
        let untrusted = parent.as_ref().is_some_and(|parent| parent.is_remote() && !self.trust_inbound);
        match parent {
            Some(parent) if self.parent_based && !untrusted => SamplingResult {
                decision: if parent.is_sampled() { SamplingDecision::RecordAndSample } else { SamplingDecision::Drop },
                attributes: Vec::new(),
                trace_state: parent.trace_state().clone(),
            },
            Some(_) | None => {
                let drawn = if untrusted { self.ids.new_trace_id() } else { trace_id };
                self.root.should_sample(parent_context, drawn, name, span_kind, attributes, links)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceState};

    use super::*;

    fn parent(sampled: bool, remote: bool) -> Context {
        let flags = if sampled { TraceFlags::SAMPLED } else { TraceFlags::default() };
        // The lowest id there is: a ratio over ids would always keep it.
        let span = SpanContext::new(TraceId::from(1), SpanId::from(1), flags, remote, TraceState::default());
        Context::new().with_remote_span_context(span)
    }

    fn kept(sampler: &EdgeSampler, parent: &Context) -> bool {
        let result = sampler.should_sample(Some(parent), TraceId::from(1), "x", &SpanKind::Server, &[], &[]);
        result.decision == SamplingDecision::RecordAndSample
    }

    fn sampler(root: RootSampler, trust_inbound: bool) -> EdgeSampler {
        EdgeSampler::new(&SamplerSettings { root, parent_based: true, trust_inbound })
    }

    #[test]
    fn a_caller_can_not_switch_sampling_on_by_its_flag() {
        assert!(!kept(&sampler(RootSampler::AlwaysOff, false), &parent(true, true)));
    }

    #[test]
    fn a_caller_can_not_hide_by_an_unset_flag() {
        assert!(kept(&sampler(RootSampler::AlwaysOn, false), &parent(false, true)));
    }

    #[test]
    fn a_caller_can_not_steer_the_ratio_by_choosing_its_trace_id() {
        let half = sampler(RootSampler::Ratio(0.5), false);
        let count = (0..400).filter(|_| kept(&half, &parent(true, true))).count();
        assert!((100..300).contains(&count), "kept {count} of 400");
    }

    #[test]
    fn a_trusted_caller_decides() {
        assert!(kept(&sampler(RootSampler::AlwaysOff, true), &parent(true, true)));
        assert!(!kept(&sampler(RootSampler::AlwaysOn, true), &parent(false, true)));
    }

    #[test]
    fn a_span_follows_its_parent_inside_the_process() {
        assert!(kept(&sampler(RootSampler::AlwaysOff, false), &parent(true, false)));
        assert!(!kept(&sampler(RootSampler::AlwaysOn, false), &parent(false, false)));
    }
}
