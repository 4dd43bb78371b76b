//! How many replicas share the limits of a server: counted from its pods, so that a part of a limit is neither left unused by
//! replicas that are gone, nor let through twice by replicas that nobody counted.
//!
//! # Guarantees
//! - The number is never less than the replicas that can get calls, as far as the caches know them: it grows at once, and with
//!   the specification before a pod is made.
//! - It shrinks only after [`CALM`] without a look that found more, and to the most that any look found in that time. So a pod
//!   that comes and goes, and a rollout, rewrite no configuration at each step.
//! - A restart of the operator begins the calm time anew and forgets nothing else: what is in force is in the configuration.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use std::collections::{HashMap, HashSet};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long fewer replicas must be there before the others share their part.
pub const CALM: Duration = Duration::from_secs(30);
/// How long a pod that was made and is not ready counts nevertheless: it will get calls the moment it is.
pub const START: Duration = Duration::from_mins(1);

/// What is known about a server's replicas at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Replicas that can get calls, or are about to.
    replicas: u32,
    /// When this may change although nothing happens.
    until: Option<Timestamp>,
}

impl Seen {
    /// Counts pods: those that are ready, also while they end, since calls still come over their connections; and those that
    /// are young. `wanted` are those of the specification while the Deployment was not told of it yet.
    pub fn of(pods: &[Arc<Pod>], wanted: Option<u32>, now: Timestamp) -> Self {
        let mut seen = Self { replicas: 0, until: None };
        for pod in pods {
            let young = young_until(pod).filter(|until| *until > now);
            if is_over(pod) || !(is_ready(pod) || young.is_some()) {
                continue;
            }
            seen.replicas = seen.replicas.saturating_add(1);
            if let Some(until) = young.filter(|_| !is_ready(pod)) {
                seen.until = Some(seen.until.map_or(until, |earlier| earlier.min(until)));
            }
        }
        seen.replicas = seen.replicas.max(wanted.unwrap_or_default());
        seen
    }
}

/// A server whose replicas are fewer than those that its configuration counts.
#[derive(Debug, Clone, Copy)]
struct Fewer {
    since: Timestamp,
    most: NonZeroU32,
}

/// What is remembered of a server.
#[derive(Debug, Clone, Copy, Default)]
struct Share {
    fewer: Option<Fewer>,
    /// When to look again although nothing happens.
    again: Option<Timestamp>,
}

impl Share {
    fn settle(&mut self, in_force: NonZeroU32, seen: Seen, now: Timestamp) -> NonZeroU32 {
        self.again = seen.until;
        // Without any replica nobody has a part, and the next one starts with what is written.
        let Some(replicas) = NonZeroU32::new(seen.replicas).filter(|replicas| *replicas < in_force) else {
            self.fewer = None;
            return in_force.max(NonZeroU32::new(seen.replicas).unwrap_or(NonZeroU32::MIN));
        };
        let mut fewer = self.fewer.unwrap_or(Fewer { since: now, most: replicas });
        fewer.most = fewer.most.max(replicas);
        // A clock that was set back must not put it off for longer.
        fewer.since = fewer.since.min(now);
        let settled = if now >= after(fewer.since, CALM) {
            self.fewer = (fewer.most > replicas).then_some(Fewer { since: now, most: replicas });
            fewer.most
        } else {
            self.fewer = Some(fewer);
            in_force
        };
        self.again = sooner(self.again, self.fewer.map(|fewer| after(fewer.since, CALM)));
        settled
    }
}

/// Servers by their unique ids, as long as there is something to come back for.
#[derive(Debug, Default)]
pub struct Sharing(Mutex<HashMap<String, Share>>);

impl Sharing {
    /// The number that the server's configuration should have. `in_force` is the one that it has.
    pub fn settle(&self, uid: &str, in_force: NonZeroU32, seen: Seen, now: Timestamp) -> NonZeroU32 {
        let mut shares = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut share = shares.remove(uid).unwrap_or_default();
        let settled = share.settle(in_force, seen, now);
        if share.fewer.is_some() || share.again.is_some() {
            shares.insert(uid.to_owned(), share);
        }
        settled
    }

    /// How long until a look may find another number although nothing happens; told once for each [`Self::settle`].
    pub fn next_look(&self, uid: &str, now: Timestamp) -> Option<Duration> {
        let mut shares = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let share = shares.get_mut(uid)?;
        let again = share.again.take();
        if share.fewer.is_none() {
            shares.remove(uid);
        }
        let again = again?;
        // A moment later than that, so that the look finds it over.
        Some(Duration::try_from(again.duration_since(now)).unwrap_or_default() + Duration::from_millis(100))
    }

    /// The server has no limits to share.
    pub fn forget(&self, uid: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(uid);
    }

    /// Forgets all but these unique ids.
    pub fn retain(&self, live: &HashSet<String>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|uid, _| live.contains(uid));
    }
}

fn sooner(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    one.into_iter().chain(other).min()
}

fn after(time: Timestamp, duration: Duration) -> Timestamp {
    time.saturating_add(duration).unwrap_or(Timestamp::MAX)
}

fn young_until(pod: &Pod) -> Option<Timestamp> {
    let made = pod.metadata.creation_timestamp.as_ref()?;
    pod.metadata.deletion_timestamp.is_none().then(|| after(made.0, START))
}

fn is_over(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

#[cfg(test)]
mod tests;
