//! Asking the authorization server about tokens (RFC 7662): which tokens, where, as whom, and how long an answer counts.

use super::upstream_identity::ClientAuthentication;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Longest time in seconds for which an answer may count.
pub const MAX_CACHE_SECONDS: u32 = 300;

/// Which tokens are introspected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum IntrospectedTokens {
    /// Those that are no signed JWTs. Signed ones are verified by the issuer's keys alone.
    Opaque,
    /// All of the issuer's. The signature of a signed one is verified first, so that nobody is asked about a forgery.
    All,
}

/// The client as which the data plane asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IntrospectionClient {
    /// `client_id`.
    pub id: String,
    /// How it proves who it is.
    pub authentication: ClientAuthentication,
    /// File with its secret, read anew for every question. A line break at its end does not count.
    pub secret_file: PathBuf,
}

/// Asking the authorization server about tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IntrospectionConfig {
    /// Which tokens.
    pub tokens: IntrospectedTokens,
    /// Where to ask, if not at `introspection_endpoint` of the issuer's metadata.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint_url: Option<String>,
    /// Who asks.
    pub client: IntrospectionClient,
    /// Seconds for which a good answer counts, never beyond the token's expiry. 0: every request asks.
    #[schemars(range(min = 0, max = 300))]
    pub cache_seconds: u32,
}
