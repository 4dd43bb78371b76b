//! `spec.session`.

use crate::{cel, duration::GoDuration};
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// Sessions of protocol revisions before 2026-07-28. Each is bound to the caller that opened it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionSpec {
    /// How long a session may last before the client has to initialize anew, from 1m to 720h.
    #[serde(default = "one_day")]
    #[x_kube(validation = cel::between("1m", "720h", "session.maxAge must be from 1m to 720h"))]
    pub max_age: GoDuration,
}

impl Default for SessionSpec {
    fn default() -> Self {
        Self { max_age: one_day() }
    }
}

fn one_day() -> GoDuration {
    GoDuration::new("24h")
}
