//! Whether the caller may do it: the rules, with default deny.

use super::resume::Resumed;
use crate::denial::{Challenge, Denial};
use tollward_policy::condition::{Arguments, Facts};
use tollward_policy::principal::Principal;
use tollward_policy::reason::Reason;
use tollward_policy::rules::Verdict;
use tollward_policy::scope::ScopeSet;

/// A message that the rules let pass.
pub(super) struct Permitted {
    pub(super) resumed: Resumed,
    pub(super) held: ScopeSet,
    pub(super) rule: Option<String>,
}

/// Decides. A hidden target is answered exactly like one that no rule names.
pub(super) fn authorize(resumed: Resumed) -> Result<Permitted, Denial> {
    let understood = &resumed.understood;
    let route = &understood.route;
    let held = match &understood.principal {
        Principal::Anonymous => ScopeSet::EMPTY,
        Principal::Token(token) => route.catalogue.held(token.scopes.iter().map(String::as_str)),
    };
    let denied = |reason| {
        let id = understood.message.id().map(|id| id.as_json().to_owned());
        Denial::new(reason).id(id).era(understood.message.era())
    };
    let arguments = understood.message.arguments().map_or(Arguments::None, |text| Arguments::Given(text));
    let revision = understood.message.revision().as_str();
    let facts = Facts::of_call(&understood.principal, revision, arguments, resumed.now);
    let rule = match route.rules.decide(understood.message.operation(), &held, &facts) {
        Verdict::Allow(rule) => rule.map(|rule| rule.to_string()),
        Verdict::NoRule => return Err(denied(Reason::NoRuleMatched)),
        Verdict::Deny(rule) => return Err(denied(Reason::RuleDenied).rule(&*rule)),
        Verdict::Hide(rule) => return Err(denied(Reason::Hidden).rule(&*rule)),
        // Another token would not help, so nothing is challenged.
        Verdict::Condition(rule, fault) => {
            let denial = denied(Reason::ConditionFailed).rule(&*rule);
            return Err(match fault {
                Some(fault) => denial.record(format!("the condition can't be decided: {fault}")),
                None => denial,
            });
        }
        Verdict::StepUp(rule, scopes) => {
            let denial = denied(Reason::ScopeInsufficient).rule(&*rule);
            return Err(match &understood.principal {
                // Nobody to ask for scopes: an anonymous caller can't step up.
                Principal::Anonymous => denial,
                Principal::Token(_) => {
                    let challenge = Challenge::insufficient_scope(route.metadata_url(), &scopes);
                    denial.challenge(challenge.by(route.authenticator.schemes()))
                }
            });
        }
    };
    Ok(Permitted { resumed, held, rule })
}
