//! What a condition knows about a call, read when a condition looks at it and once for all conditions of a decision.

use super::expression::Variable;
use super::fault::{Fault, Stop, fault};
use super::found::{Found, owned};
use super::value::{Members, Value, of_arguments, of_claims};
use crate::operation::{Operation, Target};
use crate::principal::{Membership, Principal};
use std::borrow::Cow;
use std::cell::{Cell, OnceCell};

/// Steps for all conditions of one call. A step is a node of an expression, or some 32 bytes that are looked at.
pub const CALL_STEPS: u32 = 100_000;
/// Steps for all conditions of one list. What is beyond is not shown.
pub const LIST_STEPS: u32 = 2_000_000;

/// The arguments of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arguments<'a> {
    /// JSON text of an object: exactly the bytes that are forwarded.
    Given(&'a [u8]),
    /// The call has none, which reads as an empty object.
    None,
    /// Not known yet: a list asks what could be called. Nor is a resource known that a template stands for.
    Unknown,
}

/// What conditions know, besides the operation.
#[derive(Debug)]
pub struct Facts<'a> {
    principal: &'a Principal,
    revision: &'a str,
    arguments: Arguments<'a>,
    is_template: bool,
    now: i64,
    steps: Cell<u32>,
}

impl<'a> Facts<'a> {
    /// Facts about a call at a time, in seconds since the epoch.
    pub fn of_call(principal: &'a Principal, revision: &'a str, arguments: Arguments<'a>, now: i64) -> Self {
        Self { principal, revision, arguments, is_template: false, now, steps: Cell::new(CALL_STEPS) }
    }

    /// Facts about what a list shows, with the steps that are left for the list. `is_template` says that the resource
    /// stands for others.
    pub fn of_listed(principal: &'a Principal, revision: &'a str, is_template: bool, now: i64, steps: u32) -> Self {
        Self { principal, revision, arguments: Arguments::Unknown, is_template, now, steps: Cell::new(steps) }
    }

    /// Steps that are left.
    pub fn steps_left(&self) -> u32 {
        self.steps.get()
    }
}

/// Facts and the operation that is judged.
pub(crate) struct Scope<'e> {
    facts: &'e Facts<'e>,
    operation: &'e Operation,
    principal: OnceCell<Value<'e>>,
    arguments: OnceCell<Result<Value<'e>, Fault>>,
}

impl<'e> Scope<'e> {
    pub(crate) fn new(facts: &'e Facts<'e>, operation: &'e Operation) -> Self {
        Self { facts, operation, principal: OnceCell::new(), arguments: OnceCell::new() }
    }

    /// Takes steps from those that are left.
    pub(super) fn spend(&self, steps: u32) -> Result<(), Stop> {
        let left = self.facts.steps.get().checked_sub(steps);
        self.facts.steps.set(left.unwrap_or_default());
        left.map(|_| ()).ok_or(fault("the conditions take too many steps for this call"))
    }

    pub(super) fn variable(&'e self, variable: Variable) -> Found<'e> {
        match variable {
            Variable::Principal => Ok(Cow::Borrowed(self.principal.get_or_init(|| principal(self.facts.principal)))),
            Variable::Call => self.call(),
            Variable::Arguments => match self.facts.arguments {
                Arguments::Unknown => Err(Stop::Unknown),
                Arguments::None => Ok(owned(Value::Map(Members::default()))),
                Arguments::Given(text) => read(self.arguments.get_or_init(|| of_arguments(text))),
            },
            Variable::Now => Ok(owned(Value::Time(i128::from(self.facts.now) * super::calendar::SECOND))),
        }
    }

    /// The members that the operation has; others are missing, which is a fault where they are looked at.
    fn call(&self) -> Found<'e> {
        let text = |text: &'e str| Value::Text(Cow::Borrowed(text));
        let mut members = Members::default();
        members.add("method", text(self.operation.method.as_str()));
        members.add("revision", text(self.facts.revision));
        match &self.operation.target {
            Target::Tool(name) => members.add("tool", text(name)),
            Target::Prompt(name) => members.add("prompt", text(name)),
            Target::Resources(_) if self.facts.is_template => return Err(Stop::Unknown),
            Target::Resources(uris) => {
                if let [uri] = uris.as_slice() {
                    members.add("resource", text(uri));
                }
            }
            Target::None | Target::Task(_) => {}
        }
        Ok(owned(Value::Map(members)))
    }
}

fn read<'e>(value: &'e Result<Value<'e>, Fault>) -> Found<'e> {
    match value {
        Ok(value) => Ok(Cow::Borrowed(value)),
        Err(fault) => Err(Stop::Fault(fault.clone())),
    }
}

/// An anonymous caller has no members at all, so that every condition about the caller is a fault.
fn principal(principal: &Principal) -> Value<'_> {
    let mut members = Members::default();
    let Some(token) = principal.token() else {
        return Value::Map(members);
    };
    let text = |text| Value::Text(Cow::Borrowed(text));
    members.add("issuer", text(token.issuer.as_str()));
    members.add("subject", text(token.subject.as_str()));
    if let Some(client) = &token.client {
        members.add("client", text(client.as_str()));
    }
    members.add("scopes", texts(&token.scopes));
    for (name, membership) in [("groups", &token.groups), ("roles", &token.roles)] {
        match membership {
            Membership::Known(names) => members.add(name, texts(names)),
            // Left out: whoever asks gets a fault, and not the answer that nobody belongs to anything.
            Membership::Unknown => {}
        }
    }
    // Claims beyond the bounds are left out likewise.
    if let Ok(claims) = of_claims(&token.claims) {
        members.add("claims", Value::Map(claims));
    }
    Value::Map(members)
}

fn texts(texts: &[String]) -> Value<'_> {
    Value::List(texts.iter().map(|text| Value::Text(Cow::Borrowed(text.as_str()))).collect())
}
