//! What is recorded, and how long sessions last.

use crate::finding::Findings;
use crate::install::InstallSettings;
use tollward_api::condition::ConditionReason;
use tollward_api::mcpserver::{AuditSpec, SessionSpec};
use tollward_policy::config::AuditConfig;

/// Bounds of a session's life, in seconds.
const SESSION: std::ops::RangeInclusive<u32> = 60..=2_592_000;

pub(super) fn session_seconds(spec: &SessionSpec, findings: &mut Findings) -> Option<u32> {
    let reason = ConditionReason::Invalid;
    let seconds = findings.keep(reason, "spec.session.maxAge", spec.max_age.seconds())?;
    if !SESSION.contains(&seconds) {
        findings.server(reason, "spec.session.maxAge must be from 1m to 720h");
        return None;
    }
    Some(seconds)
}

pub(super) fn judge(spec: &AuditSpec, install: &InstallSettings, findings: &mut Findings) -> AuditConfig {
    for path in spec.redact.iter().filter(|path| !path.starts_with('/')) {
        findings.server(
            ConditionReason::Invalid,
            format!("spec.audit.redact: `{path}` is not a JSON pointer; write for instance /customer/email"),
        );
    }
    AuditConfig {
        arguments: spec.arguments,
        redact: spec.redact.clone(),
        claims: spec.claims.clone(),
        max_argument_bytes: install.max_argument_bytes,
    }
}
