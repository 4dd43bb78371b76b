//! An explanation in words. Everything that a token or a manifest chose is made printable.

use crate::screen::{Screen, Tone, printable};
use tollward_policy::rules::Action;
use tollward_sidecar::explain::{Caller, Decision, Explanation, LimitExplanation, RuleExplanation};

/// Columns of the labels.
const LABEL: usize = 10;

/// Prints it.
pub(super) fn print(explanation: &Explanation, screen: &Screen) {
    let (word, tone) = match explanation.decision {
        Decision::Allow => ("ALLOW", Tone::Good),
        Decision::Deny => ("DENY", Tone::Bad),
        Decision::Unknown => ("CAN'T TELL", Tone::Bad),
    };
    let (reason, server) = (explanation.reason, printable(&explanation.server));
    screen.line(&format!("{} {server}: {} ({})", screen.paint(tone, word), reason.meaning(), reason.code()));
    let row = |label: &str, text: &str| screen.line(&format!("  {label:LABEL$} {}", printable(text)));
    if let Some(detail) = &explanation.detail {
        row("detail", detail);
    }
    if explanation.decision != Decision::Allow {
        row("what to do", reason.advice());
    }
    if let Some(caller) = &explanation.caller {
        row("caller", &who(caller));
        row("scopes", &or_none(&caller.scopes));
        row("groups", &caller.groups.as_ref().map_or_else(|| "unknown".to_owned(), |groups| or_none(groups)));
        row("roles", &caller.roles.as_ref().map_or_else(|| "unknown".to_owned(), |roles| or_none(roles)));
    }
    if let Some(rule) = &explanation.rule {
        row("decided by", rule);
    }
    if !explanation.missing_scopes.is_empty() {
        row("would ask", &format!("for {}", explanation.missing_scopes.join(" ")));
    }
    for rule in &explanation.rules {
        row("rule", &about(rule));
        if let (Some(condition), Some(outcome)) = (&rule.condition, &rule.outcome) {
            row("", &format!("condition `{}` {outcome}", condition.split_whitespace().collect::<Vec<_>>().join(" ")));
        }
    }
    for limit in &explanation.limits {
        row("charges", &rate(limit));
    }
}

fn who(caller: &Caller) -> String {
    let client = caller.client.as_ref().map_or_else(String::new, |client| format!(" by client {client}"));
    format!("{}{client}, of {}", caller.subject, caller.issuer)
}

fn or_none(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(" ") }
}

fn about(rule: &RuleExplanation) -> String {
    let says = match (rule.action, rule.applies) {
        (Action::Allow, true) => "allows it".to_owned(),
        (Action::Deny, true) => "denies it".to_owned(),
        (Action::Allow, false) if !rule.missing_scopes.is_empty() => {
            format!("would allow it, but the token lacks {}", rule.missing_scopes.join(" "))
        }
        (Action::Allow | Action::Deny, false) => "does not apply".to_owned(),
    };
    format!("`{}` {says}", rule.name)
}

fn rate(limit: &LimitExplanation) -> String {
    let cost = if limit.cost == 1 { String::new() } else { format!("; the call counts for {}", limit.cost) };
    format!(
        "{}, tier `{}`: {} in {} s, {} at once{cost}",
        limit.limit, limit.tier, limit.requests, limit.window_seconds, limit.burst
    )
}
