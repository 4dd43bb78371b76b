//! The grammar of the three W3C headers, strictly.
//!
//! The SDK's propagators are lenient where a proxy must not be: they take short ids, log malformed baggage in clear, cut
//! a value at its second `=`, and write an empty `tracestate`.

use std::collections::BTreeSet;

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::{
    SpanId, TraceFlags, TraceId,
    trace::{SpanContext, TraceState},
};

/// Most bytes of a `tracestate` (Trace Context section 3.3.1.5 asks to propagate at least this many).
pub(super) const TRACESTATE_BYTES: usize = 512;
const TRACESTATE_MEMBERS: usize = 32;
/// Most bytes of `baggage` (Baggage section 3.3.2).
pub(super) const BAGGAGE_BYTES: usize = 8192;
const BAGGAGE_MEMBERS: usize = 64;
/// `00-` 32 digits `-` 16 digits `-` 2 digits.
const TRACEPARENT_BYTES: usize = 55;
/// A later version may add fields; none may make this header a burden.
const LONGEST_TRACEPARENT: usize = 256;

/// The lines of a list header as one, if all are text and together within the limit.
pub(super) fn joined(headers: &HeaderMap, name: &HeaderName, limit: usize) -> Option<String> {
    let mut whole = String::new();
    for (position, line) in headers.get_all(name).iter().enumerate() {
        let line = line.to_str().ok()?;
        if whole.len().saturating_add(line.len()).saturating_add(1) > limit.saturating_add(1) {
            return None;
        }
        if position > 0 {
            whole.push(',');
        }
        whole.push_str(line);
    }
    (!whole.is_empty()).then_some(whole)
}

/// The remote span of a `traceparent`, with its `tracestate` if that is valid too.
pub(super) fn span_context(traceparent: &str, tracestate: Option<&str>) -> Option<SpanContext> {
    let (trace_id, span_id, flags) = parse_traceparent(traceparent)?;
    // An invalid tracestate is dropped without its parent (Trace Context section 4.3).
    let state = tracestate.and_then(parse_tracestate).unwrap_or_default();
    let context = SpanContext::new(trace_id, span_id, flags, true, state);
    context.is_valid().then_some(context)
}

fn parse_traceparent(text: &str) -> Option<(TraceId, SpanId, TraceFlags)> {
    if text.len() > LONGEST_TRACEPARENT || !text.is_ascii() {
        return None;
    }
    let (known, rest) = text.split_at_checked(TRACEPARENT_BYTES)?;
    let mut parts = known.split('-');
    let version = hexadecimal(parts.next()?, 2)?;
    let trace_id = hexadecimal(parts.next()?, 32)?;
    let span_id = hexadecimal(parts.next()?, 16)?;
    let flags = hexadecimal(parts.next()?, 2)?;
    let complete = parts.next().is_none() && (rest.is_empty() || (version != "00" && rest.starts_with('-')));
    if !complete || version == "ff" {
        return None;
    }
    let sampled = u8::from_str_radix(flags, 16).ok()? & 1 == 1;
    let flags = if sampled { TraceFlags::SAMPLED } else { TraceFlags::default() };
    Some((TraceId::from_hex(trace_id).ok()?, SpanId::from_hex(span_id).ok()?, flags))
}

/// `text` itself, if it is exactly so many lower-case hexadecimal digits.
fn hexadecimal(text: &str, digits: usize) -> Option<&str> {
    let valid = text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    valid.then_some(text)
}

fn parse_tracestate(text: &str) -> Option<TraceState> {
    if text.len() > TRACESTATE_BYTES {
        return None;
    }
    let members: Vec<&str> =
        text.split(',').map(|member| member.trim_matches([' ', '\t'])).filter(|member| !member.is_empty()).collect();
    if members.len() > TRACESTATE_MEMBERS {
        return None;
    }
    let pairs = members.iter().map(|member| member.split_once('=')).collect::<Option<Vec<_>>>()?;
    let keys: BTreeSet<&str> = pairs.iter().map(|(key, _)| *key).collect();
    let values_are_valid = pairs.iter().all(|(key, value)| {
        !key.is_empty() && !value.is_empty() && value.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'=')
    });
    if keys.len() != pairs.len() || !values_are_valid {
        return None;
    }
    TraceState::from_key_value(pairs).ok()
}

/// The header to send on, if `text` is valid baggage. It is forwarded as it came: decoding and encoding again could turn
/// an encoded comma into a separator.
pub(super) fn baggage(text: &str) -> Option<HeaderValue> {
    if text.len() > BAGGAGE_BYTES || text.split(',').count() > BAGGAGE_MEMBERS {
        return None;
    }
    if !text.split(',').all(valid_member) {
        return None;
    }
    HeaderValue::from_str(text).ok()
}

fn valid_member(member: &str) -> bool {
    let mut parts = member.split(';').map(|part| part.trim_matches([' ', '\t']));
    let pair = parts.next().and_then(|pair| pair.split_once('='));
    let valid_pair = pair.is_some_and(|(key, value)| valid_token(trim_end(key)) && valid_value(trim_start(value)));
    valid_pair
        && parts.all(|property| match property.split_once('=') {
            Some((key, value)) => valid_token(trim_end(key)) && valid_value(trim_start(value)),
            None => valid_token(property),
        })
}

fn trim_end(text: &str) -> &str {
    text.trim_end_matches([' ', '\t'])
}

fn trim_start(text: &str) -> &str {
    text.trim_start_matches([' ', '\t'])
}

/// `token` of RFC 9110 section 5.6.2.
fn valid_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// `*baggage-octet`, with every `%` followed by two hexadecimal digits.
fn valid_value(text: &str) -> bool {
    let octets = text.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x2b | 0x2d..=0x3a | 0x3c..=0x5b | 0x5d..=0x7e));
    let escapes = text.split('%').skip(1).all(|rest| {
        let mut digits = rest.bytes().take(2);
        let both = [digits.next(), digits.next()];
        both.iter().all(|digit| digit.is_some_and(|digit| digit.is_ascii_hexdigit()))
    });
    octets && escapes
}

/// A `traceparent` of version 00.
pub(super) fn traceparent(span: &SpanContext) -> String {
    let flags = u8::from(span.is_sampled());
    format!("00-{}-{}-{flags:02x}", span.trace_id(), span.span_id())
}
