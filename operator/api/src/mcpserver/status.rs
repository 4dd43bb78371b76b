//! `status` of an `MCPServer`: written by the operator only.

use crate::condition::Conditions;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// What the operator observed.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct MCPServerStatus {
    /// The generation of the specification that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Accepted, `ResolvedRefs`, Programmed, `UpstreamIdentity`, Sealed and Ready.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Conditions,
    /// Where clients reach the server.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub endpoints: Vec<EndpointStatus>,
    /// The identity providers whose tokens are accepted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub identity_providers: Vec<ProviderStatus>,
    /// SHA-256 of the configuration that every replica should enforce, as `sha256:` and hexadecimal digits. While the
    /// specification is not accepted, that of the configuration that was in force before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub policy_digest: Option<String>,
    /// What each replica enforces.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["pod".into()]))]
    pub replicas: Vec<ReplicaStatus>,
}

/// Where clients reach the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct EndpointStatus {
    /// The public URL.
    #[schemars(length(max = 512))]
    pub url: String,
    /// The audience that access tokens must be issued for. Absent with auth.mode None.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub audience: Option<String>,
}

/// An identity provider whose tokens are accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProviderStatus {
    /// Namespace and name, joined by a slash.
    #[schemars(length(max = 320))]
    pub name: String,
    /// Its issuer.
    #[schemars(length(max = 512))]
    pub issuer: String,
    /// The generation of the IdentityProvider that `policyDigest` is about: once it is that of a change, replicas with this
    /// digest enforce the change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<i64>,
    /// The generation of the IdentityProvider whose `deny` the configuration of `policyDigest` has: it is brought in also while a
    /// newer specification is not accepted, and is later than `generation` then. Absent if it can't be brought in, for
    /// instance since the provider's issuer was changed meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deny_generation: Option<i64>,
}

/// What a replica enforces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReplicaStatus {
    /// Name of the pod.
    #[schemars(length(max = 253))]
    pub pod: String,
    /// SHA-256 of the configuration that it enforces. Absent if it did not answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub policy_digest: Option<String>,
}
