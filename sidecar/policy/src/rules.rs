//! Who may do what: ordered rules over operations and scopes, default deny, Deny beats Allow.
//!
//! One evaluation serves calls and lists: what a list shows is what a call could be allowed ([`RuleSet::shows`]).

use crate::condition::{Condition, ConditionError, Facts, Fault, Outcome, Scope};
use crate::operation::{Class, Method, Operation, Target};
use crate::pattern::{Pattern, PatternError};
use crate::reason::Reason;
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
    /// A CEL expression that must hold besides ([`crate::condition`]). One that can't be decided refuses: an Allow rule does
    /// not apply then, a Deny rule does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
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
    /// A pattern of resources can't be read as a template.
    #[error("rule `{rule}`: {source}")]
    Pattern {
        /// The rule.
        rule: String,
        /// What is wrong.
        source: PatternError,
    },
    /// A condition can't be read.
    #[error("rule `{rule}`: condition: {source}")]
    Condition {
        /// The rule.
        rule: String,
        /// What is wrong, and where.
        source: ConditionError,
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
    /// That rule would permit it, but its condition does not hold, or can't be decided. More scopes would not help.
    Condition(Arc<str>, Option<Fault>),
    /// No rule is about it.
    NoRule,
}

impl Verdict {
    /// The reason for an answer like this.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Allow(_) => Reason::Allowed,
            Self::Deny(_) => Reason::RuleDenied,
            Self::StepUp(..) => Reason::ScopeInsufficient,
            Self::Hide(_) => Reason::Hidden,
            Self::Condition(..) => Reason::ConditionFailed,
            Self::NoRule => Reason::NoRuleMatched,
        }
    }

    /// The rule that decided.
    pub fn rule(&self) -> Option<&str> {
        match self {
            Self::Allow(rule) => rule.as_deref(),
            Self::Deny(rule) | Self::StepUp(rule, _) | Self::Hide(rule) | Self::Condition(rule, _) => Some(rule),
            Self::NoRule => None,
        }
    }
}

/// What one rule says about an operation that it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The rule.
    pub rule: Arc<str>,
    /// What it does.
    pub action: Action,
    /// Scopes that the caller lacks, of those that it requires.
    pub missing: Vec<ScopeName>,
    /// Its condition with its outcome, if it has one and got so far.
    pub condition: Option<(String, Outcome)>,
    /// What it comes to; `None` if the rule does not apply.
    pub verdict: Option<Verdict>,
}

impl MatchConfig {
    /// True if it selects everything, which a rule must not.
    pub fn is_empty(&self) -> bool {
        self.methods.is_empty() && !self.names_targets()
    }

    /// Whether every pattern can be read as what it is a pattern of.
    pub fn check(&self) -> Result<(), PatternError> {
        self.resources.iter().try_for_each(Pattern::check_uri)
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

    /// True if it names this target exactly, and not by a pattern.
    pub fn names(&self, target: &Target) -> bool {
        match target {
            Target::Tool(name) => names_exactly(&self.tools, name),
            Target::Prompt(name) => names_exactly(&self.prompts, name),
            Target::Resources(uris) => uris.iter().all(|uri| names_exactly(&self.resources, uri)),
            Target::None | Target::Task(_) => false,
        }
    }

    fn selects_one(&self, method: Method, kind: Kind, name: &str) -> bool {
        let patterns = match kind {
            Kind::Tool => &self.tools,
            Kind::Resource => &self.resources,
            Kind::Prompt => &self.prompts,
        };
        let matches = |pattern: &Pattern| match kind {
            Kind::Tool | Kind::Prompt => pattern.matches(name),
            Kind::Resource => pattern.matches_uri(name),
        };
        self.selects_method(method) && (!self.names_targets() || patterns.iter().any(matches))
    }

    fn selects_method(&self, method: Method) -> bool {
        self.methods.is_empty() || self.methods.contains(&method)
    }

    fn names_targets(&self) -> bool {
        !(self.tools.is_empty() && self.resources.is_empty() && self.prompts.is_empty())
    }
}

/// True if one of the patterns is this name.
pub(crate) fn names_exactly(patterns: &[Pattern], name: &str) -> bool {
    patterns.iter().any(|pattern| pattern.is_exact() && pattern.as_str() == name)
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
    condition: Option<Condition>,
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
    pub fn decide(&self, operation: &Operation, held: &ScopeSet, facts: &Facts<'_>) -> Verdict {
        let several = matches!(&operation.target, Target::Resources(uris) if uris.len() != 1);
        if !several {
            return self.decide_one(operation, held, facts);
        }
        let mut verdict = Verdict::NoRule;
        for one in operation.parts() {
            verdict = self.decide_one(&one, held, facts);
            if !matches!(verdict, Verdict::Allow(_)) {
                break;
            }
        }
        verdict
    }

    /// True if a list should show the target to this caller: it could be used with some arguments, or asked for by a step-up.
    /// What is not shown would be refused whatever the arguments; what is shown still passes the rules when it is called.
    pub fn shows(&self, operation: &Operation, held: &ScopeSet, facts: &Facts<'_>) -> bool {
        match self.decide(operation, held, facts) {
            Verdict::Allow(_) | Verdict::StepUp(..) => true,
            Verdict::Deny(_) | Verdict::Hide(_) | Verdict::Condition(..) | Verdict::NoRule => false,
        }
    }

    /// What each rule that is about the operation says, in order, for explanations. With several resources, about each.
    pub fn explain(
        &self,
        operation: &Operation,
        held: &ScopeSet,
        facts: &Facts<'_>,
        catalogue: &Catalogue,
    ) -> Vec<Judgement> {
        let mut judgements = Vec::new();
        for one in operation.parts() {
            let scope = Scope::new(facts, &one);
            for rule in self.rules.iter().filter(|rule| rule.matches.selects(&one)) {
                let verdict = judge(rule, held, &scope);
                let missing = rule
                    .scopes
                    .iter()
                    .filter(|name| catalogue.require([*name]).is_ok_and(|required| !held.covers(&required)));
                judgements.push(Judgement {
                    rule: rule.name.clone(),
                    action: rule.action,
                    missing: missing.cloned().collect(),
                    condition: rule
                        .condition
                        .as_ref()
                        .map(|condition| (condition.as_str().to_owned(), condition.evaluate(&scope))),
                    verdict,
                });
            }
        }
        judgements
    }

    /// True if some rule names this target exactly, so that its name is known and not the caller's invention.
    pub fn names(&self, target: &Target) -> bool {
        self.rules.iter().any(|rule| rule.matches.names(target))
    }

    fn decide_one(&self, operation: &Operation, held: &ScopeSet, facts: &Facts<'_>) -> Verdict {
        let scope = Scope::new(facts, operation);
        let mut best = Verdict::NoRule;
        for rule in self.rules.iter().filter(|rule| rule.matches.selects(operation)) {
            let Some(verdict) = judge(rule, held, &scope) else { continue };
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

/// What a rule says about an operation that it selects; `None` if its condition says that it is about other calls. A
/// condition that can't be decided counts against the caller. One that depends on arguments which are not known yet counts
/// as what would let the call pass: whoever lists asks what could be allowed.
fn judge<'e>(rule: &'e Rule, held: &ScopeSet, scope: &'e Scope<'e>) -> Option<Verdict> {
    let outcome = |condition: &'e Condition| condition.evaluate(scope);
    match rule.action {
        Action::Deny => match rule.condition.as_ref().map(outcome) {
            None | Some(Outcome::Holds | Outcome::Fault(_)) => Some(Verdict::Deny(rule.name.clone())),
            Some(Outcome::Fails | Outcome::Unknown | Outcome::Never(_)) => None,
        },
        Action::Allow => {
            let covered = held.covers(&rule.required);
            // Hidden is hidden: whoever lacks the scopes must not learn of a condition either.
            if !covered && rule.on_missing_scope == OnMissingScope::Hide {
                return Some(Verdict::Hide(rule.name.clone()));
            }
            match rule.condition.as_ref().map(outcome) {
                Some(Outcome::Fails) => Some(Verdict::Condition(rule.name.clone(), None)),
                Some(Outcome::Fault(fault) | Outcome::Never(fault)) => {
                    Some(Verdict::Condition(rule.name.clone(), Some(fault)))
                }
                None | Some(Outcome::Holds | Outcome::Unknown) if covered => {
                    Some(Verdict::Allow(Some(rule.name.clone())))
                }
                None | Some(Outcome::Holds | Outcome::Unknown) => {
                    Some(Verdict::StepUp(rule.name.clone(), rule.scopes.clone()))
                }
            }
        }
    }
}

/// Among Allow rules a permission beats a challenge, a challenge beats a condition, which no scope would satisfy, and that
/// beats silence; the first of equals stays.
fn rank(verdict: &Verdict) -> u8 {
    match verdict {
        Verdict::NoRule => 0,
        Verdict::Hide(_) => 1,
        Verdict::Condition(..) => 2,
        Verdict::StepUp(..) => 3,
        Verdict::Allow(_) => 4,
        Verdict::Deny(_) => 5,
    }
}

fn compile_rule(rule: &RuleConfig, catalogue: &Catalogue) -> Result<Rule, RuleError> {
    if rule.matches.is_empty() {
        return Err(RuleError::EmptyMatch(rule.name.clone()));
    }
    if rule.action == Action::Deny && !rule.scopes.is_empty() {
        return Err(RuleError::DenyWithScopes(rule.name.clone()));
    }
    rule.matches.check().map_err(|source| RuleError::Pattern { rule: rule.name.clone(), source })?;
    let required =
        catalogue.require(&rule.scopes).map_err(|source| RuleError::Scope { rule: rule.name.clone(), source })?;
    let condition = rule.condition.as_deref().map(Condition::compile).transpose();
    let condition = condition.map_err(|source| RuleError::Condition { rule: rule.name.clone(), source })?;
    Ok(Rule {
        name: rule.name.as_str().into(),
        matches: rule.matches.clone(),
        action: rule.action,
        required,
        scopes: rule.scopes.clone().into(),
        on_missing_scope: rule.on_missing_scope,
        condition,
    })
}

#[cfg(test)]
mod tests;
