//! How many sessions and streams there may be. The schema says the same; what was stored before it did is judged here.

use crate::finding::Findings;
use tollward_api::condition::ConditionReason;
use tollward_api::mcpserver::SessionSpec;
use tollward_policy::config::{SESSION_BOUND, SessionBounds};

pub(super) fn bounds(spec: &SessionSpec, findings: &mut Findings) -> Option<SessionBounds> {
    let SessionSpec { max_age: _, max_sessions_per_client, max_sessions, max_streams_per_client, max_streams } = spec;
    let mut within = |name: &str, bound: i32| {
        let bound = u32::try_from(bound).ok().filter(|bound| SESSION_BOUND.contains(bound));
        if bound.is_none() {
            let (least, most) = (SESSION_BOUND.start(), SESSION_BOUND.end());
            findings.server(ConditionReason::Invalid, format!("spec.session.{name} must be from {least} to {most}"));
        }
        bound
    };
    let max_sessions_per_client = within("maxSessionsPerClient", *max_sessions_per_client);
    let max_sessions = within("maxSessions", *max_sessions);
    let max_streams_per_client = within("maxStreamsPerClient", *max_streams_per_client);
    let max_streams = within("maxStreams", *max_streams);
    Some(SessionBounds {
        max_sessions_per_client: max_sessions_per_client?,
        max_sessions: max_sessions?,
        max_streams_per_client: max_streams_per_client?,
        max_streams: max_streams?,
    })
}
