//! The caller that a question is about, and what of him is not known.

use crate::address::network_of;
use serde_json::Value;
use std::sync::Arc;
use tollward_policy::inquiry::Inquiry;
use tollward_policy::principal::{Membership, Principal, TokenPrincipal};

/// Stands for what was not given. No token has a control character.
const UNKNOWN: &str = "\u{0}one";
/// The same, made up differently.
const VARIED: &str = "\u{0}other";

/// Something that was not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fact<'a> {
    Issuer,
    Subject,
    Client,
    Address,
    Claim(&'a str),
}

impl Fact<'_> {
    /// The option that gives it.
    pub(super) fn option(self) -> String {
        match self {
            Self::Issuer => "--issuer URL".to_owned(),
            Self::Subject => "--subject SUBJECT".to_owned(),
            Self::Client => "--client ID".to_owned(),
            Self::Address => "--address ADDRESS".to_owned(),
            Self::Claim(name) => format!("--claim {name}=VALUE"),
        }
    }
}

/// Whom a question is about, at one server.
pub(super) struct Caller<'a> {
    pub(super) inquiry: &'a Inquiry,
    /// The server's issuers; none if it asks nobody for a token.
    pub(super) issuers: Vec<&'a str>,
    /// Claims by which its limits tell callers apart.
    pub(super) claims: Vec<&'a str>,
}

impl<'a> Caller<'a> {
    /// What was not given and could matter.
    pub(super) fn unknown(&self) -> Vec<Fact<'a>> {
        let Inquiry { issuer, subject, client, claims, address, tools: _, prompts: _, resources: _ } = self.inquiry;
        let mut unknown = Vec::new();
        if !self.issuers.is_empty() {
            if issuer.is_none() && self.issuers.len() > 1 {
                unknown.push(Fact::Issuer);
            }
            unknown.extend(subject.is_none().then_some(Fact::Subject));
            unknown.extend(client.is_none().then_some(Fact::Client));
            unknown
                .extend(self.claims.iter().filter(|name| !claims.contains_key(**name)).map(|name| Fact::Claim(name)));
        }
        unknown.extend(address.is_none().then_some(Fact::Address));
        unknown
    }

    /// The caller, with what is not known made up; `varied` is made up differently.
    pub(super) fn principal(&self, varied: Option<Fact<'_>>) -> Principal {
        if self.issuers.is_empty() {
            return Principal::Anonymous;
        }
        let Inquiry { issuer, subject, client, claims, address: _, tools: _, prompts: _, resources: _ } = self.inquiry;
        let made_up = |fact: Fact<'_>| if varied == Some(fact) { VARIED } else { UNKNOWN }.to_owned();
        let only = match self.issuers.as_slice() {
            [only] => Some((*only).to_owned()),
            _ => None,
        };
        let claim = |name: &&str| {
            let given = claims.get(*name).cloned().map(Value::from);
            ((*name).to_owned(), given.unwrap_or_else(|| made_up(Fact::Claim(name)).into()))
        };
        Principal::Token(Arc::new(TokenPrincipal {
            provider: String::new(),
            issuer: issuer.clone().or(only).unwrap_or_else(|| made_up(Fact::Issuer)),
            subject: subject.clone().unwrap_or_else(|| made_up(Fact::Subject)),
            client: Some(client.clone().unwrap_or_else(|| made_up(Fact::Client))),
            token_id: None,
            scopes: Vec::new(),
            groups: Membership::Unknown,
            roles: Membership::Unknown,
            expires_at: 0,
            claims: self.claims.iter().map(claim).collect(),
        }))
    }

    /// Its address likewise.
    pub(super) fn address(&self, varied: Option<Fact<'_>>) -> String {
        match self.inquiry.address {
            Some(address) => network_of(address),
            None => if varied == Some(Fact::Address) { VARIED } else { UNKNOWN }.to_owned(),
        }
    }
}
