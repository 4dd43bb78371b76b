//! Who may do what: ordered rules over operations and scopes, default deny, Deny beats Allow.
//!
//! One evaluation serves calls and lists: what a list shows is what a call would be allowed ([`RuleSet::shows`]).

use crate::operation::{Class, Method, Operation, Target};
use crate::pattern::Pattern;
use crate::scope::{Catalogue, CatalogueError, ScopeName, ScopeSet};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What a rule does with the operations it matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Action {
    /// Permits, if the token holds the required scopes.
    Allow,
    /// Refuses, whatever other rules say.
    Deny,
}

/// What a caller without the required scopes is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnMissingScope {
    /// 403 with the scopes to ask for (step-up); lists show the target.
    Challenge,
    /// As if the target did not exist.
    Hide,
}

/// Which operations a rule or limit is about. Several lists narrow each other: a method list and a target list both have
/// to match; target lists of different kinds stand beside each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MatchConfig {
    /// Methods; empty means any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<Method>,
    /// Tool names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<Pattern>,
    /// Resource URIs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<Pattern>,
    /// Prompt names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prompts: Vec<Pattern>,
}

/// A named rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RuleConfig {
    /// The name that audit records and explanations use.
    pub name: String,
    /// What it is about; must not be empty.
    #[serde(rename = "match")]
    pub matches: MatchConfig,
    /// Permit or refuse.
    pub action: Action,
    /// Scopes that a token needs, all of them. Only for Allow.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<ScopeName>,
    /// What a caller without them is told.
    pub on_missing_scope: OnMissingScope,
}

/// Why rules do not compile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// A rule that matches everything would undo default deny.
    #[error("rule `{0}` matches nothing in particular; name methods, tools, resources or prompts")]
    EmptyMatch(String),
    /// Two rules of one name can't be told apart in an audit record.
    #[error("rule `{0}` is declared twice")]
    Duplicate(String),
    /// A Deny that depends on scopes would be an Allow in disguise.
    #[error("rule `{0}` denies, so it can't require scopes")]
    DenyWithScopes(String),
    /// A scope is not in the catalogue.
    #[error("rule `{rule}`: {source}")]
    Scope {
        /// The rule.
        rule: String,
        /// What is wrong.
        source: CatalogueError,
    },
}

/// What the rules say about an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Permitted; by that rule, or as protocol mechanics.
    Allow(Option<Arc<str>>),
    /// Refused by a Deny rule.
    Deny(Arc<str>),
    /// More scopes would help: these, by that rule.
    StepUp(Arc<str>, Arc<[ScopeName]>),
    /// More scopes would help, but the caller must not learn that the target exists.
    Hide(Arc<str>),
    /// No rule is about it.
    NoRule,
}

impl MatchConfig {
    /// True if it selects everything, which a rule must not.
    pub fn is_empty(&self) -> bool {
        self.methods.is_empty() && !self.names_targets()
    }

    /// True if it selects the operation. With several resources, if it selects any of them.
    pub fn selects(&self, operation: &Operation) -> bool {
        match &operation.target {
            Target::Resources(uris) => uris.iter().any(|uri| self.selects_one(operation.method, Kind::Resource, uri)),
            Target::Tool(name) => self.selects_one(operation.method, Kind::Tool, name),
            Target::Prompt(name) => self.selects_one(operation.method, Kind::Prompt, name),
            Target::None | Target::Task(_) => self.selects_method(operation.method) && !self.names_targets(),
        }
    }

    fn selects_one(&self, method: Method, kind: Kind, name: &str) -> bool {
        let patterns = match kind {
            Kind::Tool => &self.tools,
            Kind::Resource => &self.resources,
            Kind::Prompt => &self.prompts,
        };
        self.selects_method(method) && (!self.names_targets() || patterns.iter().any(|pattern| pattern.matches(name)))
    }

    fn selects_method(&self, method: Method) -> bool {
        self.methods.is_empty() || self.methods.contains(&method)
    }

    fn names_targets(&self) -> bool {
        !(self.tools.is_empty() && self.resources.is_empty() && self.prompts.is_empty())
    }
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Tool,
    Resource,
    Prompt,
}

#[derive(Debug, Clone)]
struct Rule {
    name: Arc<str>,
    matches: MatchConfig,
    action: Action,
    required: ScopeSet,
    scopes: Arc<[ScopeName]>,
    on_missing_scope: OnMissingScope,
}

/// Compiled rules of one server.
#[derive(Debug, Clone)]
pub struct RuleSet {
    rules: Vec<Rule>,
}

impl RuleSet {
    /// Compiles rules against the declared scopes.
    pub fn compile(rules: &[RuleConfig], catalogue: &Catalogue) -> Result<Self, RuleError> {
        let mut compiled: Vec<Rule> = Vec::with_capacity(rules.len());
        for rule in rules {
            if compiled.iter().any(|earlier| *earlier.name == *rule.name) {
                return Err(RuleError::Duplicate(rule.name.clone()));
            }
            compiled.push(compile_rule(rule, catalogue)?);
        }
        Ok(Self { rules: compiled })
    }

    /// Decides an operation. With several resources each must be permitted; the first that is not decides.
    pub fn decide(&self, operation: &Operation, held: &ScopeSet) -> Verdict {
        let Target::Resources(uris) = &operation.target else {
            return self.decide_one(operation, held);
        };
        let mut verdict = Verdict::NoRule;
        for uri in uris {
            let one = Operation { method: operation.method, target: Target::Resources(vec![uri.clone()]) };
            verdict = self.decide_one(&one, held);
            if !matches!(verdict, Verdict::Allow(_)) {
                break;
            }
        }
        verdict
    }

    /// True if a list should show the target to this caller: it may be used, or may be asked for by a step-up.
    pub fn shows(&self, operation: &Operation, held: &ScopeSet) -> bool {
        match self.decide(operation, held) {
            Verdict::Allow(_) | Verdict::StepUp(..) => true,
            Verdict::Deny(_) | Verdict::Hide(_) | Verdict::NoRule => false,
        }
    }

    /// True if some rule names this target exactly, so that its name is known and not the caller's invention.
    pub fn names(&self, target: &Target) -> bool {
        let exact = |patterns: &[Pattern], name: &str| {
            patterns.iter().any(|pattern| pattern.is_exact() && pattern.as_str() == name)
        };
        self.rules.iter().any(|rule| match target {
            Target::Tool(name) => exact(&rule.matches.tools, name),
            Target::Prompt(name) => exact(&rule.matches.prompts, name),
            Target::Resources(uris) => uris.iter().all(|uri| exact(&rule.matches.resources, uri)),
            Target::None | Target::Task(_) => false,
        })
    }

    fn decide_one(&self, operation: &Operation, held: &ScopeSet) -> Verdict {
        let mut best = Verdict::NoRule;
        for rule in self.rules.iter().filter(|rule| rule.matches.selects(operation)) {
            let verdict = judge(rule, held);
            if let Verdict::Deny(_) = verdict {
                return verdict;
            }
            if rank(&verdict) > rank(&best) {
                best = verdict;
            }
        }
        let open = operation.target == Target::None && operation.method.class() != Class::Guarded;
        if open && best == Verdict::NoRule { Verdict::Allow(None) } else { best }
    }
}

fn judge(rule: &Rule, held: &ScopeSet) -> Verdict {
    match rule.action {
        Action::Deny => Verdict::Deny(rule.name.clone()),
        Action::Allow if held.covers(&rule.required) => Verdict::Allow(Some(rule.name.clone())),
        Action::Allow => match rule.on_missing_scope {
            OnMissingScope::Challenge => Verdict::StepUp(rule.name.clone(), rule.scopes.clone()),
            OnMissingScope::Hide => Verdict::Hide(rule.name.clone()),
        },
    }
}

/// Among Allow rules a permission beats a challenge, and a challenge beats silence; the first of equals stays.
fn rank(verdict: &Verdict) -> u8 {
    match verdict {
        Verdict::NoRule => 0,
        Verdict::Hide(_) => 1,
        Verdict::StepUp(..) => 2,
        Verdict::Allow(_) => 3,
        Verdict::Deny(_) => 4,
    }
}

fn compile_rule(rule: &RuleConfig, catalogue: &Catalogue) -> Result<Rule, RuleError> {
    if rule.matches.is_empty() {
        return Err(RuleError::EmptyMatch(rule.name.clone()));
    }
    if rule.action == Action::Deny && !rule.scopes.is_empty() {
        return Err(RuleError::DenyWithScopes(rule.name.clone()));
    }
    let required =
        catalogue.require(&rule.scopes).map_err(|source| RuleError::Scope { rule: rule.name.clone(), source })?;
    Ok(Rule {
        name: rule.name.as_str().into(),
        matches: rule.matches.clone(),
        action: rule.action,
        required,
        scopes: rule.scopes.clone().into(),
        on_missing_scope: rule.on_missing_scope,
    })
}

#[cfg(test)]
mod tests;
