//! Conditions: the types and reasons that every kind's status uses.
//!
//! Types and reasons are part of the public interface: they are added, never renamed.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use serde::Serialize;

/// The conditions of a status; one per type.
pub type Conditions = Vec<Condition>;

/// What a condition is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub enum ConditionType {
    /// The specification makes sense.
    Accepted,
    /// Everything that it refers to exists and may be used.
    ResolvedRefs,
    /// The data plane enforces this generation.
    Programmed,
    /// What the server behind gets to see of its callers. Always true; the reason and the message say what.
    UpstreamIdentity,
    /// The server can't be reached past the data plane.
    Sealed,
    /// Limits hold as they are written, not only in parts of replicas. Of policies alone.
    Exact,
    /// Requests are served as specified.
    Ready,
}

impl ConditionType {
    /// Every type, in the order in which they become true.
    pub const ALL: &'static [Self] = &[
        Self::Accepted,
        Self::ResolvedRefs,
        Self::Programmed,
        Self::UpstreamIdentity,
        Self::Sealed,
        Self::Exact,
        Self::Ready,
    ];

    /// The `type` of the condition.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "Accepted",
            Self::ResolvedRefs => "ResolvedRefs",
            Self::Programmed => "Programmed",
            Self::UpstreamIdentity => "UpstreamIdentity",
            Self::Sealed => "Sealed",
            Self::Exact => "Exact",
            Self::Ready => "Ready",
        }
    }
}

impl std::fmt::Display for ConditionType {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Declares the reasons and their meanings in one place.
macro_rules! reasons {
    ($($name:ident = $meaning:literal;)+) => {
        /// Why a condition has its status.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
        pub enum ConditionReason { $(#[doc = $meaning] $name,)+ }

        impl ConditionReason {
            /// Every reason.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The `reason` of the condition.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)+ }
            }

            /// What it means, as a sentence for a person.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning,)+ }
            }
        }
    };
}

reasons! {
    Accepted = "The specification is valid.";
    ResolvedRefs = "Every reference was resolved.";
    Programmed = "Every replica reports the digest of the current configuration.";
    Ready = "Requests are served as specified.";
    OneReplica = "One replica serves the target, so that its counts are exact.";
    SharedByReplicas = "Each replica of the target enforces its share of every limit.";
    SharedStore = "All replicas of the target count in one store, so that its counts are exact.";
    StoreUnavailable = "The store of the limits does not count at some replicas of the target.";
    Pending = "The operator has not finished yet.";
    Invalid = "The specification contradicts itself, as the message says.";
    Unsupported = "The specification asks for something that this operator does not know; upgrade the operator.";
    OmnibusScope = "A scope grants everything, so least privilege is impossible.";
    InvalidScope = "A scope is not well-formed, not declared, or implies itself.";
    InvalidRule = "An authorization rule can't be enforced.";
    InvalidLimit = "A rate limit can't be enforced.";
    InvalidEndpoint = "The endpoint's URL, hosts or origins can't be served.";
    InvalidWorkload = "The workload asks for something that a sealed pod can't have.";
    InvalidUpstreamAuth = "The identity for the server behind can't be shown, or would be too powerful.";
    InvalidProvider = "The identity provider's description can't be enforced.";
    EndpointConflict = "Another server has the same endpoint, and it is older.";
    AudienceNotExclusive = "Another server accepts the same audience of the same issuer, so its tokens would work here.";
    NotReferenceable = "The identity provider does not allow servers of this namespace.";
    TargetNotFound = "A reference names an object or a rule that does not exist.";
    NameConflict = "An object of the needed name exists and is not the operator's.";
    Rejected = "The API server or the data plane refused what the operator wrote.";
    DataPlaneUnreachable = "No replica of the data plane answers.";
    ReplicasUnavailable = "Replicas are not ready.";
    NoIdentity = "The server gets to see nothing of the caller.";
    SignedAssertion = "The server gets a signed statement about each caller.";
    ExchangedToken = "The server gets a token of its own for each caller.";
    SharedCredential = "The server sees all callers as one account.";
    Sealed = "Nobody but Tollward listens in the pods where others can connect.";
    ForeignListener = "Somebody else listens in a pod where others can connect, and is reached past Tollward.";
    UpstreamReachable = "The pods behind the Service can be reached past Tollward, as far as it can tell.";
    NotObserved = "It is not known who listens in the pods.";
    DiscoveryFailed = "The issuer's metadata or keys can't be fetched.";
    IntrospectionFailed = "The issuer can't be asked about tokens.";
}

impl std::fmt::Display for ConditionReason {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::ConditionReason;

    #[test]
    fn every_reason_is_camel_case_and_has_a_sentence() {
        for reason in ConditionReason::ALL {
            assert!(reason.as_str().chars().all(|letter| letter.is_ascii_alphanumeric()), "{reason}");
            assert!(reason.meaning().ends_with('.'), "{reason}");
        }
    }
}
