//! Environment variables of a workload, in the form that a Pod has.

use crate::cel;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// An environment variable: a value, or a reference to one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = cel::exactly_one(&["value", "valueFrom"], "an environment variable has either value or valueFrom"),
    validation = cel::naming(
        "!(self.name in ['HOST', 'PORT'])",
        "'environment variable ' + self.name + ' is set by Tollward, so that the server listens where only the sidecar reaches it'",
    ),
    validation = cel::free_variable(),
)]
pub struct EnvVar {
    /// Name of the variable.
    #[schemars(length(min = 1, max = 256), regex(pattern = "^[-._a-zA-Z][-._a-zA-Z0-9]*$"))]
    pub name: String,
    /// The value in plain text. Put secrets into a Secret and use `valueFrom`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32768))]
    pub value: Option<String>,
    /// Where the value comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_from: Option<EnvVarSource>,
}

/// Where the value of an environment variable comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = cel::exactly_one(&["secretKeyRef", "configMapKeyRef"], "valueFrom has either secretKeyRef or configMapKeyRef"))]
pub struct EnvVarSource {
    /// A key of a Secret in the same namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_key_ref: Option<KeySelector>,
    /// A key of a ConfigMap in the same namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map_key_ref: Option<KeySelector>,
}

/// A key of an object in the same namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeySelector {
    /// Name of the object.
    #[schemars(length(min = 1, max = 253), regex(pattern = "^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$"))]
    #[x_kube(validation = cel::not_owned())]
    pub name: String,
    /// The key within the object.
    #[schemars(length(min = 1, max = 253), regex(pattern = "^[-._a-zA-Z0-9]+$"))]
    pub key: String,
}

/// An object whose keys become environment variables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = cel::exactly_one(&["secretRef", "configMapRef"], "an entry of envFrom has either secretRef or configMapRef"))]
pub struct EnvFromSource {
    /// Text in front of each key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), regex(pattern = "^[-._a-zA-Z][-._a-zA-Z0-9]*$"))]
    pub prefix: Option<String>,
    /// A Secret in the same namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<NameReference>,
    /// A ConfigMap in the same namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map_ref: Option<NameReference>,
}

/// An object in the same namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct NameReference {
    /// Name of the object.
    #[schemars(length(min = 1, max = 253), regex(pattern = "^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$"))]
    #[x_kube(validation = cel::not_owned())]
    pub name: String,
}
