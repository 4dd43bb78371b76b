//! The value of an expression, within a number of steps. No panic, no clock, no recursion beyond the tree's height.
//!
//! What is unknown stays unknown, unless the rest decides: `false && unknown` is false. `fault && unknown` is never true, but
//! it may be false: an Allow rule can be left out of a list then, and a Deny rule must not hide what could be allowed.

#![expect(clippy::wildcard_enum_match_arm, reason = "a value of any other type, also of a later one, is a fault")]

use super::expression::{Expression, Macro, Variable};
use super::facts::Scope;
use super::fault::{Fault, Stop, fault};
use super::found::{Found, owned, wrong};
use super::value::{Value, text_weight};
use super::{function, operate};
use std::borrow::Cow;

/// Longest text that a pattern is tried on.
const MAX_MATCHED: usize = 4096;

/// Evaluates; `element` is the variable of the macro around.
pub(super) fn evaluate<'e>(
    expression: &'e Expression,
    scope: &'e Scope<'e>,
    element: Option<&Cow<'e, Value<'e>>>,
) -> Found<'e> {
    scope.spend(1)?;
    // Under a negation, what is never true could be.
    let of = |expression: &'e Expression| evaluate(expression, scope, element).map_err(unsettled);
    let term = |expression: &'e Expression| boolean(evaluate(expression, scope, element));
    match expression {
        Expression::Literal(value) => Ok(Cow::Borrowed(value)),
        Expression::Variable(variable) => scope.variable(*variable),
        Expression::Element => copy(scope, element.ok_or(fault("there is no list around"))?),
        Expression::Select(map, name) => {
            let found = member(scope, of(map)?, name)?;
            found.ok_or_else(|| Stop::Fault(missing(map, name)))
        }
        Expression::Has(map, name) => Ok(owned(Value::Bool(member(scope, of(map)?, name)?.is_some()))),
        Expression::Index(of_what, key) => index(scope, of(of_what)?, &*of(key)?),
        Expression::Not(inner) => Ok(owned(Value::Bool(!boolean(of(inner))?))),
        Expression::Negate(inner) => operate::negate(&*of(inner)?).map(owned).map_err(Stop::from),
        Expression::And(terms) => decide(terms.iter().map(term), false),
        Expression::Or(terms) => decide(terms.iter().map(term), true),
        Expression::Binary(operator, left, right) => {
            let (left, right) = (of(left)?, of(right)?);
            scope.spend(left.surface().saturating_add(right.surface()))?;
            operate::binary(*operator, &left, &right, scope).map(owned)
        }
        Expression::Choose(condition, yes, no) => {
            if boolean(of(condition))? {
                of(yes)
            } else {
                of(no)
            }
        }
        Expression::List(items) => {
            let mut list = Vec::with_capacity(items.len());
            for item in items {
                list.push(taken(scope, of(item)?)?);
            }
            Ok(owned(Value::List(list)))
        }
        Expression::Call(function, arguments) => call(*function, arguments, scope, element),
        Expression::Matches(text, pattern) => {
            let text = of(text)?;
            let Value::Text(text) = text.as_ref() else {
                return Err(wrong("matches()", &text));
            };
            if text.len() > MAX_MATCHED {
                return Err(fault("matches() looks at texts of up to 4096 bytes"));
            }
            scope.spend(text_weight(text).saturating_mul(8))?;
            Ok(owned(Value::Bool(pattern.is_match(text))))
        }
        Expression::Macro(kind, range, body) => each(*kind, of(range)?, body, scope),
    }
}

fn call<'e>(
    function: super::expression::Function,
    arguments: &'e [Expression],
    scope: &'e Scope<'e>,
    element: Option<&Cow<'e, Value<'e>>>,
) -> Found<'e> {
    let of = |argument: &'e Expression| evaluate(argument, scope, element).map_err(unsettled);
    let first = arguments.first().map(of).transpose()?;
    let second = arguments.get(1).map(of).transpose()?;
    let first = first.ok_or(fault("a function has no argument"))?;
    scope.spend(first.surface().saturating_add(second.as_ref().map_or(0, |second| second.surface())))?;
    function::call(function, &first, second.as_deref()).map(owned)
}

fn boolean(found: Found<'_>) -> Result<bool, Stop> {
    match found?.as_ref() {
        Value::Bool(value) => Ok(*value),
        other => Err(wrong("a logical operator", other)),
    }
}

fn unsettled(stop: Stop) -> Stop {
    match stop {
        Stop::Never(_) | Stop::Unknown => Stop::Unknown,
        Stop::Fault(fault) => Stop::Fault(fault),
    }
}

/// `&&` ends with the first false, `||` with the first true; what has no value counts only if no term decides.
fn decide<'e>(terms: impl Iterator<Item = Result<bool, Stop>>, decisive: bool) -> Found<'e> {
    let (mut unknown, mut never, mut fault) = (false, None, None);
    for term in terms {
        match term {
            Ok(value) if value == decisive => return Ok(owned(Value::Bool(decisive))),
            Ok(_) => {}
            Err(Stop::Unknown) => unknown = true,
            Err(Stop::Never(found)) => never = never.or(Some(found)),
            Err(Stop::Fault(found)) => fault = fault.or(Some(found)),
        }
    }
    match (unknown, never, fault) {
        (false, None, None) => Ok(owned(Value::Bool(!decisive))),
        (false, None, Some(fault)) => Err(Stop::Fault(fault)),
        (true, None, None) => Err(Stop::Unknown),
        // One unknown term may make an `||` true, and can't make an `&&` true beside a fault.
        (true, _, _) if decisive => Err(Stop::Unknown),
        (true | false, Some(fault), _) | (true, None, Some(fault)) => Err(Stop::Never(fault)),
    }
}

/// A copy, which is paid for; a borrowed value costs nothing.
fn copy<'e>(scope: &Scope<'e>, value: &Cow<'e, Value<'e>>) -> Found<'e> {
    match value {
        Cow::Borrowed(value) => Ok(Cow::Borrowed(*value)),
        Cow::Owned(value) => {
            scope.spend(value.weight())?;
            Ok(Cow::Owned(value.clone()))
        }
    }
}

fn taken<'e>(scope: &Scope<'e>, value: Cow<'e, Value<'e>>) -> Result<Value<'e>, Stop> {
    if let Cow::Borrowed(value) = value {
        scope.spend(value.weight())?;
    }
    Ok(value.into_owned())
}

/// The member of an object. A number that can't be judged is found, and is a fault where it is used.
fn member<'e>(scope: &Scope<'e>, map: Cow<'e, Value<'e>>, name: &str) -> Result<Option<Cow<'e, Value<'e>>>, Stop> {
    match map {
        Cow::Borrowed(Value::Map(members)) => {
            scope.spend(looked_through(members.len()))?;
            Ok(members.get(name)?.map(Cow::Borrowed))
        }
        Cow::Owned(Value::Map(members)) => {
            scope.spend(looked_through(members.len()))?;
            match members.get(name)? {
                Some(value) => {
                    scope.spend(value.weight())?;
                    Ok(Some(Cow::Owned(value.clone())))
                }
                None => Ok(None),
            }
        }
        other => Err(wrong(&format!("`.{name}`"), &other)),
    }
}

fn looked_through(members: usize) -> u32 {
    u32::try_from(members / 16).unwrap_or(u32::MAX).saturating_add(1)
}

fn missing(of: &Expression, name: &str) -> Fault {
    let place = match of {
        Expression::Variable(Variable::Principal) => "principal",
        Expression::Variable(Variable::Call) => "call",
        Expression::Variable(Variable::Arguments) => "args",
        Expression::Select(_, name) => name,
        _ => "the value",
    };
    Fault::said(format!("{place} has no `{name}`, or it is not known"))
}

fn index<'e>(scope: &Scope<'e>, of: Cow<'e, Value<'e>>, key: &Value<'_>) -> Found<'e> {
    match (of.as_ref(), key) {
        (Value::Map(_), Value::Text(name)) => {
            member(scope, of, name)?.ok_or(fault("an object has no member of the name in [ ]"))
        }
        (Value::List(items), Value::Int(position)) => {
            let position = usize::try_from(*position).ok().filter(|position| *position < items.len());
            let position = position.ok_or(fault("a list has no element of the number in [ ]"))?;
            let nothing = fault("a list has no element of the number in [ ]");
            match of {
                Cow::Borrowed(Value::List(items)) => items.get(position).map(Cow::Borrowed).ok_or(nothing),
                Cow::Owned(Value::List(mut items)) => Ok(Cow::Owned(items.swap_remove(position))),
                Cow::Borrowed(_) | Cow::Owned(_) => Err(nothing),
            }
        }
        (of, key) => Err(Stop::Fault(Fault::said(format!(
            "a value of type {} has no element for a value of type {}",
            of.kind(),
            key.kind()
        )))),
    }
}

/// A macro over the elements of a list or the names of an object.
fn each<'e>(kind: Macro, range: Cow<'e, Value<'e>>, body: &'e Expression, scope: &'e Scope<'e>) -> Found<'e> {
    let items: Vec<Cow<'e, Value<'e>>> = match range {
        Cow::Borrowed(Value::List(items)) => items.iter().map(Cow::Borrowed).collect(),
        Cow::Owned(Value::List(items)) => items.into_iter().map(Cow::Owned).collect(),
        Cow::Borrowed(Value::Map(members)) => members.names().map(|name| owned(Value::Text(name.into()))).collect(),
        other => return Err(wrong("a macro", &other)),
    };
    scope.spend(u32::try_from(items.len()).unwrap_or(u32::MAX))?;
    let mut holding = items.iter().map(|item| boolean(evaluate(body, scope, Some(item))));
    match kind {
        Macro::All => decide(holding, false),
        Macro::Exists => decide(holding, true),
        // One that is never true may be false, and the others decide then.
        Macro::ExistsOne => {
            let mut count = 0_u32;
            for holds in holding {
                count += u32::from(holds.map_err(unsettled)?);
            }
            Ok(owned(Value::Bool(count == 1)))
        }
        Macro::Filter => {
            let mut kept = Vec::new();
            for item in &items {
                if holding.next().transpose().map_err(unsettled)? == Some(true) {
                    kept.push(taken(scope, copy(scope, item)?)?);
                }
            }
            Ok(owned(Value::List(kept)))
        }
    }
}
