//! `status` of an `IdentityProvider`.

use crate::condition::Conditions;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// What the operator observed.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct IdentityProviderStatus {
    /// The generation of the specification that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Accepted, `ResolvedRefs`, Programmed and Ready.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Conditions,
    /// The issuer whose tokens are accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub issuer: Option<String>,
    /// How many keys its issuers have published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_count: Option<i64>,
    /// When the operator last fetched metadata and keys of every issuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_refresh: Option<Time>,
    /// When it will ask again. Servers refresh keys by themselves, at once if a token names an unknown one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_refresh: Option<Time>,
    /// What each issuer said when it was last asked with success. One, but for Entra with several tenants.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub issuers: Vec<IssuerStatus>,
}

/// What an issuer says about itself (RFC 8414, OpenID Connect Discovery 1.0). Lists are cut to what fits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct IssuerStatus {
    /// The issuer.
    #[schemars(length(max = 512))]
    pub issuer: String,
    /// Whether its metadata name exactly this issuer. False if there are no metadata, which needs `external.jwksURL`.
    pub issuer_matches: bool,
    /// Where its metadata are.
    #[serde(rename = "metadataURL", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub metadata_url: Option<String>,
    /// Where its keys are. Absent if all of its tokens are opaque.
    #[serde(rename = "jwksURL", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub jwks_url: Option<String>,
    /// Signature algorithms of its keys, as far as they name one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 32)))]
    pub algorithms: Vec<String>,
    /// Its `code_challenge_methods_supported`. MCP clients insist on S256, and some refuse an issuer that does not say so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4), inner(length(max = 32)))]
    pub pkce_methods: Vec<String>,
    /// Whether clients may register by themselves (RFC 7591).
    pub dynamic_client_registration: bool,
    /// Whether clients may be known by a metadata document at their own URL.
    pub client_id_metadata_documents: bool,
    /// Where tokens can be introspected (RFC 7662).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub introspection_endpoint: Option<String>,
    /// Where it is asked about tokens, with `external.introspection`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub introspected_at: Option<String>,
    /// Its keys.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub keys: Vec<KeyStatus>,
}

/// A published key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeyStatus {
    /// `kid`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub id: Option<String>,
    /// `alg`, or `kty` if it names none.
    #[schemars(length(max = 32))]
    pub algorithm: String,
}
