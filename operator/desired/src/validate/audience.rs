//! Which audience a server's tokens have: its endpoint's URL, unless its providers can't issue tokens for one.

use super::EndpointPlan;
use super::providers::ProviderPlan;
use crate::finding::Findings;
use crate::issuers::{GOOGLE, is_guid};
use tollward_api::condition::ConditionReason;
use tollward_api::identityprovider::Preset;
use tollward_api::mcpserver::AuthSpec;

/// The audience, or a finding for each provider that can never issue a token for it.
pub(super) fn judge(
    spec: &AuthSpec,
    endpoint: &EndpointPlan,
    providers: &[ProviderPlan],
    findings: &mut Findings,
) -> Option<String> {
    let audience = match &spec.audience {
        None => endpoint.url.as_str().to_owned(),
        Some(audience) if audience.value.is_empty() => {
            findings.server(ConditionReason::Invalid, "spec.auth.audience.value must not be empty");
            return None;
        }
        Some(audience) => audience.value.clone(),
    };
    let mut told: Option<&str> = None;
    for plan in providers {
        // A provider with several tenants is told once.
        if told == Some(plan.key()) {
            continue;
        }
        if let Some(advice) = impossible(plan, &audience) {
            told = Some(plan.key());
            let key = plan.key();
            let message = format!(
                "spec.auth.audience: tokens of IdentityProvider `{key}` never have the audience `{audience}`: {advice}"
            );
            findings.server(ConditionReason::Invalid, message);
        }
    }
    told.is_none().then_some(audience)
}

/// Why the vendor can't issue a token for this audience, and what to do.
fn impossible(plan: &ProviderPlan, audience: &str) -> Option<&'static str> {
    if plan.open_to_all() == Some(GOOGLE) && audience.ends_with(".apps.googleusercontent.com") {
        return Some(
            "what Google signs for an OAuth client id is an ID token of somebody's sign-in; let programs ask for an identity \
             token with the server's URL as audience, and leave audience out",
        );
    }
    match plan.preset {
        // Version 1.0 may have the Application ID URI instead.
        Preset::Entra if plan.issuer().ends_with("/v2.0") && !is_guid(audience) => Some(
            "Entra writes the client id of the API's app registration, a GUID in lower case, into aud of version 2.0 tokens; \
             set audience.value to it",
        ),
        Preset::Generic
        | Preset::Auth0
        | Preset::Okta
        | Preset::Entra
        | Preset::Keycloak
        | Preset::Cognito
        | Preset::Google => None,
    }
}
