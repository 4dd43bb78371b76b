//! What is valid and worth a second thought: it weakens least privilege, or does nothing.

use crate::validate::Validated;
use std::collections::BTreeSet;
use tollward_api::identityprovider::Preset;
use tollward_policy::rules::{Action, RuleConfig};
use tollward_policy::scope::{Catalogue, ScopeName};

/// From this number of rules on, a scope that satisfies all of them is an omnibus scope under another name.
const COVERAGE_FROM: usize = 4;

/// Sentences for whoever declares the server. Empty if there is nothing to say.
pub fn advice(server: &Validated) -> Vec<String> {
    // A validated server's scopes compile; if they did not, there would be nothing to say about them.
    let Ok(catalogue) = Catalogue::compile(&server.scopes) else { return Vec::new() };
    let asking: Vec<_> =
        server.rules.iter().filter(|rule| rule.action == Action::Allow && !rule.scopes.is_empty()).collect();
    let required: BTreeSet<_> = asking.iter().flat_map(|rule| &rule.scopes).collect();
    let mut advice = Vec::new();
    if server.rules.iter().all(|rule| rule.action == Action::Deny) {
        advice.push("no rule allows anything, so that every call is refused: add rules to spec.auth.rules".to_owned());
    }
    // Entra takes a request without a scope of the API for one of its own Graph API.
    if server.initial_scopes.is_empty() && server.providers.iter().any(|plan| plan.preset == Preset::Entra) {
        advice.push(
            "initialScopes is empty, so that the first challenge names no scope, and clients get a token for Microsoft Graph from \
             Entra: name what every caller needs"
                .to_owned(),
        );
    }
    for scope in server.scopes.iter().map(|scope| &scope.name) {
        if !required.iter().any(|asked| suffices(&catalogue, scope, [*asked])) {
            advice.push(format!(
                "scope `{scope}` is declared, but no rule asks for it: remove it, or let a rule ask for it"
            ));
        } else if opens_everything(&catalogue, scope, &asking) {
            advice.push(format!(
                "scope `{scope}` alone satisfies all {} rules that ask for scopes: let rules that change or reveal more ask for \
                 a scope of their own",
                asking.len()
            ));
        }
    }
    advice
}

fn opens_everything(catalogue: &Catalogue, scope: &ScopeName, asking: &[&RuleConfig]) -> bool {
    asking.len() >= COVERAGE_FROM && asking.iter().all(|rule| suffices(catalogue, scope, &rule.scopes))
}

fn suffices<'a>(catalogue: &Catalogue, scope: &ScopeName, required: impl IntoIterator<Item = &'a ScopeName>) -> bool {
    catalogue.require(required).is_ok_and(|required| catalogue.held([scope.as_str()]).covers(&required))
}
