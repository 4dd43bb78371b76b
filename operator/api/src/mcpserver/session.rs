//! `spec.session`.

#![expect(clippy::struct_field_names, reason = "each is a bound, and a user reads each by itself")]

use crate::{cel, duration::GoDuration};
use kube::KubeSchema;
use serde::{Deserialize, Serialize};
use tollward_policy::config::SessionBounds;

/// Sessions of protocol revisions before 2026-07-28, and streams of all. Each session is bound to the caller that opened it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionSpec {
    /// How long a session may last before the client has to initialize anew, from 1m to 720h.
    #[serde(default = "one_day")]
    #[x_kube(validation = cel::between("1m", "720h", "session.maxAge must be from 1m to 720h"))]
    pub max_age: GoDuration,
    /// How many sessions one client (issuer, subject and client id; without token: address) may have live at each replica. A session
    /// is live until it is ended or unused for 15 minutes. One more is refused with 429.
    #[serde(default = "sessions_per_client")]
    #[schemars(range(min = 1, max = 100_000))]
    pub max_sessions_per_client: i32,
    /// How many sessions all clients together may have live at each replica. One more is refused with 503; none is pushed out.
    #[serde(default = "sessions")]
    #[schemars(range(min = 1, max = 100_000))]
    pub max_sessions: i32,
    /// How many streams without an end of their own (GET, `subscriptions/listen`) one client may have open at each replica. One more
    /// is refused with 429.
    #[serde(default = "streams_per_client")]
    #[schemars(range(min = 1, max = 100_000))]
    pub max_streams_per_client: i32,
    /// How many such streams all clients together may have open at each replica. One more is refused with 503.
    #[serde(default = "streams")]
    #[schemars(range(min = 1, max = 100_000))]
    pub max_streams: i32,
}

impl Default for SessionSpec {
    fn default() -> Self {
        Self {
            max_age: one_day(),
            max_sessions_per_client: sessions_per_client(),
            max_sessions: sessions(),
            max_streams_per_client: streams_per_client(),
            max_streams: streams(),
        }
    }
}

fn one_day() -> GoDuration {
    GoDuration::new("24h")
}

fn sessions_per_client() -> i32 {
    whole(SessionBounds::STANDARD.max_sessions_per_client)
}

fn sessions() -> i32 {
    whole(SessionBounds::STANDARD.max_sessions)
}

fn streams_per_client() -> i32 {
    whole(SessionBounds::STANDARD.max_streams_per_client)
}

fn streams() -> i32 {
    whole(SessionBounds::STANDARD.max_streams)
}

/// Kubernetes knows no numbers without a sign.
fn whole(bound: u32) -> i32 {
    i32::try_from(bound).unwrap_or(i32::MAX)
}
