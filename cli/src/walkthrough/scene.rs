//! What the walk-through knows beforehand: where things are, and the policy, to compare the answers with.

use super::cast::{Cast, call};
use super::ledger::Ledger;
use super::mcp::REVISION;
use super::token::Token;
use anyhow::Context as _;
use std::sync::Arc;
use tollward_policy::condition::{Facts, LIST_STEPS};
use tollward_policy::config::RouteConfig;
use tollward_policy::rules::{RuleSet, Verdict};
use tollward_policy::scope::Catalogue;
use url::Url;

/// A command that edits the policy, as it would be typed.
#[derive(Debug, Clone)]
pub(crate) struct Edit(pub(crate) Vec<String>);

/// Where things are, and the policy.
pub(crate) struct Scene {
    /// The server as the data plane serves it.
    pub(crate) route: RouteConfig,
    /// The authorization server.
    pub(crate) issuer: String,
    /// What kind of one it is, in a few words.
    pub(crate) issuer_kind: &'static str,
    /// The MCP server itself, past Tollward.
    pub(crate) behind: String,
    /// Who plays.
    pub(crate) cast: Cast,
    /// The audit records of the session.
    pub(crate) ledger: Arc<Ledger>,
    /// A resource that tokens can be got for and that is not this one.
    pub(crate) decoy: String,
    /// How to make the policy deny the tool that reads, if it can be edited. The last step does.
    pub(crate) edit: Option<Edit>,
}

impl Scene {
    /// The MCP endpoint.
    pub(super) fn endpoint(&self) -> &str {
        &self.route.endpoint.url
    }

    /// Host and port of the endpoint, by which requests to Tollward are told from others.
    pub(super) fn authority(&self) -> anyhow::Result<String> {
        let url = Url::parse(self.endpoint()).context("the endpoint is no URL")?;
        Ok(url.authority().to_owned())
    }

    /// What the policy says about calling a tool with this token, whatever the arguments.
    pub(super) fn verdict(&self, tool: &str, token: &Token) -> anyhow::Result<Verdict> {
        let catalogue = Catalogue::compile(&self.route.scopes)?;
        let rules = RuleSet::compile(&self.route.rules, &catalogue)?;
        let principal = token.principal(&self.issuer);
        let held = catalogue.held(principal.token().into_iter().flat_map(|token| &token.scopes).map(String::as_str));
        let now = token.claim("iat").and_then(serde_json::Value::as_i64).unwrap_or_default();
        let facts = Facts::of_listed(&principal, REVISION, false, now, LIST_STEPS);
        Ok(rules.decide(&call(tool), &held, &facts))
    }
}
