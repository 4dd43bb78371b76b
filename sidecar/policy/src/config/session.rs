//! How many sessions and streams may be open at once, so that no caller fills a server's memory, and none crowds out the others.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;

/// What each bound may be.
pub const SESSION_BOUND: RangeInclusive<u32> = 1..=100_000;

/// Bounds of one process. A client is a caller as sessions are bound to it: issuer, subject and client id; callers without a
/// token are told apart by address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SessionBounds {
    /// Sessions that a client may have live here at once: begun or used here, not ended, and not unused for long.
    #[schemars(range(min = 1, max = 100_000))]
    pub max_sessions_per_client: u32,
    /// Sessions of all clients.
    #[schemars(range(min = 1, max = 100_000))]
    pub max_sessions: u32,
    /// Streams without an end of their own (GET, `subscriptions/listen`) that a client may have open here at once.
    #[schemars(range(min = 1, max = 100_000))]
    pub max_streams_per_client: u32,
    /// Streams of all clients.
    #[schemars(range(min = 1, max = 100_000))]
    pub max_streams: u32,
}

impl SessionBounds {
    /// What holds where nothing is said.
    pub const STANDARD: Self =
        Self { max_sessions_per_client: 100, max_sessions: 10_000, max_streams_per_client: 100, max_streams: 2_000 };

    pub(super) const fn standard() -> Self {
        Self::STANDARD
    }

    pub(super) fn is_standard(&self) -> bool {
        *self == Self::STANDARD
    }

    /// Every bound with its name in the configuration.
    pub fn named(&self) -> [(&'static str, u32); 4] {
        let Self { max_sessions_per_client, max_sessions, max_streams_per_client, max_streams } = *self;
        [
            ("maxSessionsPerClient", max_sessions_per_client),
            ("maxSessions", max_sessions),
            ("maxStreamsPerClient", max_streams_per_client),
            ("maxStreams", max_streams),
        ]
    }
}
