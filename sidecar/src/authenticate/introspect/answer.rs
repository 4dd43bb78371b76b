//! From an authorization server's answer about a token (RFC 7662 §2.2) to a caller. Types are judged to the letter: an answer that
//! nearly says yes says no.

use crate::authenticate::claims::{self, Assumed, Facts, Own, invalid};
use crate::authenticate::kind;
use crate::authenticate::refusal::Refusal;
use serde_json::{Map, Value};
use tollward_policy::config::ProviderConfig;
use tollward_policy::reason::Reason;

/// Seconds after which a token counts as expired whose expiry nobody tells: streams end then, and the caller comes back.
const UNTOLD: i64 = 300;

/// The members of an answer.
pub(in crate::authenticate) type Members = Map<String, Value>;

/// Some servers repeat the token, and some have it for the token's id: neither may get into a record. `sub` stays without a
/// value, so that nobody is taken for the client because of it.
pub(super) fn forget_token(members: &mut Members, token: &str) {
    members.retain(|name, value| {
        let repeated = value.as_str() == Some(token);
        if repeated {
            *value = Value::Null;
        }
        !repeated || name == "sub"
    });
}

/// Reads an answer about a token of `provider`. `own` is what the token says itself, if it can be read.
pub(in crate::authenticate) fn read(
    mut members: Members,
    provider: &ProviderConfig,
    own: Own,
    now: i64,
) -> Result<Facts, Refusal> {
    if members.remove("active") != Some(Value::Bool(true)) {
        return Err(Refusal::new(
            Reason::TokenInactive,
            "the authorization server says that the access token is not active",
        ));
    }
    // Whoever serves several issuers answers for all of them.
    if members.get("iss").is_some_and(|issuer| issuer.as_str() != Some(&provider.issuer)) {
        return Err(Refusal::new(Reason::IssuerUnknown, "the access token is not from this issuer"));
    }
    let Own { expires_at: until, confirmation } = own;
    if let Some(confirmation) = confirmation
        && *members.entry("cnf").or_insert_with(|| confirmation.clone()) != confirmation
    {
        return Err(Refusal::new(
            Reason::TokenBindingRefused,
            "the authorization server tells another binding than the access token has",
        ));
    }
    kind::check_answer(&members, provider)?;
    let expires_at = match claims::time(&members, "exp")? {
        Some(expires_at) => expires_at,
        None if provider.max_lifetime_seconds.is_some() => {
            return Err(invalid("exp of the access token is not told, so that its lifetime can not be bounded"));
        }
        None => now.saturating_add(UNTOLD),
    };
    let expires_at = until.map_or(expires_at, |until| until.min(expires_at));
    let subject = subject(&members, provider)?;
    claims::facts(members, provider, Assumed { expires_at, subject })
}

/// Without `sub` the client called for itself (RFC 9068 §2.2 has it as `sub` then). But a `username` means that there is somebody,
/// and it is for people to read: it may change hands, and another realm may have the same.
fn subject(members: &Members, provider: &ProviderConfig) -> Result<Option<String>, Refusal> {
    let name = &provider.claims.subject;
    if members.contains_key(name) {
        return Ok(None);
    }
    if name != "sub" || members.contains_key("username") {
        return Err(invalid("the answer about the access token does not have the claim that names the subject"));
    }
    claims::client(members, provider)?
        .map(Some)
        .ok_or(invalid("the answer about the access token names neither a subject nor a client"))
}
