//! Who may call.

use super::{EndpointPlan, sender};
use crate::finding::Findings;
use crate::identity::Identity;
use crate::provider_key::referenced_key;
use tollward_api::condition::ConditionReason;
use tollward_api::mcpserver::{AuthMode, AuthSpec};
use tollward_policy::config::AuthConfig;

pub(super) fn judge(
    spec: &AuthSpec,
    endpoint: &EndpointPlan,
    identity: &Identity,
    findings: &mut Findings,
) -> Option<AuthConfig> {
    match spec.mode {
        AuthMode::None => judge_none(spec, findings),
        AuthMode::OAuth => judge_oauth(spec, endpoint, identity, findings),
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
    identity: &Identity,
    findings: &mut Findings,
) -> Option<AuthConfig> {
    let reason = ConditionReason::Invalid;
    if spec.identity_providers.is_empty() {
        findings.server(reason, "spec.auth.identityProviders: mode OAuth needs at least one");
        return None;
    }
    let allowed_clients = match &spec.clients {
        None => Vec::new(),
        // An empty list would read as "any" in the data plane, and as "nobody" to whoever wrote it.
        Some(clients) if clients.allow.iter().any(String::is_empty) || clients.allow.is_empty() => {
            findings
                .server(reason, "spec.auth.clients.allow: name at least one client; without `clients` any may call");
            return None;
        }
        Some(clients) => clients.allow.clone(),
    };
    let audience = match &spec.audience {
        None => endpoint.url.as_str().to_owned(),
        Some(audience) if audience.value.is_empty() => {
            findings.server(reason, "spec.auth.audience.value must not be empty");
            return None;
        }
        Some(audience) => audience.value.clone(),
    };
    let sender_constraint = match &spec.sender_constraint {
        None => None,
        Some(spec) => Some(sender::judge(spec, endpoint, findings)?),
    };
    let providers =
        spec.identity_providers.iter().map(|reference| referenced_key(reference, identity.namespace())).collect();
    Some(AuthConfig::OAuth {
        providers,
        audiences: vec![audience],
        allowed_clients,
        auth_server_metadata: spec.auth_server_metadata,
        sender_constraint,
    })
}
