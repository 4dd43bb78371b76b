//! Conditions of rules: CEL over the caller, the call, its arguments and the time.
//!
//! Why not a library's evaluator: what decides about access must not have the holes that the one for Rust has (a member of
//! a text is `false`, so that `!args.user.blocked` holds for `"user": "x"`; `7 != 7.0`; an overflow panics; nesting
//! overflows the stack; no bound on the cost), and lists need a third truth value, "not known yet". So the language is
//! CEL's, a subset of it, and what it can't decide is a fault. `tests` compares it with that library.
//!
//! # Guarantees
//! - Whatever is missing, of another type, out of range or too costly is a [`Fault`]: an Allow rule does not apply then, and a
//!   Deny rule does.
//! - No text and no arguments, however odd, lead to a panic, an endless loop or a deep stack: the expression's length and
//!   height, the arguments' bytes and elements, and the steps of an evaluation are bounded.
//! - A fault never holds a value of a token or of the arguments.
//! - If a condition is false or a fault while the arguments are unknown, it does not hold for any arguments.

mod calendar;
mod evaluate;
mod expression;
mod facts;
mod fault;
mod found;
mod function;
mod lexer;
mod literal;
mod operate;
mod parser;
mod value;

pub use facts::{Arguments, CALL_STEPS, Facts, LIST_STEPS};
pub use fault::Fault;
pub use value::{MAX_ARGUMENTS, MAX_ELEMENTS};

pub(crate) use facts::Scope;

use expression::Expression;
use fault::Stop;
use std::fmt;
use std::sync::Arc;
use value::Value;

/// Longest text of a condition, in bytes.
pub const MAX_LENGTH: usize = 1024;

/// A compiled condition.
#[derive(Clone)]
pub struct Condition {
    text: Arc<str>,
    expression: Arc<Expression>,
}

/// Why a text is no condition, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct ConditionError {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong, and what to write instead.
    pub message: String,
}

/// What a condition says about a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It holds.
    Holds,
    /// It does not.
    Fails,
    /// It depends on arguments that are not known yet.
    Unknown,
    /// It depends on them as well, but does not hold whatever they are: it is false, or this fault.
    Never(Fault),
    /// It can't be decided.
    Fault(Fault),
}

impl Condition {
    /// Compiles a condition.
    pub fn compile(text: &str) -> Result<Self, ConditionError> {
        if text.len() > MAX_LENGTH {
            let message = format!("a condition has at most {MAX_LENGTH} bytes; split it into several rules");
            return Err(ConditionError { line: 1, column: 1, message });
        }
        Ok(Self { expression: Arc::new(parser::parse(text)?), text: text.into() })
    }

    /// The condition as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Decides.
    pub(crate) fn evaluate<'e>(&'e self, scope: &'e Scope<'e>) -> Outcome {
        match evaluate::evaluate(&self.expression, scope, None).as_deref() {
            Ok(Value::Bool(true)) => Outcome::Holds,
            Ok(Value::Bool(false)) => Outcome::Fails,
            Ok(other) => Outcome::Fault(Fault::said(format!("it is a value of type {}, not a bool", other.kind()))),
            Err(Stop::Unknown) => Outcome::Unknown,
            Err(Stop::Never(fault)) => Outcome::Never(fault.clone()),
            Err(Stop::Fault(fault)) => Outcome::Fault(fault.clone()),
        }
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Condition").field(&self.text).finish()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Holds => formatter.write_str("holds"),
            Self::Fails => formatter.write_str("does not hold"),
            Self::Unknown => formatter.write_str("depends on the arguments"),
            Self::Never(fault) | Self::Fault(fault) => write!(formatter, "can't be decided: {fault}"),
        }
    }
}

impl ConditionError {
    /// An error at a byte of the text.
    fn at(text: &str, at: usize, message: impl Into<String>) -> Self {
        let before = text.get(..at).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Self { line, column, message: message.into() }
    }
}

#[cfg(test)]
mod tests;
