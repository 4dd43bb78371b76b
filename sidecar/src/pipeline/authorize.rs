//! Whether the caller may do it: the rules, with default deny.

use super::resume::Resumed;
use crate::denial::{Challenge, Denial};
use crate::envelope::Message;
use crate::snapshot::Route;
use tollward_policy::condition::{Arguments, Facts};
use tollward_policy::operation::Target;
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

/// The scopes that a caller holds here, and what the rules say of a message at a time, in seconds since the epoch.
pub(crate) fn judge(route: &Route, principal: &Principal, message: &Message, now: i64) -> (ScopeSet, Verdict) {
    let held = held(route, principal);
    let verdict = route.rules.decide(message.operation(), &held, &facts(principal, message, now));
    (held, verdict)
}

/// The scopes that a caller holds here.
pub(super) fn held(route: &Route, principal: &Principal) -> ScopeSet {
    match principal {
        Principal::Anonymous => ScopeSet::EMPTY,
        Principal::Token(token) => route.catalogue.held(route.scope_names.held(token)),
    }
}

/// What conditions may be about.
pub(crate) fn facts<'c>(principal: &'c Principal, message: &'c Message, now: i64) -> Facts<'c> {
    let arguments = message.arguments().map_or(Arguments::None, |text| Arguments::Given(text));
    Facts::of_call(principal, message.revision().as_str(), arguments, now)
}

/// Decides. A hidden target is answered exactly like one that no rule names.
pub(super) fn authorize(resumed: Resumed) -> Result<Permitted, Denial> {
    let understood = &resumed.understood;
    let (route, message) = (&understood.route, &understood.message);
    let (held, verdict) = judge(route, &understood.principal, message, resumed.now);
    let id = || message.id().map(|id| id.as_json().to_owned());
    let denied = |verdict: &Verdict| {
        let denial = Denial::new(verdict.reason()).id(id()).era(message.era());
        match verdict.rule() {
            Some(rule) => denial.rule(rule),
            None => denial,
        }
    };
    let rule = match &verdict {
        Verdict::Allow(rule) => rule.as_ref().map(ToString::to_string),
        // Another token would not help, so nothing is challenged.
        Verdict::Condition(_, Some(fault)) => {
            return Err(denied(&verdict).record(format!("the condition can't be decided: {fault}")));
        }
        Verdict::NoRule | Verdict::Deny(_) | Verdict::Hide(_) | Verdict::Condition(_, None) => {
            return Err(denied(&verdict));
        }
        Verdict::StepUp(_, scopes) => {
            return Err(match &understood.principal {
                // Nobody to ask for scopes: an anonymous caller can't step up.
                Principal::Anonymous => denied(&verdict),
                Principal::Token(token) => {
                    let challenge = Challenge::insufficient_scope(route.metadata_url(), scopes);
                    let challenge = challenge.prefixed(route.scope_names.prefix_of(&token.provider));
                    denied(&verdict).challenge(challenge.by(route.authenticator.schemes()))
                }
            });
        }
    };
    // Whose a task is, no rule can say. One that nobody is known to have begun may be another caller's.
    if let Target::Task(task) = &message.operation().target
        && !route.tasks.is_of(task, &resumed.binding)
    {
        return Err(Denial::new(Reason::TaskUnknown).id(id()).era(message.era()));
    }
    Ok(Permitted { resumed, held, rule })
}
