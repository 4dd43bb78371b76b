//! Which server it is.

use crate::finding::Findings;
use kube::ResourceExt as _;
use tollward_api::MCPServer;
use tollward_api::condition::ConditionReason;
use tollward_api::owned::{MAX_SERVER_NAME, is_owned};

/// Namespace, name and unique id of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    namespace: String,
    name: String,
    uid: String,
}

impl Identity {
    /// The namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The unique id; `unassigned` for a server that no API server has seen.
    pub fn uid(&self) -> &str {
        &self.uid
    }
}

pub(super) fn judge(server: &MCPServer, findings: &mut Findings) -> Option<Identity> {
    let name = server.name_any();
    if !is_label(&name) || name.len() > MAX_SERVER_NAME || is_owned(&name) {
        findings.server(
            ConditionReason::Invalid,
            format!(
                "metadata.name `{name}` must have at most {MAX_SERVER_NAME} lower-case letters, digits and -, start with a \
                 letter, and not look like one of Tollward's own"
            ),
        );
        return None;
    }
    Some(Identity {
        namespace: server.namespace().unwrap_or_else(|| "default".into()),
        name,
        uid: server.uid().unwrap_or_else(|| "unassigned".into()),
    })
}

/// A DNS label that starts with a letter (RFC 1035), as Services need it.
fn is_label(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    text.starts_with(|first: char| first.is_ascii_lowercase()) && text.bytes().all(plain) && !text.ends_with('-')
}
