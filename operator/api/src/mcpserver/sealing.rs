//! `spec.sealing`: whether the server must be out of reach past Tollward.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether a server that can be reached past Tollward counts as ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum SealingMode {
    /// It does not.
    #[default]
    Required,
    /// It does, and status says how it can be reached.
    BestEffort,
}

/// What it takes for the server to count as out of reach past Tollward. The data plane looks every other second who listens in the
/// pod's network, and the condition Sealed says what it finds.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SealingSpec {
    /// `Required`: unless the condition Sealed is true, Ready is not. `BestEffort`: Ready does not depend on it, for servers that
    /// can't listen on loopback only, and for a Service whose pods are closed to others by means of your own. What is served, and
    /// to whom, is the same in both.
    #[serde(default)]
    pub mode: SealingMode,
}
