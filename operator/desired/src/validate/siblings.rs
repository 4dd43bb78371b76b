//! What two servers can't both have: an endpoint, and the tokens of one audience. The older one keeps it, so that nobody
//! takes a running server down by declaring another.

use crate::finding::Findings;
use crate::inputs::{Inputs, Sibling};
use tollward_api::condition::ConditionReason;

pub(super) fn judge(inputs: &Inputs, findings: &mut Findings) {
    let this = Sibling::of(&inputs.server, &inputs.providers, &inputs.install);
    let older = |other: &&Sibling| other.name != this.name && other.precedes(&this);
    for other in inputs.siblings.iter().filter(older) {
        if other.endpoint == this.endpoint {
            findings.server(
                ConditionReason::EndpointConflict,
                format!(
                    "spec.endpoint.url: `{}` is that of MCPServer `{}`, which is older and keeps it; choose another URL",
                    this.endpoint, other.name
                ),
            );
        } else if let Some(issuer) = shared_issuer(&this, other)
            && let Some(advice) = not_kept_apart(&this, other)
        {
            findings.server(
                ConditionReason::AudienceNotExclusive,
                format!(
                    "spec.auth.audience: MCPServer `{}` accepts the same audience of `{issuer}`, so tokens for one would work \
                     at the other; give each an audience of its own{advice}",
                    other.name
                ),
            );
        }
    }
}

/// What is missing to share an audience: both owners agree, and no token can do anything at both but by a scope of each.
fn not_kept_apart(this: &Sibling, other: &Sibling) -> Option<String> {
    if !this.shares || !other.shares {
        return Some(", or set audience.shared to Acknowledged in both, with different scopes".to_owned());
    }
    if let Some(scope) = this.scopes.intersection(&other.scopes).next() {
        return Some(format!("; audience.shared needs different scopes, and both declare `{scope}` as tokens have it"));
    }
    let loose = [this, other].into_iter().find(|server| server.allows_without_scope)?;
    Some(format!("; audience.shared needs scopes in every Allow rule, and `{}` has one without", loose.name))
}

fn shared_issuer<'a>(this: &'a Sibling, other: &'a Sibling) -> Option<&'a String> {
    let same = this.audience.is_some() && this.audience == other.audience;
    this.issuers.intersection(&other.issuers).next().filter(|_| same)
}
