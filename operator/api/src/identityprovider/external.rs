//! `spec.external`: an authorization server that exists already.

use super::introspection::Introspection;
use crate::{cel, duration::GoDuration};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tollward_policy::config::{Algorithm, TokenType};

/// What a vendor's access tokens look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Preset {
    /// As RFC 9068 has it, or close to it.
    Generic,
    /// Auth0.
    Auth0,
    /// Okta, with a custom authorization server.
    Okta,
    /// Microsoft Entra ID.
    Entra,
    /// Keycloak.
    Keycloak,
    /// Amazon Cognito user pools.
    Cognito,
    /// Google, for identity tokens of service accounts.
    Google,
}

/// An authorization server that exists already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = cel::rule(
        "!has(self.tenants) || self.preset == 'Entra'",
        "external.tenants is for preset Entra",
    ),
    validation = cel::rule(
        "self.preset != 'Entra' || has(self.tenants) == self.issuer.contains('{tenantid}')",
        "external.tenants lists the accepted tenants of an issuer with {tenantid} in place of the tenant: give both, or neither",
    ),
    validation = cel::rule(
        "!has(self.tenants) || !has(self.jwksURL)",
        "external.jwksURL can't be set with external.tenants: each tenant has keys of its own",
    ),
)]
pub struct ExternalProvider {
    /// The issuer, exactly as it stands in `iss` of its tokens. Its metadata are found by it. An address that is not public,
    /// and plain http, need the consent of whoever installed Tollward. With preset Entra and `tenants`, `{tenantid}` stands
    /// for each of them.
    #[schemars(length(min = 1, max = 512))]
    #[x_kube(validation = cel::provider_url("external.issuer"))]
    pub issuer: String,
    /// Where its signing keys are. If not given, where its metadata says.
    #[serde(rename = "jwksURL", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    #[x_kube(validation = cel::key_set_url("external.jwksURL"))]
    pub jwks_url: Option<String>,
    /// Where it exchanges tokens (RFC 8693), for servers with upstreamAuth.type TokenExchange. If not given, where its
    /// metadata says.
    #[serde(rename = "tokenURL", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    #[x_kube(validation = cel::key_set_url("external.tokenURL"))]
    pub token_url: Option<String>,
    /// What its access tokens look like. `Generic`: as RFC 9068 has it, or close to it. `Auth0`, `Okta`, `Entra`, `Keycloak`,
    /// `Cognito`, `Google`: as the vendor has it. The fields below override it.
    #[serde(default = "generic")]
    pub preset: Preset,
    /// The tenants whose tokens are accepted, by id. Only with preset Entra and an issuer with `{tenantid}`. There is no way
    /// to accept any tenant. Clients are told of all of them, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 16), inner(length(min = 36, max = 36)))]
    #[x_kube(merge_strategy = ListMerge::Set, validation = cel::rule(
        "self.all(tenant, tenant.matches('^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$'))",
        "external.tenants are tenant ids, GUIDs in lower case; a domain name is none",
    ))]
    pub tenants: Vec<String>,
    /// The signature algorithms that it may use. If not given, those of the preset.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 9))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub algorithms: Vec<Algorithm>,
    /// The values that `typ` in the header of its access tokens may have; `none` means that there may be no `typ`. If not
    /// given, those of the preset.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 3))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub token_types: Vec<TokenType>,
    /// Which claims carry what. What is not given is as the preset has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims: Option<ClaimSelection>,
    /// By how much clocks may differ, up to 60s.
    #[serde(default = "default_leeway")]
    #[x_kube(validation = cel::between("0s", "60s", "external.leeway must be at most 60s"))]
    pub leeway: GoDuration,
    /// The longest life of a token that is accepted, from its `iat` to its `exp`. If not given, any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = cel::between("1s", "8760h", "external.maxTokenLifetime must be from 1s to 8760h"))]
    pub max_token_lifetime: Option<GoDuration>,
    /// A certificate authority that signs the certificates of this provider, besides the public ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_config_map: Option<CaConfigMap>,
    /// Asking the provider about tokens (RFC 7662). If not given, tokens that are no signed JWTs are refused. A server may
    /// have one provider with introspection, since an opaque token does not say whose it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub introspection: Option<Introspection>,
}

/// Which claims carry what. The first claim of a list that a token has counts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClaimSelection {
    /// Claims with the scopes, as a text with spaces or a list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 4), inner(length(min = 1, max = 128)))]
    pub scopes: Vec<String>,
    /// Claims with the OAuth client's id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 4), inner(length(min = 1, max = 128)))]
    pub client: Vec<String>,
    /// The claim with the caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub subject: Option<String>,
    /// Claims with the token's id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 4), inner(length(min = 1, max = 128)))]
    pub token_id: Vec<String>,
    /// Claims with the caller's groups, as a list of texts, for conditions of rules. A name that begins with `/` is a JSON
    /// pointer into a claim, such as `/realm_access/roles`. Where none is given, groups are unknown, and every condition
    /// that asks for them refuses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 4), inner(length(min = 1, max = 128)))]
    pub groups: Vec<String>,
    /// Claims with the caller's roles, likewise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 4), inner(length(min = 1, max = 128)))]
    pub roles: Vec<String>,
}

/// A certificate authority in a `ConfigMap`. It must be in the namespace of each server that uses the provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct CaConfigMap {
    /// Name of the ConfigMap, in the namespace of the server that uses the provider.
    #[schemars(length(min = 1, max = 253), regex(pattern = "^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$"))]
    #[x_kube(validation = cel::not_owned())]
    pub name: String,
    /// The key with the certificates in PEM.
    #[serde(default = "ca_key")]
    #[schemars(length(min = 1, max = 253), regex(pattern = "^[-._a-zA-Z0-9]+$"))]
    pub key: String,
}

fn generic() -> Preset {
    Preset::Generic
}

fn default_leeway() -> GoDuration {
    GoDuration::new("30s")
}

fn ca_key() -> String {
    "ca.crt".to_owned()
}
