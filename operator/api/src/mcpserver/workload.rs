//! `spec.source.workload`: the container that Tollward runs. A closed list of fields: whatever would loosen the pod's
//! security is not here.

use super::transport::Transport;
use super::{EnvFromSource, EnvVar, PodOptions, Volume, VolumeMount};
use crate::cel;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The container to run. It gets no service account token, no capabilities, a read-only root file system and an empty
/// `/tmp`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Workload {
    /// The container image, best by digest.
    #[schemars(length(min = 1, max = 512), regex(pattern = "^[a-zA-Z0-9][a-zA-Z0-9._:/@-]*$"))]
    pub image: String,
    /// How Tollward talks to the server.
    pub transport: Transport,
    /// The program to run instead of the image's entry point.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 4096)))]
    pub command: Vec<String>,
    /// Arguments of the program.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 128), inner(length(max = 4096)))]
    pub args: Vec<String>,
    /// Environment variables, as in a Pod. HOST and PORT are set by Tollward.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 128))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub env: Vec<EnvVar>,
    /// Objects whose keys become environment variables, as in a Pod.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub env_from: Vec<EnvFromSource>,
    /// Compute resources of the server's container, as in a Pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// Volumes of the pod, as in a Pod. Names that start with `tollward-` are reserved.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub volumes: Vec<Volume>,
    /// Where the volumes appear in the server's container.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["mountPath".into()]))]
    pub volume_mounts: Vec<VolumeMount>,
    /// How many pods run the server.
    #[serde(default = "one")]
    #[schemars(range(min = 0, max = 100))]
    pub replicas: i32,
    /// The user and group id of the server's process. It can't be 0, nor Tollward's own.
    #[serde(default = "nonroot")]
    #[schemars(range(min = 1, max = 2_147_483_647))]
    #[x_kube(validation = cel::free_uid())]
    pub run_as_user: i64,
    /// Where and how the pods run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_options: Option<PodOptions>,
}

/// Compute resources.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Resources {
    /// The most that the container may use, by resource name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16))]
    pub limits: BTreeMap<String, Quantity>,
    /// What the container is sure to get, by resource name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16))]
    pub requests: BTreeMap<String, Quantity>,
}

fn one() -> i32 {
    1
}

fn nonroot() -> i64 {
    65532
}
