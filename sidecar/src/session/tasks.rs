//! Whose a task is, as far as this replica saw it begin.
//!
//! A task's id is made by the MCP server, and the body in which it comes is never rewritten, so that it can't be sealed like
//! a session's. It is remembered instead, from the answer that brings it, with the caller it went to. An id that is not known
//! here counts as nobody's: it is denied, since it could be another caller's (SEP-2663 "Security"). So tasks need the replica
//! where they began, and end with its process.
//!
//! Memory is bounded: a caller's oldest task is forgotten for its newest, and never another caller's.

use super::Binding;
use crate::limiter::{Hashed, KeyHasher, KeyId};
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

/// Most tasks of one caller that are remembered.
const MAX_OWN: usize = 1_000;
/// Most tasks of all callers.
const MAX_ALL: usize = 50_000;
/// Seconds after which a task makes room for others'.
const AGE: i64 = 86_400;
/// Seconds between two looks for tasks of that age.
const PAUSE: i64 = 60;
/// Longest id that is remembered; no message may name a longer one.
const MAX_ID: usize = 512;

/// Tasks of one server.
#[derive(Debug, Default)]
pub struct Tasks {
    known: Mutex<Known>,
    hasher: KeyHasher,
}

#[derive(Debug, Default)]
struct Known {
    tasks: HashMap<KeyId, Task, Hashed>,
    by_owner: HashMap<KeyId, VecDeque<KeyId>, Hashed>,
    swept_at: i64,
}

#[derive(Debug, Clone, Copy)]
struct Task {
    owner: KeyId,
    begun_at: i64,
}

impl Tasks {
    /// None is known.
    pub fn new() -> Self {
        Self::default()
    }

    /// Remembers whose task it is; `now` in seconds since the epoch. The first owner stays: no later answer moves a task to another.
    pub fn began(&self, task: &str, owner: &Binding, now: i64) {
        if task.is_empty() || task.len() > MAX_ID {
            return;
        }
        let (id, owner) = (self.hasher.id(task), self.hasher.id(owner.as_str()));
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.tasks.contains_key(&id) {
            return;
        }
        known.make_room(owner, now);
        if known.tasks.len() < MAX_ALL {
            known.tasks.insert(id, Task { owner, begun_at: now });
            known.by_owner.entry(owner).or_default().push_back(id);
        }
    }

    /// True if the task was begun by this caller, at this server and replica.
    pub fn is_of(&self, task: &str, owner: &Binding) -> bool {
        let (id, owner) = (self.hasher.id(task), self.hasher.id(owner.as_str()));
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.tasks.get(&id).is_some_and(|task| task.owner == owner)
    }

    /// How many are known.
    #[cfg(test)]
    fn known(&self) -> (usize, usize) {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        (known.tasks.len(), known.by_owner.values().map(VecDeque::len).sum())
    }
}

impl Known {
    fn make_room(&mut self, owner: KeyId, now: i64) {
        if self.tasks.len() >= MAX_ALL && now.saturating_sub(self.swept_at) >= PAUSE {
            self.swept_at = now;
            let Self { tasks, by_owner, .. } = self;
            tasks.retain(|_, task| now.saturating_sub(task.begun_at) <= AGE);
            by_owner.retain(|_, own| {
                own.retain(|id| tasks.contains_key(id));
                !own.is_empty()
            });
        }
        let own = self.by_owner.get_mut(&owner);
        let is_full = own.as_ref().is_some_and(|own| own.len() >= MAX_OWN) || self.tasks.len() >= MAX_ALL;
        if let Some(oldest) = own.filter(|_| is_full).and_then(VecDeque::pop_front) {
            self.tasks.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{AGE, MAX_ALL, MAX_OWN, Tasks};
    use crate::session::Binding;
    use tollward_policy::config::ServerRef;
    use tollward_policy::principal::Principal;

    const NOW: i64 = 1_800_000_000;

    fn owner(uid: &str) -> Binding {
        let server = ServerRef { namespace: "shop".into(), name: "catalog".into(), uid: uid.into() };
        Binding::new(&Principal::Anonymous, &server)
    }

    #[test]
    fn p23_a_task_is_of_the_caller_that_began_it_and_of_nobody_else() {
        let (tasks, alice, bob) = (Tasks::new(), owner("alice"), owner("bob"));
        tasks.began("t-1", &alice, NOW);
        tasks.began("t-1", &bob, NOW);
        assert!(tasks.is_of("t-1", &alice) && !tasks.is_of("t-1", &bob));
        for unknown in ["t-2", "T-1", "t-1 ", ""] {
            assert!(!tasks.is_of(unknown, &alice), "{unknown}");
        }
        for odd in ["", &"x".repeat(513)] {
            tasks.began(odd, &alice, NOW);
            assert!(!tasks.is_of(odd, &alice));
        }
    }

    #[test]
    fn a_callers_newest_tasks_are_known_and_others_lose_nothing_by_them() {
        let (tasks, alice, mallory) = (Tasks::new(), owner("alice"), owner("mallory"));
        tasks.began("hers", &alice, NOW);
        for number in 0..100_000 {
            tasks.began(&format!("t-{number}"), &mallory, NOW);
        }
        assert!(tasks.is_of("hers", &alice) && tasks.is_of("t-99999", &mallory) && !tasks.is_of("t-0", &mallory));
        assert_eq!(tasks.known(), (MAX_OWN + 1, MAX_OWN + 1));
    }

    #[test]
    fn when_there_is_no_room_for_all_old_tasks_go_and_young_ones_stay() {
        let tasks = Tasks::new();
        for number in 0..MAX_ALL + 100 {
            tasks.began(&format!("t-{number}"), &owner(&format!("owner-{}", number % 1_000)), NOW);
        }
        assert_eq!(tasks.known(), (MAX_ALL, MAX_ALL));
        let late = owner("late");
        tasks.began("late", &late, NOW + AGE);
        assert!(!tasks.is_of("late", &late));
        tasks.began("later", &late, NOW + AGE + 60);
        assert!(tasks.is_of("later", &late));
        assert_eq!(tasks.known(), (1, 1));
    }
}
