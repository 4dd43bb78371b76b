//! The scopes that a server declares: names, hierarchy, and that none of them is everything.

use crate::finding::Findings;
use std::collections::BTreeSet;
use tollward_api::condition::ConditionReason;
use tollward_api::mcpserver::{AuthSpec, DeclaredScope};
use tollward_policy::scope::{Catalogue, ScopeConfig, ScopeError, ScopeName};

/// From this number of declared scopes on, one that implies all others is an omnibus scope under another name. Below it,
/// a write scope that implies the read scope beside it would be refused.
const COVERAGE_FROM: usize = 4;

/// Declared scopes with what they compile to.
pub(super) struct Scopes {
    pub(super) declared: Vec<ScopeConfig>,
    pub(super) initial: Vec<ScopeName>,
    pub(super) catalogue: Catalogue,
}

pub(super) fn judge(spec: &AuthSpec, findings: &mut Findings) -> Option<Scopes> {
    let reason = ConditionReason::InvalidScope;
    let declared: Vec<_> = spec.scopes.iter().map(|scope| judge_one(scope, findings)).collect();
    let declared: Vec<_> = declared.into_iter().collect::<Option<_>>()?;
    let catalogue = findings.keep(reason, "spec.auth.scopes", Catalogue::compile(&declared))?;
    let initial = names("spec.auth.initialScopes", &spec.initial_scopes, findings)?;
    findings.keep(reason, "spec.auth.initialScopes", catalogue.require(&initial))?;
    refuse_refresh(&declared, findings)?;
    refuse_coverage(&declared, &catalogue, findings)?;
    Some(Scopes { declared, initial, catalogue })
}

/// Scope names of a field, or findings that name the offenders.
pub(super) fn names(place: &str, texts: &[String], findings: &mut Findings) -> Option<Vec<ScopeName>> {
    let names: Vec<_> = texts.iter().map(|text| name(place, text, findings)).collect();
    names.into_iter().collect()
}

fn judge_one(scope: &DeclaredScope, findings: &mut Findings) -> Option<ScopeConfig> {
    let DeclaredScope { name: text, description, implies } = scope;
    let name = name("spec.auth.scopes", text, findings);
    let implies = names(&format!("spec.auth.scopes[{text}].implies"), implies, findings);
    Some(ScopeConfig { name: name?, description: description.clone(), implies: implies? })
}

fn name(place: &str, text: &str, findings: &mut Findings) -> Option<ScopeName> {
    let reason = match ScopeName::new(text) {
        Ok(name) => return Some(name),
        Err(ScopeError::Wildcard(_) | ScopeError::Omnibus(_)) => ConditionReason::OmnibusScope,
        Err(ScopeError::Length(_) | ScopeError::Character(_)) => ConditionReason::InvalidScope,
    };
    findings.keep(reason, place, ScopeName::new(text))
}

/// Asks the authorization server for a refresh token, and permits nothing here. Clients add it by themselves; a challenge and
/// the metadata should not name it (MCP 2026-07-28 basic/authorization, SEP-2207).
fn refuse_refresh(declared: &[ScopeConfig], findings: &mut Findings) -> Option<()> {
    let found = declared.iter().any(|scope| scope.name.as_str() == "offline_access");
    if found {
        findings.server(
            ConditionReason::InvalidScope,
            "spec.auth.scopes: `offline_access` asks for a refresh token and permits nothing; leave it out, clients ask for it \
             by themselves",
        );
    }
    (!found).then_some(())
}

fn refuse_coverage(declared: &[ScopeConfig], catalogue: &Catalogue, findings: &mut Findings) -> Option<()> {
    if declared.len() < COVERAGE_FROM {
        return Some(());
    }
    let everything = catalogue.require(declared.iter().map(|scope| &scope.name)).ok()?;
    let covering: BTreeSet<_> = declared
        .iter()
        .map(|scope| scope.name.as_str())
        .filter(|name| catalogue.held([*name]).covers(&everything))
        .collect();
    for name in &covering {
        findings.server(
            ConditionReason::OmnibusScope,
            format!(
                "spec.auth.scopes: `{name}` implies every other scope; split it, so that no token can do everything"
            ),
        );
    }
    covering.is_empty().then_some(())
}
