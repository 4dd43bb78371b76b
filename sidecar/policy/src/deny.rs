//! The kill switch: which verified tokens are refused all the same.
//!
//! Everything that an entry names must apply to a token. What a token does not say can't speak for it: one without `iat`
//! was issued before any time, one without a client or an id may be the one that is meant. So a token can't get away by
//! leaving something out, and an entry about a client refuses every token of an issuer that names no clients: loudly,
//! instead of nobody in silence.
//!
//! A caller is also who acts for somebody (`act`, RFC 8693 section 4.1), at any place of the chain. A subject may stand in `sub`
//! as well as in the claim that names it, and a client or an id in any of the claims that the provider is configured to look at.
//!
//! Costs: nothing without entries; else three look-ups by hash, and a comparison per entry with the same subject, client
//! or id. Only tokens that name no client or no id are compared with every entry that is about one.

use crate::config::{DenyConfig, ProviderConfig};
use crate::principal::TokenPrincipal;
use serde_json::{Map, Value};
use std::collections::HashMap;

/// A provider's entries, ready for use. Each stands in one place: under its subject, else its client, else its token id.
#[derive(Debug, Clone, Default)]
pub struct DenyList {
    by_subject: HashMap<String, Vec<Entry>>,
    by_client: HashMap<String, Vec<Entry>>,
    by_token_id: HashMap<String, Vec<Entry>>,
    everybody: Vec<Entry>,
    subject_claim: String,
    client_claims: Vec<String>,
    token_id_claims: Vec<String>,
}

#[derive(Debug, Clone)]
struct Entry {
    name: String,
    subject: Option<String>,
    client: Option<String>,
    token_id: Option<String>,
    issued_before: Option<i64>,
    until: Option<i64>,
}

impl DenyList {
    /// The list of a provider; `None` if it has no entries.
    pub fn compile(provider: &ProviderConfig) -> Option<Self> {
        if provider.deny.is_empty() {
            return None;
        }
        let mut list = Self {
            subject_claim: provider.claims.subject.clone(),
            client_claims: provider.claims.client.clone(),
            token_id_claims: provider.claims.token_id.clone(),
            ..Self::default()
        };
        for DenyConfig { name, subject, client, token_id, issued_before, until } in provider.deny.iter().cloned() {
            let entry = Entry { name, subject, client, token_id, issued_before, until };
            let place = match (&entry.subject, &entry.client, &entry.token_id) {
                (Some(subject), _, _) => list.by_subject.entry(subject.clone()).or_default(),
                (None, Some(client), _) => list.by_client.entry(client.clone()).or_default(),
                (None, None, Some(id)) => list.by_token_id.entry(id.clone()).or_default(),
                (None, None, None) => &mut list.everybody,
            };
            place.push(entry);
        }
        Some(list)
    }

    /// The name of an entry by which a token of this provider is refused at `now`, in seconds since the epoch.
    pub fn refuses(&self, token: &TokenPrincipal, now: i64) -> Option<&str> {
        let facts = Facts { token, list: self, issued_at: token.claims.get("iat").and_then(Value::as_i64) };
        let counts = |entry: &&Entry| entry.counts(&facts, now);
        let found = (self.everybody.iter().find(counts))
            .or_else(|| at(&self.by_subject, facts.subjects()).find(counts))
            .or_else(|| under(&self.by_client, facts.clients(), facts.has_client()).find(counts))
            .or_else(|| under(&self.by_token_id, facts.token_ids(), facts.has_token_id()).find(counts));
        found.map(|entry| entry.name.as_str())
    }
}

/// The entries of these keys.
fn at<'e, 'k>(
    places: &'e HashMap<String, Vec<Entry>>,
    keys: impl Iterator<Item = &'k str>,
) -> impl Iterator<Item = &'e Entry> {
    keys.filter_map(|key| places.get(key)).flatten()
}

/// The entries of these keys, or all if the token does not say which is its own.
fn under<'e, 'k>(
    places: &'e HashMap<String, Vec<Entry>>,
    keys: impl Iterator<Item = &'k str>,
    known: bool,
) -> impl Iterator<Item = &'e Entry> {
    let all = (!known).then(|| places.values().flatten());
    at(places, keys).chain(all.into_iter().flatten())
}

impl Entry {
    fn counts(&self, facts: &Facts<'_>, now: i64) -> bool {
        let Self { name: _, subject, client, token_id, issued_before, until } = self;
        until.is_none_or(|until| now < until)
            && subject.as_ref().is_none_or(|subject| facts.subjects().any(|own| own == subject))
            && client.as_ref().is_none_or(|client| !facts.has_client() || facts.clients().any(|own| own == client))
            && token_id.as_ref().is_none_or(|id| !facts.has_token_id() || facts.token_ids().any(|own| own == id))
            && issued_before.is_none_or(|time| facts.issued_at.is_none_or(|issued_at| issued_at < time))
    }
}

/// What a token says that entries may be about.
struct Facts<'t> {
    token: &'t TokenPrincipal,
    list: &'t DenyList,
    issued_at: Option<i64>,
}

impl<'t> Facts<'t> {
    /// `sub` too where another claim names the subject: whoever reads a token to name its holder finds it there.
    fn subjects(&self) -> impl Iterator<Item = &'t str> {
        let name = self.list.subject_claim.as_str();
        let acting = self.actors().flat_map(move |actor| [text(actor, name), text(actor, "sub")]).flatten();
        std::iter::once(self.token.subject.as_str()).chain(text(&self.token.claims, "sub")).chain(acting)
    }

    fn clients(&self) -> impl Iterator<Item = &'t str> {
        let names = &self.list.client_claims;
        let acting = self.actors().flat_map(move |actor| texts(actor, names));
        self.token.client.as_deref().into_iter().chain(texts(&self.token.claims, names)).chain(acting)
    }

    fn token_ids(&self) -> impl Iterator<Item = &'t str> {
        self.token.token_id.as_deref().into_iter().chain(texts(&self.token.claims, &self.list.token_id_claims))
    }

    /// An actor's client does not tell which client the token was issued to.
    fn has_client(&self) -> bool {
        self.token.client.is_some() || texts(&self.token.claims, &self.list.client_claims).next().is_some()
    }

    fn has_token_id(&self) -> bool {
        self.token_ids().next().is_some()
    }

    /// Who acts, and for whom they act in turn; as many as JSON can be nested. An actor that names another issuer is another
    /// issuer's subject.
    fn actors(&self) -> impl Iterator<Item = &'t Map<String, Value>> {
        let issuer = self.token.issuer.as_str();
        let first = actor(&self.token.claims);
        std::iter::successors(first, |outer| actor(outer))
            .filter(move |actor| text(actor, "iss").is_none_or(|own| own == issuer))
    }
}

fn actor(claims: &Map<String, Value>) -> Option<&Map<String, Value>> {
    claims.get("act")?.as_object()
}

fn text<'c>(claims: &'c Map<String, Value>, name: &str) -> Option<&'c str> {
    claims.get(name)?.as_str()
}

fn texts<'c>(claims: &'c Map<String, Value>, names: &'c [String]) -> impl Iterator<Item = &'c str> {
    names.iter().filter_map(|name| text(claims, name))
}

#[cfg(test)]
mod tests;
