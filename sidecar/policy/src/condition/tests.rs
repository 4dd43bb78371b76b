//! What a condition decides, what it refuses, and that nothing exhausts it.

mod hostile;
mod language;
mod listing;
mod numbers;
mod reference;

use super::{Arguments, Condition, ConditionError, Facts, Outcome, Scope};
use crate::operation::{Method, Operation, Target};
use crate::principal::{Membership, Principal, TokenPrincipal};
use serde_json::{Value, json};
use std::sync::Arc;

/// 2027-01-15T08:00:00Z, a Friday.
const NOW: i64 = 1_800_000_000;

fn ada() -> Principal {
    let claims = json!({"sub": "ada", "tier": "gold", "level": 3, "auth_time": NOW - 60, "address": {"country": "DE"}});
    Principal::Token(Arc::new(TokenPrincipal {
        provider: "idp".into(),
        issuer: "https://idp".into(),
        subject: "ada".into(),
        client: Some("agent".into()),
        token_id: None,
        scopes: vec!["read".into(), "write".into()],
        groups: Membership::Known(vec!["ops".into(), "emea".into()]),
        roles: Membership::Unknown,
        expires_at: NOW + 60,
        claims: claims.as_object().unwrap().clone(),
    }))
}

fn pay() -> Operation {
    Operation { method: Method::ToolsCall, target: Target::Tool("pay".into()) }
}

fn compiled(text: &str) -> Condition {
    Condition::compile(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn refused(text: &str) -> ConditionError {
    Condition::compile(text).expect_err(text)
}

/// The outcome for Ada's call with these arguments, as JSON text.
fn outcome(text: &str, arguments: &str) -> Outcome {
    let (principal, operation, condition) = (ada(), pay(), compiled(text));
    let facts = Facts::of_call(&principal, "2026-07-28", Arguments::Given(arguments.as_bytes()), NOW);
    let scope = Scope::new(&facts, &operation);
    condition.evaluate(&scope)
}

/// True or false; anything else is a fault of the test.
fn holds(text: &str, arguments: &Value) -> bool {
    match outcome(text, &arguments.to_string()) {
        Outcome::Holds => true,
        Outcome::Fails => false,
        other @ (Outcome::Unknown | Outcome::Never(_) | Outcome::Fault(_)) => panic!("{text} with {arguments} {other}"),
    }
}

/// The fault's text.
fn fault(text: &str, arguments: &str) -> String {
    match outcome(text, arguments) {
        Outcome::Fault(fault) => fault.to_string(),
        other @ (Outcome::Holds | Outcome::Fails | Outcome::Unknown | Outcome::Never(_)) => {
            panic!("{text} with {arguments} {other}")
        }
    }
}
