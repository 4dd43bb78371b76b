//! `IdentityProvider`: whose access tokens are trusted, and how they look.

mod deny;
mod external;
mod introspection;
mod namespaces;
mod status;

pub use deny::DenyEntry;
pub use external::{CaConfigMap, ClaimSelection, ExternalProvider, Preset};
pub use introspection::{ClientSecret, Introspection, IntrospectionClient};
pub use namespaces::{AllowedNamespaces, NamespacesFrom};
pub use status::{IdentityProviderStatus, IssuerStatus, KeyStatus};

use crate::cel;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What kind of provider it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ProviderType {
    /// An authorization server that exists already.
    External,
}

/// An authorization server whose access tokens servers may accept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "tollward.dev",
    version = "v1alpha1",
    kind = "IdentityProvider",
    plural = "identityproviders",
    singular = "identityprovider",
    shortname = "idp",
    category = "tollward",
    namespaced,
    status = "IdentityProviderStatus",
    derive = "PartialEq",
    doc = "IdentityProvider is an authorization server whose access tokens MCPServers may accept.",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(name = "Issuer", type_ = "string", json_path = ".status.issuer"),
    printcolumn(name = "Preset", type_ = "string", json_path = ".spec.external.preset"),
    printcolumn(name = "Keys", type_ = "integer", json_path = ".status.keyCount"),
    printcolumn(name = "Checked", type_ = "date", json_path = ".status.lastRefresh"),
    printcolumn(name = "PKCE", type_ = "string", json_path = ".status.issuers[0].pkceMethods", priority = 1),
    printcolumn(
        name = "DCR",
        type_ = "boolean",
        json_path = ".status.issuers[0].dynamicClientRegistration",
        priority = 1
    ),
    printcolumn(
        name = "CIMD",
        type_ = "boolean",
        json_path = ".status.issuers[0].clientIdMetadataDocuments",
        priority = 1
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].reason",
        priority = 1
    ),
    printcolumn(name = "Type", type_ = "string", json_path = ".spec.type", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = cel::union("spec", "type", "External", "external"))]
pub struct IdentityProviderSpec {
    /// What kind of provider it is. `External`: an authorization server that exists already, described in `external`.
    #[serde(rename = "type")]
    pub kind: ProviderType,
    /// The authorization server. Only with type External.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external: Option<ExternalProvider>,
    /// Namespaces whose servers may refer to this provider.
    #[serde(default)]
    pub allowed_namespaces: AllowedNamespaces,
    /// The kill switch: tokens of this provider that are refused although they verify, by every server that accepts them. Open
    /// streams of their holders end. `tollward revoke` adds entries and waits until every replica enforces them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1000))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub deny: Vec<DenyEntry>,
}
