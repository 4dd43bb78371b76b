//! `spec.allowedNamespaces`.

use crate::cel;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which namespaces are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum NamespacesFrom {
    /// The provider's own.
    Same,
    /// Every namespace.
    All,
    /// Those with certain labels.
    Selector,
}

/// Namespaces whose servers may refer to a provider.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = cel::union("allowedNamespaces", "from", "Selector", "selector"))]
pub struct AllowedNamespaces {
    /// `Same`: the provider's own namespace. `All`: every namespace. `Selector`: those that `selector` selects.
    #[serde(default = "same")]
    pub from: NamespacesFrom,
    /// Labels of the namespaces. Only with from Selector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<LabelSelector>,
}

impl Default for AllowedNamespaces {
    /// The narrowest.
    fn default() -> Self {
        Self { from: same(), selector: None }
    }
}

fn same() -> NamespacesFrom {
    NamespacesFrom::Same
}
