//! `spec.deny`: tokens that are refused although they verify.

use crate::cel;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// An entry: a token is refused if everything that is given applies to it.
///
/// What a token does not say can't speak for it: a token without `iat` is older than any time, and one that names no client
/// or has no id is refused by entries about any.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = cel::deny_names_somebody())]
pub struct DenyEntry {
    /// The name, by which audit records tell which entry refused a call.
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
    /// Why, for people. It stays in this object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub reason: Option<String>,
    /// The caller, as it stands in `sub` of the token, in the claim that the preset or `external.claims.subject` names (`oid`
    /// at Entra), or as an actor in `act`. Audit records have it as the caller's subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    #[x_kube(validation = cel::token_name("deny.subject"))]
    pub subject: Option<String>,
    /// The OAuth client's id, in any of the claims that `external.claims.client` names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    #[x_kube(validation = cel::token_name("deny.client"))]
    pub client: Option<String>,
    /// The token's id, in any of the claims that `external.claims.tokenId` names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    #[x_kube(validation = cel::token_name("deny.tokenId"))]
    pub token_id: Option<String>,
    /// Tokens that were issued before this time, by their `iat`. Alone it denies every older token of the provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued_before: Option<Time>,
    /// When the entry ends by itself. Choose a time by which the tokens that it is about have expired. If not given, it counts
    /// until it is removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
}
