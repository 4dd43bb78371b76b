//! Whether objects can be named after the server.

use crate::finding::Findings;
use crate::identity::Identity;
use kube::ResourceExt as _;
use tollward_api::MCPServer;
use tollward_api::condition::ConditionReason;
use tollward_api::owned::MAX_SERVER_NAME;

pub(super) fn judge(server: &MCPServer, findings: &mut Findings) -> Option<Identity> {
    let identity = Identity::of(server);
    if identity.is_none() {
        findings.server(
            ConditionReason::Invalid,
            format!(
                "metadata.name `{}` must have at most {MAX_SERVER_NAME} lower-case letters, digits and -, start with a \
                 letter, and not look like one of Tollward's own",
                server.name_any()
            ),
        );
    }
    identity
}
