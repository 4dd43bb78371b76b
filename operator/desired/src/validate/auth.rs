//! Who may call.

use super::{EndpointPlan, ProviderPlan, audience, sender};
use crate::finding::Findings;
use crate::issuers::{GOOGLE, as_in_tokens};
use std::collections::BTreeMap;
use tollward_api::condition::ConditionReason;
use tollward_api::identityprovider::Preset;
use tollward_api::mcpserver::{AuthMode, AuthSpec, ClientAllowList};
use tollward_policy::clients::is_host;
use tollward_policy::config::AuthConfig;
use tollward_policy::scope::is_scope_text;

pub(super) fn judge(
    spec: &AuthSpec,
    endpoint: &EndpointPlan,
    providers: &[ProviderPlan],
    findings: &mut Findings,
) -> Option<AuthConfig> {
    match spec.mode {
        AuthMode::None => judge_none(spec, findings),
        AuthMode::OAuth => judge_oauth(spec, endpoint, providers, findings),
    }
}

fn judge_none(spec: &AuthSpec, findings: &mut Findings) -> Option<AuthConfig> {
    let about_tokens = !spec.identity_providers.is_empty()
        || spec.audience.is_some()
        || spec.clients.is_some()
        || !spec.scopes.is_empty()
        || !spec.initial_scopes.is_empty()
        || spec.sender_constraint.is_some()
        || spec.rules.iter().any(|rule| !rule.scopes.is_empty());
    if about_tokens {
        findings.server(
            ConditionReason::Invalid,
            "spec.auth: mode None checks no tokens, so identityProviders, audience, clients, scopes, initialScopes, \
             senderConstraint and scopes of rules must not be set",
        );
        return None;
    }
    Some(AuthConfig::None {})
}

fn judge_oauth(
    spec: &AuthSpec,
    endpoint: &EndpointPlan,
    providers: &[ProviderPlan],
    findings: &mut Findings,
) -> Option<AuthConfig> {
    if spec.identity_providers.is_empty() {
        findings.server(ConditionReason::Invalid, "spec.auth.identityProviders: mode OAuth needs at least one");
        return None;
    }
    let clients = match &spec.clients {
        None => Clients { ids: Vec::new(), hosts: Vec::new() },
        Some(list) => clients(list, findings)?,
    };
    refuse_strangers(providers, &clients, findings)?;
    refuse_capitals(providers, &clients, findings)?;
    let audience = audience::judge(spec, endpoint, providers, findings)?;
    let sender_constraint = match &spec.sender_constraint {
        None => None,
        Some(spec) => Some(sender::judge(spec, endpoint, findings)?),
    };
    Some(AuthConfig::OAuth {
        scope_prefixes: scope_prefixes(providers, findings)?,
        providers: providers.iter().map(|plan| plan.name().to_owned()).collect(),
        audiences: vec![audience],
        allowed_clients: clients.ids,
        allowed_client_hosts: clients.hosts,
        auth_server_metadata: spec.auth_server_metadata,
        sender_constraint,
    })
}

/// Anybody with an account at Google may have it sign a token for any audience: only a list of clients tells whose it is. The
/// issuer counts, whatever the preset.
fn refuse_strangers(providers: &[ProviderPlan], clients: &Clients, findings: &mut Findings) -> Option<()> {
    if !clients.ids.is_empty() {
        return Some(());
    }
    let open = providers.iter().find_map(|plan| Some((plan.key(), plan.open_to_all()?)));
    let Some((key, whose)) = open else {
        return Some(());
    };
    let list = if whose == GOOGLE { "the unique ids of the service accounts" } else { "the clients" };
    let message = format!(
        "spec.auth.clients: whoever has an account at {whose} may have IdentityProvider `{key}` sign a token for this server; \
         list {list} that may call in clients.allow"
    );
    findings.server(ConditionReason::Invalid, message);
    None
}

/// Ids are compared exactly, and no token of Entra has a GUID with capitals.
fn refuse_capitals(providers: &[ProviderPlan], clients: &Clients, findings: &mut Findings) -> Option<()> {
    let of_entra = providers.iter().all(|plan| plan.preset == Preset::Entra);
    let is_other = |id: &&String| as_in_tokens(Preset::Entra, (*id).clone()) != **id;
    let Some(wrong) = clients.ids.iter().find(is_other).filter(|_| of_entra) else {
        return Some(());
    };
    let message = format!("spec.auth.clients.allow: `{wrong}` must be in lower case, as ids stand in tokens of Entra");
    findings.server(ConditionReason::Invalid, message);
    None
}

struct Clients {
    ids: Vec<String>,
    hosts: Vec<String>,
}

fn clients(list: &ClientAllowList, findings: &mut Findings) -> Option<Clients> {
    let ClientAllowList { allow, allow_hosts } = list;
    // An empty list would read as "any" in the data plane, and as "nobody" to whoever wrote it.
    if (allow.is_empty() && allow_hosts.is_empty()) || allow.iter().any(String::is_empty) {
        let message =
            "spec.auth.clients: name at least one client in allow or allowHosts; without `clients` any may call";
        findings.server(ConditionReason::Invalid, message);
        return None;
    }
    if let Some(wrong) = allow_hosts.iter().find(|host| !is_host(host)) {
        let message = format!(
            "spec.auth.clients.allowHosts: `{wrong}` is no host name in lower case, with a port only if it is not 443"
        );
        findings.server(ConditionReason::Invalid, message);
        return None;
    }
    Some(Clients { ids: allow.clone(), hosts: allow_hosts.clone() })
}

/// What stands before scopes, by the provider's name in the configuration.
fn scope_prefixes(providers: &[ProviderPlan], findings: &mut Findings) -> Option<BTreeMap<String, String>> {
    let mut prefixes = BTreeMap::new();
    for plan in providers {
        let Some(prefix) = &plan.scope_prefix else { continue };
        if prefix.len() > 200 || !is_scope_text(prefix) {
            let message = format!(
                "spec.auth.identityProviders: scopePrefix `{prefix}` must have 1 to 200 of the characters of scope names"
            );
            findings.server(ConditionReason::Invalid, message);
            return None;
        }
        prefixes.insert(plan.name().to_owned(), prefix.clone());
    }
    Some(prefixes)
}
