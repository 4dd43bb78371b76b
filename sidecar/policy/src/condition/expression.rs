//! A compiled expression: a tree of bounded height in which every name is resolved.

use super::value::Value;
use regex::Regex;

/// A variable of every condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Variable {
    /// Who calls.
    Principal,
    /// What is called.
    Call,
    /// With which arguments.
    Arguments,
    /// When.
    Now,
}

/// What stands between two values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

/// A function; the first argument may stand before a dot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Size,
    Contains,
    StartsWith,
    EndsWith,
    LowerAscii,
    UpperAscii,
    Int,
    Double,
    Timestamp,
    Duration,
    Part(Part),
}

/// A part of a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Year.
    FullYear,
    /// Month, from 0 as in every CEL.
    Month,
    /// Day of the month, from 1.
    Date,
    /// Day of the month, from 0.
    DayOfMonth,
    /// Day of the week, from 0 for Sunday.
    DayOfWeek,
    /// Hour, 0 to 23.
    Hours,
    /// Minute.
    Minutes,
    /// Second.
    Seconds,
}

/// What is done with each element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Macro {
    All,
    Exists,
    ExistsOne,
    Filter,
}

/// An expression.
#[derive(Debug, Clone)]
pub(super) enum Expression {
    Literal(Value<'static>),
    Variable(Variable),
    /// The variable of the macro around; there is one at most.
    Element,
    Select(Box<Expression>, Box<str>),
    Has(Box<Expression>, Box<str>),
    Index(Box<Expression>, Box<Expression>),
    Not(Box<Expression>),
    Negate(Box<Expression>),
    /// All of them hold. A list, so that long chains are not deep.
    And(Vec<Expression>),
    /// One of them holds.
    Or(Vec<Expression>),
    Binary(Operator, Box<Expression>, Box<Expression>),
    Choose(Box<Expression>, Box<Expression>, Box<Expression>),
    List(Vec<Expression>),
    Call(Function, Vec<Expression>),
    /// A pattern is compiled with the condition, so that no caller brings one.
    Matches(Box<Expression>, Regex),
    Macro(Macro, Box<Expression>, Box<Expression>),
}
