//! One store, as it counts for one namespace: asks within the deadline, remembers what is exhausted, and never lets more calls
//! wait than it may.

use super::amount::Amount;
use super::answer::{self, Verdict};
use super::connect::{Connector, Open};
use super::dial::DialStore;
use super::exhausted::Exhausted;
use super::keeper::Keeper;
use super::key::{CountName, name_of};
use super::line::{Line, StoreStatus};
use super::measure::{Instruments, place};
use super::script::{self, Question};
use super::trouble::Trouble;
use crate::clock::Clock;
use crate::limiter::look::Look;
use crate::limiter::standing::{CountedBy, Standing};
use opentelemetry::KeyValue;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::{CancellationToken, DropGuard};
use tollward_policy::limits::{Charge, DEFAULT_DEADLINE_MILLIS, OnStoreFailure, Rate, Store};

/// Calls that may wait for one store at once.
const WAITING: usize = 1024;
/// Refunds that may be under way at once; what is more is not given back, and refilled with time.
const REFUNDS: usize = 128;
/// As long a refund may take.
const REFUND: Duration = Duration::from_secs(1);

/// One store, as it counts for one namespace.
pub(crate) struct SharedStore {
    store: Store,
    namespace: String,
    line: Arc<Line>,
    waiting: Semaphore,
    refunds: Arc<Semaphore>,
    exhausted: Exhausted,
    instruments: Arc<OnceLock<Instruments>>,
    /// Its labels, made once for all calls.
    place: [KeyValue; 2],
    deadline: Arc<AtomicU64>,
    started: AtomicBool,
    dial: Arc<dyn DialStore>,
    ending: CancellationToken,
    _end: DropGuard,
}

/// What the store says to the charges of a call.
#[derive(Debug)]
pub(super) enum Counted {
    /// All were charged.
    Admitted {
        /// When, in microseconds by the store's clock.
        at: u64,
        /// How each stands.
        standings: Vec<Standing>,
    },
    /// None was: how those that were looked at stand, the one that refuses last.
    Refused(Vec<Standing>),
}

impl SharedStore {
    pub(super) fn new(
        store: Store,
        namespace: String,
        dial: Arc<dyn DialStore>,
        clock: Arc<dyn Clock>,
        instruments: Arc<OnceLock<Instruments>>,
    ) -> Self {
        let ending = CancellationToken::new();
        let (name, place) = (store.address.to_string(), place(&store.address));
        Self {
            store,
            namespace,
            line: Arc::new(Line::new(name, clock)),
            waiting: Semaphore::new(WAITING),
            refunds: Arc::new(Semaphore::new(REFUNDS)),
            exhausted: Exhausted::new(),
            instruments,
            place,
            deadline: Arc::new(AtomicU64::new(u64::from(DEFAULT_DEADLINE_MILLIS) * 1000)),
            started: AtomicBool::new(false),
            dial,
            _end: ending.clone().drop_guard(),
            ending,
        }
    }

    /// Which store it is.
    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    /// How it stands.
    pub(super) fn status(&self) -> StoreStatus {
        self.line.status()
    }

    /// A policy wants it to answer within that time.
    pub(super) fn within(&self, deadline: Duration) {
        self.deadline.store(u64::try_from(deadline.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Opens the connection, once; it is kept open until nobody uses the store any more. Needs a runtime.
    pub(super) fn wake(&self) {
        if self.started.swap(true, Ordering::Relaxed) {
            return;
        }
        let connector =
            Connector { store: self.store.clone(), namespace: self.namespace.clone(), dial: Arc::clone(&self.dial) };
        let (line, deadline) = (Arc::clone(&self.line), Arc::clone(&self.deadline));
        let keeper = Keeper { line, connector, deadline, chance };
        let ending = self.ending.clone();
        tokio::spawn(async move { ending.run_until_cancelled(keeper.keep()).await });
    }

    /// Charges all of these limits of a call, or none, within the shortest of their deadlines.
    pub(super) async fn charge(&self, server: &str, charges: &[Charge<'_>]) -> Result<Counted, Trouble> {
        self.wake();
        let question = self.question(server, charges);
        let now = Instant::now();
        if let Some(refused) = self.known(charges, &question, now) {
            return Ok(Counted::Refused(vec![refused]));
        }
        let verdict = self.ask(&question, now, shortest(charges)).await;
        if let (Err(trouble), Some(instruments)) = (&verdict, self.instruments.get()) {
            instruments.failed(&self.place, trouble.code());
        }
        Ok(self.judged(charges, &question, verdict?, now))
    }

    /// Gives a charge back that was counted `at` that time by the store's clock, and stood like that afterwards; nothing waits
    /// for it.
    pub(super) fn refund(&self, server: &str, charges: &[Charge<'_>], standings: &[Standing], at: u64) {
        let (Some(open), Ok(turn)) = (self.line.open_now(), Arc::clone(&self.refunds).try_acquire_owned()) else {
            return;
        };
        let question = self.question(server, charges);
        let paid = |standing: &Standing| at.saturating_add(Amount::micros(standing.reset));
        let paid: Vec<_> = standings.iter().map(paid).collect();
        tokio::spawn(async move {
            let mut connection = open.connection();
            // What is not given back is refilled with time.
            let _ = tokio::time::timeout(REFUND, script::refund(&mut connection, &question, &paid)).await;
            drop(turn);
        });
    }

    /// How the counts of these charges stand, within the shortest of their deadlines. Whoever looks changes nothing: not what is
    /// counted, and not what is thought of the store.
    pub(super) async fn look(&self, server: &str, charges: &[Charge<'_>]) -> Result<Vec<Look>, Trouble> {
        let question = self.question(server, charges);
        let limit = shortest(charges);
        let deadline = Instant::now() + limit;
        let _turn = self.waiting.try_acquire().map_err(|_| Trouble::Busy)?;
        let open = timeout_at(deadline, self.line.open()).await.map_err(|_| Trouble::Opening)??;
        let mut connection = open.connection();
        let answered = timeout_at(deadline, script::look(&mut connection, &question)).await;
        let answered = answered.map_err(|_| Trouble::Late(limit))?;
        let answer = answered.map_err(|error| Trouble::of(&error, &self.store.address, self.store.mode))?;
        let amounts: Vec<_> = question.counts.iter().map(|(_, amount)| *amount).collect();
        let owed = answer::read_owed(&answer, &amounts)?;
        Ok(amounts.iter().zip(owed).map(|(amount, owed)| amount.look(owed)).collect())
    }

    fn question(&self, server: &str, charges: &[Charge<'_>]) -> Question {
        let count = |charge: &Charge<'_>| -> (CountName, Amount) {
            (name_of(&self.namespace, server, charge), Amount::of(&whole(charge), charge.cost))
        };
        Question { counts: charges.iter().map(count).collect() }
    }

    /// The refusal of a limit that is exhausted for certain.
    fn known(&self, charges: &[Charge<'_>], question: &Question, now: Instant) -> Option<Standing> {
        charges.iter().zip(&question.counts).find_map(|(charge, (name, amount))| {
            let wait = self.exhausted.wait(&name.text, amount.increment, amount.tolerance, now)?;
            let owed = amount.tolerance.saturating_sub(amount.increment);
            let owed = owed.saturating_add(Amount::micros(wait)).min(amount.tolerance);
            Some(standing(charge, amount, owed).refused(wait))
        })
    }

    async fn ask(&self, question: &Question, now: Instant, limit: Duration) -> Result<Verdict, Trouble> {
        let _turn = self.waiting.try_acquire().map_err(|_| Trouble::Busy)?;
        let deadline = now + limit;
        let open = timeout_at(deadline, self.line.open()).await.map_err(|_| Trouble::Opening)??;
        let answered = self.answered(&open, question, deadline, limit).await;
        match &answered {
            Ok(_) => {
                Line::answered(&open);
                if let Some(instruments) = self.instruments.get() {
                    instruments.answered(&self.place, now.elapsed());
                }
            }
            Err(trouble) => self.line.failed(&open, trouble),
        }
        answered
    }

    async fn answered(
        &self,
        open: &Open,
        question: &Question,
        deadline: Instant,
        limit: Duration,
    ) -> Result<Verdict, Trouble> {
        let mut connection = open.connection();
        let answered = timeout_at(deadline, script::charge(&mut connection, question)).await;
        let answered = answered.map_err(|_| Trouble::Late(limit))?;
        let answer = answered.map_err(|error| Trouble::of(&error, &self.store.address, self.store.mode))?;
        let amounts: Vec<_> = question.counts.iter().map(|(_, amount)| *amount).collect();
        answer::read(&answer, &amounts)
    }

    fn judged(&self, charges: &[Charge<'_>], question: &Question, verdict: Verdict, now: Instant) -> Counted {
        let stand = |owed: &[u64]| -> Vec<Standing> {
            let counts = charges.iter().zip(&question.counts).zip(owed);
            counts.map(|((charge, (_, amount)), owed)| standing(charge, amount, *owed)).collect()
        };
        match verdict {
            Verdict::Admitted { at, owed } => Counted::Admitted { at, standings: stand(&owed) },
            Verdict::Refused { position, wait, owed } => {
                let wait = Amount::time(wait);
                if let Some((name, amount)) = question.counts.get(position) {
                    self.exhausted.note(&name.text, amount.increment, amount.tolerance, wait, now);
                }
                let mut standings = stand(&owed);
                if let Some(last) = standings.pop() {
                    standings.push(last.refused(wait));
                }
                Counted::Refused(standings)
            }
        }
    }

    /// A policy decided about a limit that was not counted.
    pub(super) fn decided(&self, limit: &str, decision: OnStoreFailure) {
        if let Some(instruments) = self.instruments.get() {
            instruments.decided(limit, decision);
        }
    }
}

impl std::fmt::Debug for SharedStore {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("SharedStore").field("store", &self.store).finish_non_exhaustive()
    }
}

/// As long the most impatient of their policies waits.
fn shortest(charges: &[Charge<'_>]) -> Duration {
    charges.iter().filter_map(|charge| Some(charge.shared?.store.deadline)).min().unwrap_or_default()
}

fn standing(charge: &Charge<'_>, amount: &Amount, owed: u64) -> Standing {
    let standing = Standing::of(charge.id, charge.tier, &whole(charge), charge.cost).counted_by(CountedBy::Store);
    standing.left(amount.remaining(owed), Amount::time(owed))
}

/// The rate that the store counts by.
fn whole(charge: &Charge<'_>) -> Rate {
    charge.shared.map_or(charge.rate, |shared| shared.whole)
}

/// Nothing secret: only that processes differ.
fn chance() -> u32 {
    let mut bytes = [0; 4];
    match aws_lc_rs::rand::fill(&mut bytes) {
        Ok(()) => u32::from_be_bytes(bytes),
        Err(_) => u32::MAX,
    }
}
