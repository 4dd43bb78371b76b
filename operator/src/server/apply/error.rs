//! Why something could not be written, in words for a status.

use crate::authority::CertificateError;
use crate::child::ChildKind;
use kube::ResourceExt as _;
use kube::core::DynamicObject;
use tollward_api::condition::ConditionReason;

/// Why something could not be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// An object of the needed name is not this server's.
    #[error("{what} exists and {owner}; rename or delete it, or give the MCPServer another name")]
    Foreign {
        /// Kind and name.
        what: String,
        /// Whose it is.
        owner: String,
    },
    /// It is being deleted.
    #[error("{what} is being deleted; it is made anew once it is gone")]
    Going {
        /// Kind and name.
        what: String,
    },
    /// It changed between look and write.
    #[error("{what} changed while it was written; this is tried again")]
    Moved {
        /// Kind and name.
        what: String,
    },
    /// The API server refuses it.
    #[error("the API server refuses {what}: {message}")]
    Refused {
        /// Kind and name.
        what: String,
        /// What it says.
        message: String,
    },
    /// The API server can't be reached, or is overloaded.
    #[error("{what} can't be written now: {message}; this is tried again")]
    Unreachable {
        /// Kind and name.
        what: String,
        /// Why.
        message: String,
    },
}

impl ApplyError {
    /// Sorts an error of the API server.
    pub(super) fn of(what: &str, error: kube::Error) -> Self {
        let what = what.to_owned();
        let kube::Error::Api(status) = error else {
            return Self::Unreachable { what, message: without_address(&error) };
        };
        match status.code {
            409 => Self::Moved { what },
            429 | 500.. => Self::Unreachable { what, message: status.message },
            _ => Self::Refused { what, message: status.message },
        }
    }

    pub(super) fn foreign(kind: ChildKind, live: Option<&DynamicObject>, name: &str) -> Self {
        let owners = live.map(|live| live.owner_references().to_vec()).unwrap_or_default();
        let owner = match owners.first() {
            Some(owner) => format!("belongs to {} {}", owner.kind, owner.name),
            None => "belongs to nobody".to_owned(),
        };
        Self::Foreign { what: format!("{} {name}", kind.name()), owner }
    }

    pub(super) fn going(kind: ChildKind, name: &str) -> Self {
        Self::Going { what: format!("{} {name}", kind.name()) }
    }

    /// Keys could not be made.
    pub(in crate::server) fn keys(error: &CertificateError) -> Self {
        Self::Refused { what: "Secret with keys".to_owned(), message: error.to_string() }
    }

    /// The reason of the condition.
    pub const fn reason(&self) -> ConditionReason {
        match self {
            Self::Foreign { .. } => ConditionReason::NameConflict,
            Self::Going { .. } | Self::Moved { .. } | Self::Unreachable { .. } => ConditionReason::Pending,
            Self::Refused { .. } => ConditionReason::Rejected,
        }
    }
}

/// The kind of failure only: addresses of the cluster's insides don't belong into a tenant's status.
fn without_address(error: &kube::Error) -> String {
    tracing::warn!(%error, "the API server can't be reached");
    "the API server can't be reached".to_owned()
}
