//! Context from outside: what counts, what is dropped, and that only what was checked travels on.

use opentelemetry::trace::TraceState;
use proptest::prelude::*;

use super::*;

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const SPAN: &str = "00f067aa0ba902b7";

fn propagation(traced: bool, variables: &[(&str, &str)]) -> Propagation {
    let lookup = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
    let settings = Settings::from_lookup(lookup).unwrap();
    if traced { Propagation::traced(&settings) } else { Propagation::new(&settings) }
}

fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in lines {
        map.append(*name, HeaderValue::from_str(value).unwrap());
    }
    map
}

fn own() -> SpanContext {
    let Inbound { span, .. } = propagation(true, &[]).extract_fields(Fields {
        traceparent: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-1111111111111111-01"),
        ..Fields::default()
    });
    span.unwrap()
}

fn sent(propagation: Propagation, inbound: &Inbound, own: &SpanContext) -> HeaderMap {
    let mut upstream = headers(&[("traceparent", "forged"), ("tracestate", "forged=1"), ("baggage", "forged=1")]);
    propagation.inject(inbound, own, &mut upstream);
    upstream
}

fn text<'a>(map: &'a HeaderMap, name: &str) -> Option<&'a str> {
    map.get(name).map(|value| value.to_str().unwrap())
}

fn parent_of(value: &str) -> Option<SpanContext> {
    propagation(true, &[]).extract(&headers(&[("traceparent", value)])).span
}

#[test]
fn a_valid_traceparent_becomes_a_remote_parent() {
    let inbound = propagation(true, &[]).extract(&headers(&[("traceparent", PARENT), ("tracestate", "a=1, b=2")]));
    let span = inbound.span_context().unwrap();
    assert!(span.is_remote() && span.is_sampled());
    assert_eq!(span.span_id().to_string(), SPAN);
    assert_eq!(span.trace_state().header(), "a=1,b=2");
    assert_eq!(inbound.parent().span().span_context(), span);
}

#[test]
fn a_traceparent_that_is_not_valid_to_the_letter_does_not_count() {
    for bad in [
        "",
        "00-1-2-1",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-extra",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0g",
        "+0-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01x",
        " 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    ] {
        assert!(parent_of(bad).is_none(), "{bad:?}");
    }
    let long = format!("01{}-{}", &PARENT[2..], "x".repeat(300));
    assert!(parent_of(&long).is_none());
}

#[test]
fn a_later_version_is_read_as_far_as_it_is_known() {
    assert!(parent_of(&format!("01{}-future", &PARENT[2..])).is_some());
}

#[test]
fn two_traceparents_are_none() {
    let twice = headers(&[("traceparent", PARENT), ("traceparent", PARENT)]);
    assert!(propagation(true, &[]).extract(&twice).span_context().is_none());
}

#[test]
fn a_tracestate_beyond_its_limits_is_dropped_without_its_parent() {
    let many = (0..33).map(|n| format!("k{n}=1")).collect::<Vec<_>>().join(",");
    let long = format!("a={}", "x".repeat(511));
    for bad in [many.as_str(), long.as_str(), "a", "A=1", "a=1,a=2", "a=b=c", "a=", "=1", "a=\tb"] {
        let map = headers(&[("traceparent", PARENT), ("tracestate", bad)]);
        let span = propagation(true, &[]).extract(&map).span.unwrap();
        assert_eq!(span.trace_state(), &TraceState::default(), "{bad:?}");
    }
}

#[test]
fn the_lines_of_a_tracestate_count_as_one() {
    let map = headers(&[("traceparent", PARENT), ("tracestate", "a=1"), ("tracestate", "b=2")]);
    let span = propagation(true, &[]).extract(&map).span.unwrap();
    assert_eq!(span.trace_state().header(), "a=1,b=2");
    let half = format!("a={}", "x".repeat(253));
    let other = half.replacen('a', "b", 1);
    let fits = headers(&[("traceparent", PARENT), ("tracestate", &half), ("tracestate", &other)]);
    assert!(!propagation(true, &[]).extract(&fits).span.unwrap().trace_state().header().is_empty());
    let third =
        headers(&[("traceparent", PARENT), ("tracestate", &half), ("tracestate", &other), ("tracestate", "c=1")]);
    assert!(propagation(true, &[]).extract(&third).span.unwrap().trace_state().header().is_empty());
}

#[test]
fn valid_baggage_travels_on_byte_for_byte() {
    let line = "user=a%2Cb;meta=1;p%2Ctenant=x, token=YWJj==";
    let whole = "user=a%2Cb;meta=1, token=YWJj==";
    let inbound = propagation(true, &[]).extract(&headers(&[("baggage", whole)]));
    assert_eq!(text(&sent(propagation(true, &[]), &inbound, &own()), "baggage"), Some(whole));
    assert!(propagation(true, &[]).extract(&headers(&[("baggage", line)])).baggage.is_some(), "% is a token character");
}

#[test]
fn baggage_beyond_its_limits_or_grammar_is_dropped() {
    let many = (0..65).map(|n| format!("k{n}=1")).collect::<Vec<_>>().join(",");
    let long = format!("a={}", "x".repeat(8191));
    for bad in [many.as_str(), long.as_str(), "a", "a=1,", "=1", "a=b c", "a=\"b\"", "a=%zz", "a=%2", "a=\\", "a b=1"] {
        let inbound = propagation(true, &[]).extract(&headers(&[("baggage", bad)]));
        assert_eq!(text(&sent(propagation(true, &[]), &inbound, &own()), "baggage"), None, "{bad:?}");
    }
}

#[test]
fn our_span_becomes_the_parent_of_what_is_behind() {
    let inbound = propagation(true, &[]).extract(&headers(&[("traceparent", PARENT)]));
    let upstream = sent(propagation(true, &[]), &inbound, &own());
    let expected = "00-4bf92f3577b34da6a3ce929d0e0e4736-1111111111111111-01";
    assert_eq!(text(&upstream, "traceparent"), Some(expected));
    assert_eq!(text(&upstream, "tracestate"), None, "an empty header is not sent");
}

#[test]
fn without_spans_of_our_own_the_callers_span_stays_the_parent_and_its_flag_is_not_believed() {
    let map = headers(&[("traceparent", PARENT), ("tracestate", "a=1")]);
    let untrusted = propagation(false, &[]);
    let upstream = sent(untrusted, &untrusted.extract(&map), &own());
    assert_eq!(text(&upstream, "traceparent"), Some(PARENT.replace("-01", "-00").as_str()));
    assert_eq!(text(&upstream, "tracestate"), Some("a=1"));
    let trusted = propagation(false, &[("TOLLWARD_TRUST_INBOUND_SAMPLING", "true")]);
    assert_eq!(text(&sent(trusted, &trusted.extract(&map), &own()), "traceparent"), Some(PARENT));
}

#[test]
fn what_was_not_checked_never_travels() {
    let upstream = sent(propagation(true, &[]), &Inbound::default(), &SpanContext::empty_context());
    assert!(upstream.is_empty(), "{upstream:?}");
    let silent = propagation(true, &[("OTEL_PROPAGATORS", "none")]);
    let inbound = silent.extract(&headers(&[("traceparent", PARENT), ("baggage", "a=1")]));
    assert!(inbound.span_context().is_none());
    assert!(sent(silent, &inbound, &own()).is_empty());
}

#[test]
fn the_fields_of_meta_obey_the_same_limits() {
    let long = "x".repeat(9000);
    let fields = Fields { traceparent: Some(PARENT), tracestate: Some(&long), baggage: Some(&long) };
    let inbound = propagation(true, &[]).extract_fields(fields);
    assert!(inbound.span_context().unwrap().trace_state().header().is_empty());
    assert!(inbound.baggage.is_none());
}

proptest! {
    #[test]
    fn no_input_breaks_out_of_its_header(parent in "\\PC{0,80}", state in "\\PC{0,600}", baggage in "\\PC{0,600}") {
        let fields = Fields { traceparent: Some(&parent), tracestate: Some(&state), baggage: Some(&baggage) };
        let inbound = propagation(false, &[]).extract_fields(fields);
        let upstream = sent(propagation(false, &[]), &inbound, &SpanContext::empty_context());
        for value in upstream.values() {
            prop_assert!(value.to_str().is_ok());
        }
        if let Some(sent) = upstream.get("traceparent") {
            prop_assert_eq!(sent.len(), 55);
        }
    }

    #[test]
    fn what_is_sent_is_read_back_the_same(trace in 1u128.., span in 1u64.., sampled: bool) {
        let flag = u8::from(sampled);
        let parent = format!("00-{trace:032x}-{span:016x}-{flag:02x}");
        let trusting = propagation(false, &[("TOLLWARD_TRUST_INBOUND_SAMPLING", "true")]);
        let inbound = trusting.extract(&headers(&[("traceparent", &parent)]));
        let upstream = sent(trusting, &inbound, &SpanContext::empty_context());
        prop_assert_eq!(text(&upstream, "traceparent"), Some(parent.as_str()));
    }
}
