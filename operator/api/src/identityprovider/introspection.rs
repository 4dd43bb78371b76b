//! `spec.external.introspection`: asking the authorization server about tokens (RFC 7662).

use crate::{cel, duration::GoDuration};
use kube::KubeSchema;
use serde::{Deserialize, Serialize};
use tollward_policy::config::{ClientAuthentication, IntrospectedTokens};

/// Asking the authorization server about tokens (RFC 7662).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Introspection {
    /// Which tokens. `Opaque`: those that are no signed JWTs; signed ones are verified by the issuer's keys alone. `All`: all
    /// of the issuer, so that a revoked JWT is found out too; its signature is verified first.
    #[serde(default = "opaque")]
    pub tokens: IntrospectedTokens,
    /// Where to ask. If not given, at `introspection_endpoint` of the issuer's metadata.
    #[serde(rename = "endpointURL", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    #[x_kube(validation = cel::key_set_url("external.introspection.endpointURL"))]
    pub endpoint_url: Option<String>,
    /// The OAuth client as which servers ask. Register one for this alone: whoever holds its secret can ask about every token.
    pub client: IntrospectionClient,
    /// How long a good answer counts, up to 5m and never beyond the token's expiry. A revoked token is accepted for so long.
    /// 0s: every request asks.
    #[serde(rename = "cacheTTL", default = "default_ttl")]
    #[x_kube(validation = cel::between("0s", "5m", "external.introspection.cacheTTL must be at most 5m"))]
    pub cache_ttl: GoDuration,
}

/// The OAuth client as which servers ask about tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct IntrospectionClient {
    /// Its `client_id`.
    #[schemars(length(min = 1, max = 512), regex(pattern = "^[\\x20-\\x7E]+$"))]
    pub id: String,
    /// How it proves who it is. `Basic`: by HTTP Basic (`client_secret_basic`). `Post`: in the form (`client_secret_post`).
    #[serde(default = "basic")]
    pub authentication: ClientAuthentication,
    /// Where its secret is.
    pub secret: ClientSecret,
}

/// The client's secret in a `Secret`. It must be in the namespace of each server that uses the provider. The kubelet mounts it;
/// the operator never reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClientSecret {
    /// Name of the Secret, in the namespace of the server that uses the provider. The client's secret stands in it under the
    /// key `introspection.NAMESPACE.NAME`, with namespace and name of this provider: so nothing can be sent to a provider that
    /// was not put there for it.
    #[schemars(length(min = 1, max = 253), regex(pattern = "^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$"))]
    #[x_kube(validation = cel::not_owned())]
    pub name: String,
}

const fn opaque() -> IntrospectedTokens {
    IntrospectedTokens::Opaque
}

const fn basic() -> ClientAuthentication {
    ClientAuthentication::Basic
}

fn default_ttl() -> GoDuration {
    GoDuration::new("30s")
}
