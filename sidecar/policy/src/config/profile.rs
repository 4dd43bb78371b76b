//! What a vendor's access tokens have beyond the standards: data that the control plane fills in from a preset, so that the data
//! plane judges by lists and knows no vendor.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whose tokens they are. It chooses words for whoever reads the audit record, and never decides anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Vendor {
    /// Nobody in particular.
    Generic,
    /// Auth0.
    Auth0,
    /// Okta.
    Okta,
    /// Microsoft Entra ID.
    Entra,
    /// Keycloak.
    Keycloak,
    /// Amazon Cognito user pools.
    Cognito,
    /// Google.
    Google,
}

/// A claim that every access token of an issuer has. Other tokens that it signs with the same keys lack it, or have another
/// value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClaimMark {
    /// Name of the claim.
    pub name: String,
    /// The texts that it may be; none given: any text but an empty one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
}

/// How a scope that clients ask for with a prefix stands in tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ScopeForm {
    /// As it was asked for, with the prefix.
    Full,
    /// Without the prefix.
    Short,
}

/// What access tokens of a provider have besides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TokenProfile {
    /// Whose they are.
    pub vendor: Vendor,
    /// Claims that carry the audience; the first that is present counts. RFC 9068: `aud`.
    pub audience: Vec<String>,
    /// Claims that every access token has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<ClaimMark>,
    /// Values that a key's own `issuer` member may have; other keys with that member are not used. None given: any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub key_issuers: Vec<String>,
    /// How scopes with a prefix stand in tokens.
    pub scope_form: ScopeForm,
}

impl TokenProfile {
    /// RFC 9068, or close to it.
    pub fn generic() -> Self {
        Self {
            vendor: Vendor::Generic,
            audience: vec!["aud".to_owned()],
            marks: Vec::new(),
            key_issuers: Vec::new(),
            scope_form: ScopeForm::Full,
        }
    }

    /// Whether it says nothing beyond that.
    pub fn is_generic(&self) -> bool {
        *self == Self::generic()
    }
}
