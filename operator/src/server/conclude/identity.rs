//! What status says about the identity under which the server behind is called. Nothing here is a fault: it is shown since
//! an account that all callers share is the first thing that a reviewer asks for.

use crate::condition::Verdict;
use tollward_api::condition::{ConditionReason, ConditionType};
use tollward_desired::validate::{MountedSecret, UpstreamAuthPlan};

/// As whom the server is called.
pub(super) fn verdict(plan: &UpstreamAuthPlan) -> Verdict {
    let kind = ConditionType::UpstreamIdentity;
    match plan {
        UpstreamAuthPlan::None => {
            Verdict::yes(kind, ConditionReason::NoIdentity, ConditionReason::NoIdentity.meaning())
        }
        UpstreamAuthPlan::SignedAssertion { audience } => Verdict::yes(
            kind,
            ConditionReason::SignedAssertion,
            format!("The server gets a signed statement about each caller, for the audience `{audience}`."),
        ),
        UpstreamAuthPlan::TokenExchange { client, audience, resource, secret, .. } => {
            let target = audience.as_deref().or(resource.as_deref()).unwrap_or_default();
            let message = format!(
                "The server gets a token for each caller that the identity provider gives the client `{client}` for `{target}`. {}",
                needed(secret)
            );
            Verdict::yes(kind, ConditionReason::ExchangedToken, message)
        }
        UpstreamAuthPlan::Credential { form: _, secret } => Verdict::yes(
            kind,
            ConditionReason::SharedCredential,
            format!(
                "All callers are one account to the server: that of the Secret `{}`. {}",
                secret.name,
                needed(secret)
            ),
        ),
    }
}

/// Pods don't start without the keys that are their owner's consent, and nobody else says which they are.
fn needed(secret: &MountedSecret) -> String {
    let keys = secret.keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(" and ");
    format!("Pods start once the Secret `{}` has the key {keys}.", secret.name)
}

/// What is in force was not looked at.
pub(super) fn unknown() -> Verdict {
    let message = "This specification is not in force, so that it does not say what the server gets to see.";
    Verdict::unknown(ConditionType::UpstreamIdentity, ConditionReason::Pending, message)
}
