//! Which DPoP proofs were used, so that each passes once (RFC 9449 section 11.1).
//!
//! # Guarantees
//! - A proof is remembered as long as it could pass again, and of two requests with one proof at the same time one wins.
//! - Memory is bounded. A part that is full accepts no proof, rather than forget one that could come again.
//! - One caller, with however many keys, fills no part: what is above half of it is shared out.
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

/// Parts with a lock and a bound of their own. A caller always has the same part, whatever key or token it uses.
const PARTS: usize = 8;
/// Most proofs of a part: 40 MiB for all parts when they are full.
const MOST: usize = 131_072;
/// From so many on a part is shared out, so that whoever has used many proofs waits before all others do.
const SHARED: usize = MOST / 2;
/// Most proofs of one share then. Some callers have a share together.
const SHARE: u32 = 8192;
/// Shares of a part.
const SHARES: usize = 256;
/// Seconds whose proofs are forgotten together.
const STEP: i64 = 30;
/// When to come back to a full part.
const RETRY: Duration = Duration::from_secs(STEP.unsigned_abs());

/// The proofs that were used, of all routes.
pub struct ProofMemory {
    parts: [Mutex<Part>; PARTS],
    /// Who has which part and share is random, so that nobody can choose whose way to stand in.
    placing: RandomState,
    begins: i64,
}

/// Who shows a proof: issuer and subject of the token.
pub(super) type Holder<'t> = (&'t str, &'t str);

struct Part {
    /// By the step in which they stop being acceptable, ascending.
    steps: VecDeque<Step>,
    count: usize,
    /// How many proofs of each share there are.
    shares: Shares,
    /// What stops being acceptable before this was forgotten.
    forgotten: i64,
}

struct Step {
    begin: i64,
    proofs: HashSet<u128>,
    shares: Shares,
}

/// Numbers by share.
struct Shares(Box<[u32; SHARES]>);

impl Shares {
    fn none() -> Self {
        Self(Box::new([0; SHARES]))
    }

    fn of(&self, share: usize) -> u32 {
        self.0.get(share).copied().unwrap_or(u32::MAX)
    }

    fn add(&mut self, share: usize) {
        if let Some(own) = self.0.get_mut(share) {
            *own = own.saturating_add(1);
        }
    }

    fn subtract(&mut self, others: &Self) {
        for (own, other) in self.0.iter_mut().zip(others.0.iter()) {
            *own = own.saturating_sub(*other);
        }
    }
}

impl ProofMemory {
    /// Nothing was used since `now`, in seconds since the epoch.
    pub fn new(now: i64) -> Self {
        let part =
            || Mutex::new(Part { steps: VecDeque::new(), count: 0, shares: Shares::none(), forgotten: i64::MIN });
        Self { parts: std::array::from_fn(|_| part()), placing: RandomState::new(), begins: now }
    }

    /// Since when proofs are remembered. The second of the beginning counts as before it.
    pub(super) const fn begins(&self) -> i64 {
        self.begins
    }

    /// Uses up the proof `id` of the key, which `holder` shows with a token: a proof is about one token (`ath`), and so is never
    /// another holder's. It is acceptable until the second `until`, including it.
    pub(super) fn use_up(
        &self,
        holder: Holder<'_>,
        key: &Thumbprint,
        id: &str,
        until: i64,
        now: i64,
    ) -> Result<(), Refusal> {
        let (part, share) = self.place(holder);
        let Some(part) = self.parts.get(part) else {
            return Err(full());
        };
        let mut part = part.lock().unwrap_or_else(PoisonError::into_inner);
        part.forget(now);
        part.use_up(name(key, id), share, until)
    }

    /// Part and share of a caller.
    fn place(&self, holder: Holder<'_>) -> (usize, usize) {
        let hash = usize::try_from(self.placing.hash_one(holder) % (PARTS * SHARES) as u64).unwrap_or_default();
        (hash % PARTS, hash / PARTS)
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
            self.shares.subtract(&first.shares);
            self.forgotten = self.forgotten.max(end);
            self.steps.pop_front();
        }
    }

    fn use_up(&mut self, proof: u128, share: usize, until: i64) -> Result<(), Refusal> {
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
        if self.count >= MOST || (self.count >= SHARED && self.shares.of(share) >= SHARE) {
            return Err(full());
        }
        let begin = until.div_euclid(STEP).saturating_mul(STEP);
        let place = self.steps.partition_point(|step| step.begin < begin);
        if self.steps.get(place).is_none_or(|step| step.begin != begin) {
            self.steps.insert(place, Step { begin, proofs: HashSet::new(), shares: Shares::none() });
        }
        if let Some(step) = self.steps.get_mut(place) {
            step.proofs.insert(proof);
            step.shares.add(share);
            self.shares.add(share);
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
    use super::{MOST, ProofMemory, SHARE, SHARED, STEP};
    use crate::thumbprint::Thumbprint;
    use proptest::prelude::*;
    use std::sync::Barrier;
    use tollward_policy::reason::Reason;

    const NOW: i64 = 1_800_000_000;

    fn key(name: &str) -> Thumbprint {
        Thumbprint::of(name.as_bytes())
    }

    fn reason(memory: &ProofMemory, owner: &str, id: &str, until: i64, now: i64) -> Reason {
        memory
            .use_up(("https://idp", owner), &key(owner), id, until, now)
            .map_or_else(|refusal| refusal.reason, |()| Reason::Allowed)
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

    /// Others with the same part, and shares of their own.
    fn neighbours(memory: &ProofMemory, of: &str) -> Vec<String> {
        let place = |owner: &str| memory.place(("https://idp", owner));
        let mut taken = vec![place(of).1];
        let mut is_neighbour = |owner: &String| {
            let (part, share) = place(owner);
            let fits = part == place(of).0 && !taken.contains(&share);
            taken.extend(fits.then_some(share));
            fits
        };
        (0..).map(|number| format!("neighbour {number}")).filter(|owner| is_neighbour(owner)).take(64).collect()
    }

    #[test]
    fn a_full_part_refuses_new_proofs_and_forgets_none_until_their_time_is_over() {
        let memory = ProofMemory::new(NOW);
        let owners = neighbours(&memory, "a");
        for number in 0..MOST {
            let owner = &owners[number % owners.len()];
            assert_eq!(reason(&memory, owner, &number.to_string(), NOW + 60, NOW), Reason::Allowed, "{number}");
        }
        let refusal = memory.use_up(("https://idp", "a"), &key("a"), "more", NOW + 60, NOW).unwrap_err();
        assert_eq!((refusal.reason, refusal.retry_after.is_some()), (Reason::ProofsExhausted, true));
        assert_eq!(reason(&memory, &owners[0], "0", NOW + 60, NOW + 60), Reason::ProofReplayed);
        let others =
            (0..100).filter(|number| reason(&memory, &format!("o {number}"), "1", NOW + 60, NOW) == Reason::Allowed);
        assert!(others.count() > 50, "others have other parts");
        let later = NOW + 60 + STEP;
        assert_eq!(reason(&memory, "a", "more", later + 60, later), Reason::Allowed);
    }

    #[test]
    fn a_caller_who_uses_all_it_can_with_many_keys_stands_in_nobody_s_way() {
        let memory = ProofMemory::new(NOW);
        let flood = |number: usize, now: i64| {
            let key = key(&format!("key {}", number % 100));
            memory.use_up(("https://idp", "mallory"), &key, &number.to_string(), now + 60, now)
        };
        let passed = (0..2 * MOST).filter(|number| flood(*number, NOW).is_ok()).count();
        assert_eq!(passed, SHARED, "half of one part, with all keys together");
        for owner in neighbours(&memory, "mallory") {
            assert_eq!(reason(&memory, &owner, "1", NOW + 60, NOW), Reason::Allowed, "{owner}");
        }
        let later = NOW + 60 + STEP;
        let again = (MOST * 2..MOST * 2 + SHARED).filter(|number| flood(*number, later).is_ok()).count();
        assert_eq!(again, SHARED, "what is forgotten is no share any more");
        assert!(SHARE as usize * 8 == SHARED, "eight such callers fill a part");
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
                            usize::from(reason(&memory, "a", &id, NOW + 60, NOW) == Reason::Allowed)
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
