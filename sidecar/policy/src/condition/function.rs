//! Functions.

#![expect(clippy::wildcard_enum_match_arm, reason = "a value of any other type, also of a later one, is a fault")]

use super::calendar;
use super::expression::Function;
use super::fault::{Stop, fault};
use super::found::wrong;
use super::operate::double;
use super::value::Value;
use jiff::tz::Offset;
use std::borrow::Cow;

/// The value of a call.
pub(super) fn call<'e>(function: Function, first: &Value<'e>, second: Option<&Value<'e>>) -> Result<Value<'e>, Stop> {
    match function {
        Function::Size => size(first),
        Function::Contains => texts("contains()", first, second, |text, part| text.contains(part)),
        Function::StartsWith => texts("startsWith()", first, second, |text, part| text.starts_with(part)),
        Function::EndsWith => texts("endsWith()", first, second, |text, part| text.ends_with(part)),
        Function::LowerAscii => recased("lowerAscii()", first, str::to_ascii_lowercase),
        Function::UpperAscii => recased("upperAscii()", first, str::to_ascii_uppercase),
        Function::Int => int(first),
        Function::Double => to_double(first),
        Function::Timestamp => timestamp(first),
        Function::Duration => Err(wrong("duration()", first)),
        Function::Part(part) => {
            let offset = match second {
                None => Some(Offset::UTC),
                Some(Value::Text(zone)) => calendar::offset(zone),
                Some(_) => None,
            };
            let Value::Time(time) = first else {
                return Err(wrong("a part of a date", first));
            };
            let found = offset.and_then(|offset| calendar::part(part, *time, offset));
            found.map(Value::Int).ok_or(fault("the time has no such part"))
        }
    }
}

/// Characters of a text, elements of a list, members of an object.
fn size<'e>(value: &Value<'_>) -> Result<Value<'e>, Stop> {
    let size = match value {
        Value::Text(text) => text.chars().count(),
        Value::List(items) => items.len(),
        Value::Map(members) => members.len(),
        other => return Err(wrong("size()", other)),
    };
    i64::try_from(size).map(Value::Int).map_err(|_| fault("a size is too large"))
}

fn texts<'e>(
    name: &str,
    first: &Value<'_>,
    second: Option<&Value<'_>>,
    holds: fn(&str, &str) -> bool,
) -> Result<Value<'e>, Stop> {
    match (first, second) {
        (Value::Text(text), Some(Value::Text(part))) => Ok(Value::Bool(holds(text, part))),
        (Value::Text(_), Some(other)) | (other, _) => Err(wrong(name, other)),
    }
}

fn recased<'e>(name: &str, value: &Value<'_>, recase: fn(&str) -> String) -> Result<Value<'e>, Stop> {
    match value {
        Value::Text(text) => Ok(Value::Text(Cow::Owned(recase(text)))),
        other => Err(wrong(name, other)),
    }
}

/// Towards zero, as CEL has it. A text must be a whole number and nothing else.
#[expect(clippy::cast_possible_truncation, reason = "checked to be within the range of whole numbers")]
fn int<'e>(value: &Value<'_>) -> Result<Value<'e>, Stop> {
    match value {
        Value::Int(number) => Ok(Value::Int(*number)),
        Value::Double(number) if number.abs() < 9.2e18 => Ok(Value::Int(number.trunc() as i64)),
        Value::Text(text) => {
            text.parse().map(Value::Int).map_err(|_| fault("int() got a text that is no whole number"))
        }
        other => Err(wrong("int()", other)),
    }
}

fn to_double<'e>(value: &Value<'_>) -> Result<Value<'e>, Stop> {
    if let Some(number) = double(value) {
        return Ok(Value::Double(number));
    }
    match value {
        Value::Text(text) => {
            let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
            number.map(Value::Double).ok_or(fault("double() got a text that is no number"))
        }
        other => Err(wrong("double()", other)),
    }
}

/// Of RFC 3339, or of seconds since the epoch, as tokens have them.
fn timestamp<'e>(value: &Value<'_>) -> Result<Value<'e>, Stop> {
    let time = match value {
        Value::Time(time) => Some(*time),
        Value::Text(text) => calendar::time(text),
        Value::Int(seconds) => calendar::of_seconds(*seconds),
        other => return Err(wrong("timestamp()", other)),
    };
    time.map(Value::Time).ok_or(fault("timestamp() got no time"))
}
