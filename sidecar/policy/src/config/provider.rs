//! An identity provider as the data plane sees it: whose tokens, with which marks, by which keys.

use super::introspection::IntrospectionConfig;
use super::{DenyConfig, TokenProfile};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A signature algorithm (RFC 7518, RFC 8037). Symmetric ones and `none` do not exist here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RS256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    RS384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    RS512,
    /// RSASSA-PSS with SHA-256.
    PS256,
    /// RSASSA-PSS with SHA-384.
    PS384,
    /// RSASSA-PSS with SHA-512.
    PS512,
    /// ECDSA on P-256 with SHA-256.
    ES256,
    /// ECDSA on P-384 with SHA-384.
    ES384,
    /// Ed25519, also under its RFC 9864 name.
    EdDSA,
}

/// A value of the token header's `typ`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum TokenType {
    /// `at+jwt` (RFC 9068).
    #[serde(rename = "at+jwt")]
    AccessToken,
    /// `JWT`: says nothing, so that tokens with marks of an ID, refresh or logout token are refused.
    #[serde(rename = "JWT")]
    Jwt,
    /// No `typ` at all, with the same care.
    #[serde(rename = "none")]
    Absent,
}

/// Which claims carry what. The first claim of a list that is present counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClaimNames {
    /// Scopes, as a text with spaces or a list.
    pub scopes: Vec<String>,
    /// The OAuth client.
    pub client: Vec<String>,
    /// The caller within the issuer.
    pub subject: String,
    /// The token's id.
    pub token_id: Vec<String>,
    /// The caller's groups, as a list of texts: names of claims, or JSON pointers into them (`/realm_access/roles`). Empty
    /// means that conditions can't know them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// The caller's roles, likewise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
}

/// How keys are kept fresh.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RefreshConfig {
    /// Seconds between two regular fetches, also the upper bound of what Cache-Control may ask for.
    #[schemars(range(min = 10, max = 86_400))]
    pub interval_seconds: u32,
    /// Least seconds between two fetches for an unknown key id.
    #[schemars(range(min = 1, max = 3600))]
    pub cooldown_seconds: u32,
    /// Seconds for which keys are still used although they can't be fetched again.
    #[schemars(range(min = 60, max = 604_800))]
    pub max_stale_seconds: u32,
}

/// An identity provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProviderConfig {
    /// Name that routes refer to: `namespace/name`.
    pub name: String,
    /// `iss`, compared code point by code point; also the base of discovery.
    pub issuer: String,
    /// Where the keys are, if not where discovery says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_url: Option<String>,
    /// Where tokens are exchanged, if not where discovery says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_url: Option<String>,
    /// Extra certificate authority in PEM for fetching from this provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// Algorithms that the provider may use.
    pub algorithms: Vec<Algorithm>,
    /// Header types of its access tokens.
    pub token_types: Vec<TokenType>,
    /// Which claims carry what.
    pub claims: ClaimNames,
    /// What its access tokens have beyond the standards.
    #[serde(default = "TokenProfile::generic", skip_serializing_if = "TokenProfile::is_generic")]
    pub profile: TokenProfile,
    /// Seconds by which clocks may differ.
    #[schemars(range(min = 0, max = 60))]
    pub leeway_seconds: u32,
    /// Longest `exp - iat` accepted in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub max_lifetime_seconds: Option<u32>,
    /// How keys are kept fresh.
    pub refresh: RefreshConfig,
    /// Tokens that are refused although they verify.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deny: Vec<DenyConfig>,
    /// How the authorization server is asked about tokens. None: what is no signed JWT is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub introspection: Option<IntrospectionConfig>,
}
