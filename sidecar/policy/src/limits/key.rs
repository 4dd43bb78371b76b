//! What is counted apart: the values of a limit's dimensions, joined so that no two combinations are one.

use super::config::Dimension;
use crate::operation::{Operation, Target};
use crate::principal::{Principal, TokenPrincipal, join_lengths};
use serde_json::Value;
use std::borrow::Cow;

/// Stands for every name that nobody declared; no name can be it, since names have no control characters.
const UNKNOWN: &str = "\u{0}unknown";
/// Stands for every set of several resources: a caller can make as many sets as it likes of the names that it knows.
const SEVERAL: &str = "\u{0}several";

/// Facts about the call that limits count by.
#[derive(Debug, Clone, Copy)]
pub struct Counted<'a> {
    /// The caller.
    pub principal: &'a Principal,
    /// The call.
    pub operation: &'a Operation,
    /// False if the target's name is not one that rules or the server ever named.
    pub target_known: bool,
    /// `namespace/name` of the server.
    pub server: &'a str,
    /// The caller's address, as far as it can be trusted.
    pub address: &'a str,
}

/// The key of a call in a limit that counts by these dimensions.
pub(super) fn key_of(per: &[Dimension], tenant_claim: Option<&str>, counted: &Counted<'_>) -> String {
    let values: Vec<_> = per.iter().map(|dimension| value_of(*dimension, tenant_claim, counted)).collect();
    join_lengths(values.iter().map(AsRef::as_ref))
}

/// The value of a dimension; what a call does not have counts as the empty text, one count for all of them. Names that an
/// issuer gives are counted within it: another issuer may give the same name to somebody else.
fn value_of<'a>(dimension: Dimension, tenant_claim: Option<&str>, counted: &Counted<'a>) -> Cow<'a, str> {
    let token = counted.principal.token();
    match (dimension, &counted.operation.target) {
        (Dimension::Client, _) => token.map_or(Cow::Borrowed(""), client_of),
        (Dimension::Subject, _) => token.map_or(Cow::Borrowed(""), |token| {
            Cow::Owned(join_lengths(["subject", token.issuer.as_str(), &token.subject]))
        }),
        (Dimension::Tenant, _) => token.map_or(Cow::Borrowed(""), |token| tenant_of(token, tenant_claim)),
        (Dimension::Method, _) => Cow::Borrowed(counted.operation.method.as_str()),
        (Dimension::Server, _) => Cow::Borrowed(counted.server),
        (Dimension::Address, _) => Cow::Borrowed(counted.address),
        (Dimension::Tool, Target::Tool(name)) | (Dimension::Prompt, Target::Prompt(name)) => {
            Cow::Borrowed(if counted.target_known { name } else { UNKNOWN })
        }
        (Dimension::Resource, Target::Resources(uris)) => Cow::Borrowed(match uris.as_slice() {
            [one, others @ ..] if others.iter().any(|other| other != one) => SEVERAL,
            [one, ..] if counted.target_known => one,
            [_, ..] | [] => UNKNOWN,
        }),
        (Dimension::Tool | Dimension::Prompt | Dimension::Resource, _) => Cow::Borrowed(""),
    }
}

/// A token without a client is counted by its subject, apart from every client of that name.
fn client_of(token: &TokenPrincipal) -> Cow<'_, str> {
    Cow::Owned(match &token.client {
        Some(client) => join_lengths(["client", token.issuer.as_str(), client]),
        None => join_lengths(["subject", token.issuer.as_str(), &token.subject]),
    })
}

/// A claim that is neither text nor number names no tenant: those of an issuer share one count, which is the narrowest
/// reading of what can't be read.
fn tenant_of<'a>(token: &'a TokenPrincipal, claim: Option<&str>) -> Cow<'a, str> {
    let value = claim.and_then(|claim| token.claims.get(claim));
    let (kind, name) = match value {
        Some(Value::String(name)) => ("text", Cow::Borrowed(name.as_str())),
        Some(Value::Number(number)) => ("number", Cow::Owned(number.to_string())),
        Some(Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) | None => ("none", Cow::Borrowed("")),
    };
    Cow::Owned(join_lengths([kind, token.issuer.as_str(), &name]))
}
