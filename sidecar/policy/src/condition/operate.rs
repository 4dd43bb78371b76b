//! What stands between two values.
//!
//! Values of different types are neither equal nor different: comparing them is a fault, since a server that converts
//! would find `7` and `"7"` equal. Whole and decimal numbers compare by their exact values. No operation wraps around or
//! leads to infinity.

#![expect(clippy::wildcard_enum_match_arm, reason = "a value of any other type, also of a later one, is a fault")]

use super::calendar;
use super::expression::Operator;
use super::facts::Scope;
use super::fault::{Fault, Stop, fault};
use super::value::{Value, text_weight};
use std::borrow::Cow;
use std::cmp::Ordering;

/// Longest text and list that is put together.
const MAX_JOINED: usize = 64 * 1024;

/// The value of an operation.
pub(super) fn binary<'e>(
    operator: Operator,
    left: &Value<'e>,
    right: &Value<'e>,
    scope: &Scope<'_>,
) -> Result<Value<'e>, Stop> {
    Ok(match operator {
        Operator::Equal => Value::Bool(equal(left, right, scope)?),
        Operator::NotEqual => Value::Bool(!equal(left, right, scope)?),
        Operator::Less => Value::Bool(order(left, right)?.is_lt()),
        Operator::LessOrEqual => Value::Bool(order(left, right)?.is_le()),
        Operator::Greater => Value::Bool(order(left, right)?.is_gt()),
        Operator::GreaterOrEqual => Value::Bool(order(left, right)?.is_ge()),
        Operator::In => Value::Bool(contains(left, right, scope)?),
        Operator::Add => add(left, right, scope)?,
        Operator::Subtract => subtract(left, right)?,
        Operator::Multiply | Operator::Divide | Operator::Remainder => scale(operator, left, right)?,
    })
}

/// The negative of a number.
pub(super) fn negate<'e>(value: &Value<'_>) -> Result<Value<'e>, Fault> {
    match value {
        Value::Int(number) => number.checked_neg().map(Value::Int).ok_or(OVERFLOW),
        Value::Double(number) => Ok(Value::Double(-number)),
        Value::Span(span) => Ok(Value::Span(-span)),
        other => Err(Fault::said(format!("a value of type {} has no negative", other.kind()))),
    }
}

const OVERFLOW: Fault = Fault::new("a number becomes too large");

fn types(what: &str, left: &Value<'_>, right: &Value<'_>) -> Stop {
    Stop::Fault(Fault::said(format!("{what} can't be used with values of types {} and {}", left.kind(), right.kind())))
}

/// Whether two values are the same. Only null may be compared with anything.
fn equal(left: &Value<'_>, right: &Value<'_>, scope: &Scope<'_>) -> Result<bool, Stop> {
    match (left, right) {
        (Value::Unreadable, _) | (_, Value::Unreadable) => Err(types("a comparison", left, right)),
        (Value::Null, Value::Null) => Ok(true),
        (Value::Null, _) | (_, Value::Null) => Ok(false),
        (Value::Bool(left), Value::Bool(right)) => Ok(left == right),
        (Value::Text(left), Value::Text(right)) => Ok(left == right),
        (Value::List(left), Value::List(right)) => {
            if left.len() != right.len() {
                return Ok(false);
            }
            let mut same = true;
            for (left, right) in left.iter().zip(right) {
                scope.spend(left.surface().saturating_add(right.surface()))?;
                same &= equal(left, right, scope)?;
            }
            Ok(same)
        }
        (Value::Map(_), Value::Map(_)) => Err(fault("objects can't be compared; compare their members")),
        _ => order(left, right).map(Ordering::is_eq),
    }
}

fn order(left: &Value<'_>, right: &Value<'_>) -> Result<Ordering, Stop> {
    match (left, right) {
        (Value::Int(left), Value::Int(right)) => Ok(left.cmp(right)),
        (Value::Double(left), Value::Double(right)) => left.partial_cmp(right).ok_or(Stop::Fault(OVERFLOW)),
        (Value::Int(left), Value::Double(right)) => Ok(exact(*left, *right)),
        (Value::Double(left), Value::Int(right)) => Ok(exact(*right, *left).reverse()),
        (Value::Text(left), Value::Text(right)) => Ok(left.cmp(right)),
        (Value::Time(left), Value::Time(right)) | (Value::Span(left), Value::Span(right)) => Ok(left.cmp(right)),
        _ => Err(types("a comparison", left, right)),
    }
}

/// Compares without rounding either.
#[expect(clippy::cast_possible_truncation, reason = "checked to be within the range of whole numbers")]
fn exact(whole: i64, decimal: f64) -> Ordering {
    const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;
    if decimal >= TWO_TO_63 {
        return Ordering::Less;
    }
    if decimal < -TWO_TO_63 {
        return Ordering::Greater;
    }
    let rest = decimal.fract();
    let by_fraction = if rest > 0.0 {
        Ordering::Less
    } else if rest < 0.0 {
        Ordering::Greater
    } else {
        Ordering::Equal
    };
    whole.cmp(&(decimal.trunc() as i64)).then(by_fraction)
}

fn contains(item: &Value<'_>, container: &Value<'_>, scope: &Scope<'_>) -> Result<bool, Stop> {
    match (item, container) {
        (_, Value::List(items)) => {
            let mut found = false;
            let mut doubt = None;
            for other in items {
                scope.spend(item.surface().saturating_add(other.surface()))?;
                match equal(item, other, scope) {
                    Ok(same) => found |= same,
                    Err(stop) => doubt = Some(stop),
                }
            }
            // Not being in a list must be certain; being in it is, whatever else is there.
            if found { Ok(true) } else { doubt.map_or(Ok(false), Err) }
        }
        (Value::Text(name), Value::Map(members)) => Ok(members.get(name)?.is_some()),
        _ => Err(types("`in`", item, container)),
    }
}

fn add<'e>(left: &Value<'e>, right: &Value<'e>, scope: &Scope<'_>) -> Result<Value<'e>, Stop> {
    match (left, right) {
        (Value::Int(left), Value::Int(right)) => left.checked_add(*right).map(Value::Int).ok_or(Stop::Fault(OVERFLOW)),
        (Value::Text(one), Value::Text(two)) => {
            if one.len() + two.len() > MAX_JOINED {
                return Err(Stop::Fault(OVERFLOW));
            }
            scope.spend(text_weight(one).saturating_add(text_weight(two)))?;
            Ok(Value::Text(Cow::Owned(format!("{one}{two}"))))
        }
        (Value::List(one), Value::List(two)) => {
            scope.spend(left.weight().saturating_add(right.weight()))?;
            Ok(Value::List(one.iter().chain(two).cloned().collect()))
        }
        (Value::Time(time), Value::Span(span)) | (Value::Span(span), Value::Time(time)) => moved(*time, *span),
        (Value::Span(left), Value::Span(right)) => spanned(left.checked_add(*right)),
        _ => doubles(Operator::Add, left, right),
    }
}

fn subtract<'e>(left: &Value<'_>, right: &Value<'_>) -> Result<Value<'e>, Stop> {
    match (left, right) {
        (Value::Int(left), Value::Int(right)) => left.checked_sub(*right).map(Value::Int).ok_or(Stop::Fault(OVERFLOW)),
        (Value::Time(left), Value::Time(right)) | (Value::Span(left), Value::Span(right)) => {
            spanned(left.checked_sub(*right))
        }
        (Value::Time(time), Value::Span(span)) => moved(*time, span.saturating_neg()),
        _ => doubles(Operator::Subtract, left, right),
    }
}

fn scale<'e>(operator: Operator, left: &Value<'_>, right: &Value<'_>) -> Result<Value<'e>, Stop> {
    let (Value::Int(one), Value::Int(two)) = (left, right) else {
        return doubles(operator, left, right);
    };
    let result = match operator {
        Operator::Divide => one.checked_div(*two),
        Operator::Remainder => one.checked_rem(*two),
        _ => one.checked_mul(*two),
    };
    result.map(Value::Int).ok_or(fault("a division by zero, or a number becomes too large"))
}

fn moved<'e>(time: i128, span: i128) -> Result<Value<'e>, Stop> {
    let moved = time.checked_add(span).and_then(calendar::within);
    moved.map(Value::Time).ok_or(fault("a time leads out of the calendar"))
}

fn spanned<'e>(span: Option<i128>) -> Result<Value<'e>, Stop> {
    span.map(Value::Span).ok_or(fault("a span of time becomes too long"))
}

/// Two numbers of which one is decimal at least. A whole number takes part if a decimal can hold it.
fn doubles<'e>(operator: Operator, left: &Value<'_>, right: &Value<'_>) -> Result<Value<'e>, Stop> {
    let (Some(one), Some(two)) = (double(left), double(right)) else {
        return Err(types("an arithmetic operator", left, right));
    };
    let result = match operator {
        Operator::Add => one + two,
        Operator::Subtract => one - two,
        Operator::Multiply => one * two,
        Operator::Divide => one / two,
        _ => return Err(types("an arithmetic operator", left, right)),
    };
    if result.is_finite() { Ok(Value::Double(result)) } else { Err(Stop::Fault(OVERFLOW)) }
}

/// A number as a decimal, if it is one without rounding.
#[expect(clippy::cast_precision_loss, reason = "checked to be a number of at most 53 bits")]
pub(super) fn double(value: &Value<'_>) -> Option<f64> {
    match value {
        Value::Double(number) => Some(*number),
        Value::Int(number) if number.unsigned_abs() <= 1 << 53 => Some(*number as f64),
        _ => None,
    }
}
