//! What is written out in a condition and judged when it is compiled: patterns, times and time zones.

use super::calendar;
use super::expression::{Expression, Function};
use super::value::Value;
use regex::{Regex, RegexBuilder};

/// Most bytes of a compiled pattern; matching is linear in the text whatever the pattern.
const MAX_PATTERN: usize = 64 * 1024;

/// A pattern (RE2 syntax, as in every CEL).
pub(super) fn pattern(text: &str) -> Result<Regex, String> {
    let built = RegexBuilder::new(text).size_limit(MAX_PATTERN).dfa_size_limit(MAX_PATTERN).build();
    built.map_err(|error| {
        let too_large = matches!(error, regex::Error::CompiledTooBig(_));
        let said = if too_large { "is too large" } else { "can't be read; RE2 syntax is expected" };
        format!("the pattern of matches() {said}")
    })
}

/// The value of a call whose arguments are written out, if it is a time or a span; an error if it can't be one.
pub(super) fn fold(function: Function, arguments: &[Expression]) -> Result<Option<Value<'static>>, String> {
    match (function, arguments) {
        (Function::Timestamp, [Expression::Literal(Value::Text(text))]) => {
            let time = calendar::time(text).ok_or("a timestamp is written as 2026-01-31T08:00:00Z (RFC 3339)")?;
            Ok(Some(Value::Time(time)))
        }
        (Function::Duration, [Expression::Literal(Value::Text(text))]) => {
            let span = calendar::span(text).ok_or("a duration is written as 90s, 1h30m or 500ms")?;
            Ok(Some(Value::Span(span)))
        }
        (Function::Duration, _) => Err("duration() takes a text that is written out".to_owned()),
        (Function::Part(_), [_, Expression::Literal(Value::Text(zone))]) if calendar::offset(zone).is_some() => {
            Ok(None)
        }
        (Function::Part(_), [_, _]) => {
            Err("a time zone is an offset that is written out, such as '+02:00', or 'UTC'".to_owned())
        }
        (
            Function::Size
            | Function::Contains
            | Function::StartsWith
            | Function::EndsWith
            | Function::LowerAscii
            | Function::UpperAscii
            | Function::Int
            | Function::Double
            | Function::Timestamp
            | Function::Part(_),
            _,
        ) => Ok(None),
    }
}
