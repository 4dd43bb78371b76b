//! Who may do what.

use super::operations;
use super::scopes::{Scopes, names};
use crate::finding::Findings;
use tollward_api::condition::ConditionReason;
use tollward_api::mcpserver::{AuthRule, AuthSpec};
use tollward_policy::rules::{RuleConfig, RuleSet};

pub(super) fn judge(spec: &AuthSpec, scopes: Option<&Scopes>, findings: &mut Findings) -> Option<Vec<RuleConfig>> {
    let rules: Vec<_> = spec.rules.iter().map(|rule| judge_one(rule, findings)).collect();
    let rules: Vec<_> = rules.into_iter().collect::<Option<_>>()?;
    let compiled = RuleSet::compile(&rules, &scopes?.catalogue);
    findings.keep(ConditionReason::InvalidRule, "spec.auth.rules", compiled)?;
    Some(rules)
}

fn judge_one(rule: &AuthRule, findings: &mut Findings) -> Option<RuleConfig> {
    let AuthRule { name, matches, action, scopes, on_missing_scope, condition } = rule;
    let place = format!("spec.auth.rules[{name}]");
    let matches = findings.keep(ConditionReason::InvalidRule, &place, operations::compile(matches));
    let scopes = names(&format!("{place}.scopes"), scopes, findings);
    if name.is_empty() {
        findings.server(ConditionReason::InvalidRule, "spec.auth.rules: every rule needs a name");
        return None;
    }
    Some(RuleConfig {
        name: name.clone(),
        matches: matches?,
        action: *action,
        scopes: scopes?,
        on_missing_scope: *on_missing_scope,
        condition: condition.clone(),
    })
}
