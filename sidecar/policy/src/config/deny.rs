//! Entries of an identity provider's `deny`: tokens that are refused although they verify.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An entry: a token to which everything that is given applies is refused. See [`crate::deny`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DenyConfig {
    /// The entry's name, unique within the provider: what audit records say.
    pub name: String,
    /// The caller within the issuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The OAuth client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// The token's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_id: Option<String>,
    /// Tokens that were issued before, in seconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued_before: Option<i64>,
    /// When the entry ends, in seconds since the epoch. Without it, never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<i64>,
}
