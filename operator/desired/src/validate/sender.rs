//! What access tokens may or must be bound to.

use super::{EndpointPlan, TlsPlan};
use crate::finding::Findings;
use tollward_api::condition::ConditionReason;
use tollward_api::mcpserver::{DpopProofs, SenderConstraint, SenderMethod};
use tollward_policy::config::{DpopConfig, SenderConstraintConfig};

/// Bounds of a proof's age, in seconds.
const PROOF_AGE: std::ops::RangeInclusive<u32> = 5..=300;

/// `None` if there is a finding.
pub(super) fn judge(
    spec: &SenderConstraint,
    endpoint: &EndpointPlan,
    findings: &mut Findings,
) -> Option<SenderConstraintConfig> {
    let SenderConstraint { mode, methods, dpop } = spec;
    let reason = ConditionReason::Invalid;
    if methods.is_empty() {
        findings.server(reason, "spec.auth.senderConstraint.methods: name at least one of DPoP and MutualTLS");
        return None;
    }
    let by_key = methods.contains(&SenderMethod::DPoP);
    let mutual_tls = methods.contains(&SenderMethod::MutualTLS);
    if dpop.is_some() && !by_key {
        findings.server(reason, "spec.auth.senderConstraint.dpop is set, so methods must name DPoP");
        return None;
    }
    if mutual_tls && *endpoint.tls() == TlsPlan::Off {
        findings.server(
            reason,
            "spec.auth.senderConstraint.methods: MutualTLS needs an endpoint with TLS of its own; with spec.endpoint.tls.mode \
             Off no client certificate ever reaches the data plane",
        );
        return None;
    }
    let dpop = if by_key { Some(proofs(dpop.as_ref(), findings)?) } else { None };
    Some(SenderConstraintConfig { mode: *mode, dpop, mutual_tls })
}

fn proofs(spec: Option<&DpopProofs>, findings: &mut Findings) -> Option<DpopConfig> {
    let (reason, place) = (ConditionReason::Invalid, "spec.auth.senderConstraint.dpop.proofMaxAge");
    let DpopProofs { nonce, proof_max_age } = spec.cloned().unwrap_or_default();
    let seconds = findings.keep(reason, place, proof_max_age.seconds())?;
    if !PROOF_AGE.contains(&seconds) {
        findings.server(reason, format!("{place} must be from 5s to 5m"));
        return None;
    }
    Some(DpopConfig { nonce, proof_max_age_seconds: seconds })
}
