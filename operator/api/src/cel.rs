//! Rules that several kinds share, and those that are generated from the lists of the data plane.

use crate::duration::{GoDuration, ShortDuration};
use crate::owned::{ASSERTION_VARIABLES, SIDECAR_UID};
use crate::ports;
use kube::core::{Message, Rule};
use tollward_policy::config::taken_headers;
use tollward_policy::limits::CLAIMS_OF_CLIENTS;
use tollward_policy::scope::OMNIBUS;

/// A rule with a fixed message.
pub(crate) fn rule(expression: impl Into<String>, message: &str) -> Rule {
    Rule::new(expression).message(message)
}

/// A rule whose message is an expression, so that it can name the offender.
pub(crate) fn naming(expression: impl Into<String>, message: impl Into<String>) -> Rule {
    Rule::new(expression).message(Message::Expression(message.into()))
}

/// `inner` must be set if and only if the discriminator has the value.
pub(crate) fn union(place: &str, discriminator: &str, value: &str, inner: &str) -> Rule {
    rule(
        format!("has(self.{inner}) == (self.{discriminator} == '{value}')"),
        &format!("{place}.{inner} must be set if {place}.{discriminator} is {value}, and only then"),
    )
}

/// A burst that leaves something of the budget to refill.
pub(crate) fn burst() -> Rule {
    rule(
        "!has(self.burst) || self.requests == 1 || self.burst < self.requests",
        "burst must be less than requests: of the budget, burst may come at once and the rest is refilled evenly",
    )
}

/// Exactly one of the fields must be set.
pub(crate) fn exactly_one(fields: &[&str], message: &str) -> Rule {
    let terms: Vec<_> = fields.iter().map(|field| format!("(has(self.{field}) ? 1 : 0)")).collect();
    rule(format!("{} == 1", terms.join(" + ")), message)
}

/// An object or volume name that is not the operator's own; see [`crate::owned`].
pub(crate) fn not_owned() -> Rule {
    naming(
        "!self.startsWith('tollward-') && !self.endsWith('-tollward')",
        "'`' + self + '` belongs to Tollward: names that start with tollward- or end with -tollward are reserved'",
    )
}

/// A port that Tollward does not listen on.
pub(crate) fn free_port() -> Rule {
    let (first, last) = (ports::FIRST, ports::LAST);
    rule(
        format!("self < {first} || self > {last}"),
        &format!("ports {first} to {last} are Tollward's own; let the server listen on another port"),
    )
}

/// A user id that is not the data plane's.
pub(crate) fn free_uid() -> Rule {
    rule(
        format!("self != {SIDECAR_UID}"),
        &format!("user id {SIDECAR_UID} is Tollward's own; run the server under another one"),
    )
}

/// A header that a credential may stand in: generated from the list that the data plane goes by.
pub(crate) fn credential_header() -> Rule {
    let (names, prefixes) = taken_headers();
    let names: Vec<_> = names.iter().map(|name| format!("'{name}'")).collect();
    let prefixes: Vec<_> = prefixes.iter().map(|prefix| format!("self.lowerAscii().startsWith('{prefix}')")).collect();
    naming(
        format!("!(self.lowerAscii() in [{}]) && !({})", names.join(", "), prefixes.join(" || ")),
        "'header ' + self + ' has a meaning of its own; a credential may not stand in it'",
    )
}

/// An environment variable that Tollward does not set; see [`crate::owned`].
pub(crate) fn free_variable() -> Rule {
    naming(
        format!("!self.name.startsWith('{ASSERTION_VARIABLES}')"),
        format!(
            "'environment variable ' + self.name + ' is set by Tollward: names that start with {ASSERTION_VARIABLES} are reserved'"
        ),
    )
}

/// A claim that decides what a caller is entitled to: generated from the list that the data plane refuses as well.
pub(crate) fn claim_of_provider(field: &str) -> Rule {
    let names: Vec<_> = CLAIMS_OF_CLIENTS.iter().map(|name| format!("'{name}'")).collect();
    naming(
        format!("!(self in [{}])", names.join(", ")),
        format!(
            "'{field}: claim `' + self + '` is chosen by the client or its user; use one that the identity provider alone \
             sets'"
        ),
    )
}

/// A declared scope that is a wildcard.
pub(crate) fn scope_wildcard() -> Rule {
    naming("!self.contains('*')", "'scope `' + self + '` is a wildcard; declare each permission as a scope of its own'")
}

/// A declared scope that grants everything: generated from the list that the data plane refuses as well.
pub(crate) fn scope_omnibus() -> Rule {
    // A name with `*` is refused as a wildcard already.
    let names: Vec<_> = OMNIBUS.iter().copied().filter(|name| !name.contains('*')).collect();
    naming(
        format!("!self.lowerAscii().matches('(^|[:/.])({}|)$')", names.join("|")),
        "'scope `' + self + '` is an omnibus name; declare each permission as a scope of its own'",
    )
}

/// An entry about nobody would be one about everybody, which must be said by a time.
pub(crate) fn deny_names_somebody() -> Rule {
    naming(
        "has(self.subject) || has(self.client) || has(self.tokenId) || has(self.issuedBefore)",
        "'deny entry `' + self.name + '` must set subject, client, tokenId or issuedBefore; issuedBefore alone denies every \
         older token of this provider'",
    )
}

/// A subject, client or token id as tokens have them: anything else would be an entry that never matches.
pub(crate) fn token_name(field: &str) -> Rule {
    rule(
        r"self.matches('^[^\\s\\x00-\\x1F\\x7F]([^\\x00-\\x1F\\x7F]*[^\\s\\x00-\\x1F\\x7F])?$')",
        &format!("{field} must have no outer spaces and no control characters, since no token has"),
    )
}

/// The characters of RFC 6749 section 3.3.
pub(crate) fn scope_characters() -> Rule {
    rule(
        r"self.matches('^[\\x21\\x23-\\x5B\\x5D-\\x7E]+$')",
        "a scope has visible ASCII characters only, without quote and backslash (RFC 6749 section 3.3)",
    )
}

/// An http(s) URL without user, query and fragment.
pub(crate) fn provider_url(field: &str) -> Rule {
    rule(
        r"self.matches('^https?://[^/?#@\\s]+(/[^?#\\s]*)?$')",
        &format!("{field} must be an absolute http(s) URL without user, query or fragment"),
    )
}

/// An http(s) URL without user and fragment. Some vendors name a policy in the query of their key sets' URLs.
pub(crate) fn key_set_url(field: &str) -> Rule {
    rule(
        r"self.matches('^https?://[^/?#@\\s]+(/[^#\\s]*)?$')",
        &format!("{field} must be an absolute http(s) URL without user or fragment"),
    )
}

/// A store of counts: scheme, host and port as the data plane reads them.
pub(crate) fn store_url() -> Rule {
    rule(
        r"self.matches('^rediss?://([a-z0-9_-]{1,63}([.][a-z0-9_-]{1,63})*|\\[[0-9a-f:.]+\\])(:[1-9][0-9]{0,4})?$')",
        "store.url must be rediss://host[:port] or redis://host[:port] in lower case, without user, password, path or query",
    )
}

/// A duration within bounds, both included.
pub(crate) fn between(least: &str, most: &str, message: &str) -> Rule {
    within(GoDuration::PATTERN, least, most, message)
}

/// The same for a duration of milliseconds.
pub(crate) fn between_short(least: &str, most: &str, message: &str) -> Rule {
    within(ShortDuration::PATTERN, least, most, message)
}

fn within(pattern: &str, least: &str, most: &str, message: &str) -> Rule {
    // What is no duration at all is the pattern's to refuse.
    let within = format!("duration(self) >= duration('{least}') && duration(self) <= duration('{most}')");
    rule(format!("!self.matches('{pattern}') || ({within})"), message)
}
