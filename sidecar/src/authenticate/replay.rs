//! Which DPoP proofs were used, so that each passes once (RFC 9449 section 11.1).
//!
//! # Guarantees
//! - A proof is remembered as long as it could pass again, and of two requests with one proof at the same time one wins.
//! - Memory is bounded. A part that is full accepts no proof, rather than forget one that could come again.
//! - A clock that is set back brings no forgotten proof to life: what falls into a time that was forgotten is refused.
//!
//! # Caveats
//! - The memory is this process's. Another replica does not know it, and a restart begins with none; what may have been used
//!   before [`ProofMemory::begins`] needs a nonce instead (`sender`).

use super::refusal::Refusal;
use crate::thumbprint::Thumbprint;
use aws_lc_rs::digest::{Context, SHA256};
use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tollward_policy::reason::Reason;

/// Parts with a lock and a bound of their own. A key always has the same part, so that a caller who fills one with proofs of
/// one key stands in the way of a sixteenth of the others.
const PARTS: usize = 16;
/// Most proofs of a part: 40 MiB for all parts when they are full.
const MOST: usize = 65_536;
/// Seconds whose proofs are forgotten together.
const STEP: i64 = 30;
/// When to come back to a full part.
const RETRY: Duration = Duration::from_secs(STEP.unsigned_abs());

/// The proofs that were used, of all routes.
pub struct ProofMemory {
    parts: [Mutex<Part>; PARTS],
    /// Which key has which part is random, so that nobody can choose whose way to stand in.
    placing: RandomState,
    begins: i64,
}

struct Part {
    /// By the step in which they stop being acceptable, ascending.
    steps: VecDeque<Step>,
    count: usize,
    /// What stops being acceptable before this was forgotten.
    forgotten: i64,
}

struct Step {
    begin: i64,
    proofs: HashSet<u128>,
}

impl ProofMemory {
    /// Nothing was used since `now`, in seconds since the epoch.
    pub fn new(now: i64) -> Self {
        let part = || Mutex::new(Part { steps: VecDeque::new(), count: 0, forgotten: i64::MIN });
        Self { parts: std::array::from_fn(|_| part()), placing: RandomState::new(), begins: now }
    }

    /// Since when proofs are remembered. The second of the beginning counts as before it.
    pub(super) const fn begins(&self) -> i64 {
        self.begins
    }

    /// Uses up the proof `id` of the key. It is acceptable until the second `until`, including it.
    pub(super) fn use_up(&self, key: &Thumbprint, id: &str, until: i64, now: i64) -> Result<(), Refusal> {
        let place = usize::try_from(self.placing.hash_one(key) % PARTS as u64).unwrap_or_default();
        let Some(part) = self.parts.get(place) else {
            return Err(full());
        };
        let mut part = part.lock().unwrap_or_else(PoisonError::into_inner);
        part.forget(now);
        part.use_up(name(key, id), until)
    }
}

impl Part {
    /// Drops the steps of which no proof can pass any more.
    fn forget(&mut self, now: i64) {
        while let Some(first) = self.steps.front() {
            let end = first.begin.saturating_add(STEP);
            if end > now {
                break;
            }
            self.count = self.count.saturating_sub(first.proofs.len());
            self.forgotten = self.forgotten.max(end);
            self.steps.pop_front();
        }
    }

    fn use_up(&mut self, proof: u128, until: i64) -> Result<(), Refusal> {
        if until < self.forgotten {
            return Err(Refusal::new(
                Reason::ProofInvalid,
                "the DPoP proof is older than what is remembered of proofs: a clock was set back",
            ));
        }
        // One id twice is a replay, whatever time it claims the second time.
        if self.steps.iter().any(|step| step.proofs.contains(&proof)) {
            return Err(Refusal::new(Reason::ProofReplayed, "the DPoP proof was used before"));
        }
        if self.count >= MOST {
            return Err(full());
        }
        let begin = until.div_euclid(STEP).saturating_mul(STEP);
        let place = self.steps.partition_point(|step| step.begin < begin);
        if self.steps.get(place).is_none_or(|step| step.begin != begin) {
            self.steps.insert(place, Step { begin, proofs: HashSet::new() });
        }
        if let Some(step) = self.steps.get_mut(place) {
            step.proofs.insert(proof);
            self.count += 1;
        }
        Ok(())
    }
}

fn full() -> Refusal {
    Refusal { retry_after: Some(RETRY), ..Refusal::new(Reason::ProofsExhausted, "too many DPoP proofs are remembered") }
}

/// 128 bits of SHA-256 over key and id: one caller can't use up another's ids, and a collision costs only its maker.
fn name(key: &Thumbprint, id: &str) -> u128 {
    let mut context = Context::new(&SHA256);
    context.update(key.bytes());
    context.update(id.as_bytes());
    let hash = context.finish();
    let half = hash.as_ref().first_chunk::<16>().copied().unwrap_or_default();
    u128::from_be_bytes(half)
}

#[cfg(test)]
mod tests {
    use super::{MOST, ProofMemory, STEP};
    use crate::thumbprint::Thumbprint;
    use proptest::prelude::*;
    use std::sync::Barrier;
    use tollward_policy::reason::Reason;

    const NOW: i64 = 1_800_000_000;

    fn key(name: &str) -> Thumbprint {
        Thumbprint::of(name.as_bytes())
    }

    fn reason(memory: &ProofMemory, owner: &str, id: &str, until: i64, now: i64) -> Reason {
        memory.use_up(&key(owner), id, until, now).map_or_else(|refusal| refusal.reason, |()| Reason::Allowed)
    }

    #[test]
    fn an_id_passes_once_for_each_key() {
        let memory = ProofMemory::new(NOW);
        assert_eq!(reason(&memory, "a", "1", NOW + 60, NOW), Reason::Allowed);
        assert_eq!(reason(&memory, "a", "1", NOW + 60, NOW), Reason::ProofReplayed);
        assert_eq!(reason(&memory, "a", "1", NOW + 100, NOW + 1), Reason::ProofReplayed, "with another time");
        assert_eq!(reason(&memory, "b", "1", NOW + 60, NOW), Reason::Allowed);
        assert_eq!(reason(&memory, "a", "2", NOW + 60, NOW), Reason::Allowed);
    }

    #[test]
    fn a_clock_that_is_set_back_brings_nothing_to_life() {
        let memory = ProofMemory::new(NOW);
        let until = NOW + 60;
        assert_eq!(reason(&memory, "a", "1", until, NOW), Reason::Allowed);
        let later = until + STEP + 1;
        assert_eq!(reason(&memory, "a", "2", later + 60, later), Reason::Allowed, "the first one is forgotten by now");
        assert_eq!(reason(&memory, "a", "1", until, NOW + 30), Reason::ProofInvalid, "in a time that was forgotten");
        assert_eq!(reason(&memory, "a", "3", later + 61, NOW + 30), Reason::Allowed);
    }

    #[test]
    fn a_full_part_refuses_new_proofs_and_forgets_none_until_their_time_is_over() {
        let memory = ProofMemory::new(NOW);
        let owner = key("a");
        for number in 0..MOST {
            assert!(memory.use_up(&owner, &number.to_string(), NOW + 60, NOW).is_ok());
        }
        let refusal = memory.use_up(&owner, "more", NOW + 60, NOW).unwrap_err();
        assert_eq!((refusal.reason, refusal.retry_after.is_some()), (Reason::ProofsExhausted, true));
        assert_eq!(reason(&memory, "a", "0", NOW + 60, NOW + 60), Reason::ProofReplayed);
        let others =
            (0..100).filter(|number| memory.use_up(&key(&format!("other {number}")), "1", NOW + 60, NOW).is_ok());
        assert!(others.count() > 50, "other keys have other parts");
        let later = NOW + 60 + STEP;
        assert_eq!(reason(&memory, "a", "more", later + 60, later), Reason::Allowed);
    }

    #[test]
    fn of_many_requests_with_one_proof_at_once_exactly_one_wins() {
        let memory = ProofMemory::new(NOW);
        for round in 0..50 {
            let (id, start) = (round.to_string(), Barrier::new(8));
            let winners: usize = std::thread::scope(|scope| {
                let tries: Vec<_> = (0..8)
                    .map(|_| {
                        scope.spawn(|| {
                            start.wait();
                            usize::from(memory.use_up(&key("a"), &id, NOW + 60, NOW).is_ok())
                        })
                    })
                    .collect();
                tries.into_iter().map(|attempt| attempt.join().unwrap()).sum()
            });
            assert_eq!(winners, 1);
        }
    }

    proptest! {
        /// Against a model that forgets nothing, with a clock that jumps in both directions.
        #[test]
        fn nothing_passes_twice_while_it_is_acceptable(
            steps in prop::collection::vec((any::<prop::sample::Index>(), prop::bool::ANY, 0..130_i64, -60..90_i64), 1..200),
        ) {
            let memory = ProofMemory::new(NOW);
            let (mut now, mut used) = (NOW, Vec::new());
            for (number, (index, again, left, passed)) in steps.into_iter().enumerate() {
                now += passed;
                if again && !used.is_empty() {
                    let (id, until): &(String, i64) = index.get(&used);
                    if *until >= now {
                        prop_assert_ne!(reason(&memory, "a", id, *until, now), Reason::Allowed);
                    }
                    continue;
                }
                let (id, until) = (number.to_string(), now + left);
                if reason(&memory, "a", &id, until, now) == Reason::Allowed {
                    used.push((id, until));
                }
            }
        }
    }
}
