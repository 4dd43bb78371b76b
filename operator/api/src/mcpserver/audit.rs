//! `spec.audit`.

use crate::cel;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};
use tollward_policy::config::Arguments;

/// What is recorded of each call besides who, what, when and the decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditSpec {
    /// What of a call's arguments is recorded. `Redacted`: all, but values of secret-looking names and texts and of the
    /// paths in `redact` are replaced. `None`: nothing. `Full`: everything as it came.
    #[serde(default = "redacted")]
    pub arguments: Arguments,
    /// Paths into the arguments whose values are replaced as well, as JSON pointers such as /customer/email.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 256)))]
    #[x_kube(
        merge_strategy = ListMerge::Set,
        validation = cel::naming(
            "self.all(path, path.startsWith('/'))",
            "'audit.redact: `' + self.filter(path, !path.startsWith('/'))[0] + '` is not a JSON pointer; write for instance /customer/email'",
        ),
    )]
    pub redact: Vec<String>,
    /// Claims of the access token that are recorded besides issuer, subject, client and token id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 128)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub claims: Vec<String>,
}

impl Default for AuditSpec {
    fn default() -> Self {
        Self { arguments: redacted(), redact: Vec::new(), claims: Vec::new() }
    }
}

fn redacted() -> Arguments {
    Arguments::Redacted
}
