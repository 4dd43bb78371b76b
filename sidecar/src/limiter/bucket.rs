//! One limit of one tier: its rate, its counts and the time.

use super::look::Look;
use super::refused::Refused;
use super::table::Table;
use governor::clock::{Clock, Reference as _};
use std::sync::Arc;
use std::time::Duration;
use tollward_policy::limits::{Admitted, Rate};

/// Nanoseconds since the start of the process, by a clock that never goes back.
#[derive(Debug, Clone)]
pub struct Timer<C: Clock> {
    clock: C,
    start: C::Instant,
}

impl<C: Clock> Timer<C> {
    /// Starts now.
    pub fn new(clock: C) -> Self {
        Self { start: clock.now(), clock }
    }

    pub(super) fn now(&self) -> u64 {
        self.clock.now().duration_since(self.start).as_u64()
    }
}

/// Counts of one rate.
#[derive(Debug, Clone)]
pub struct Bucket<C: Clock> {
    rate: Rate,
    table: Arc<Table>,
    timer: Timer<C>,
}

impl<C: Clock> Bucket<C> {
    /// The counts of a table by this rate.
    pub fn new(rate: Rate, table: Arc<Table>, timer: Timer<C>) -> Self {
        Self { rate, table, timer }
    }

    /// Takes the cost out of the key's budget.
    pub fn charge(&self, key: &str, cost: u32) -> Result<Admitted, Refused> {
        self.table.charge(key, &self.rate, cost, self.timer.now())
    }

    /// Whether one request would pass now, or when it would.
    pub fn look(&self, key: &str) -> Result<Admitted, Duration> {
        self.table.look(key, &self.rate, self.timer.now())
    }

    /// How the key stands.
    pub fn stands(&self, key: &str) -> Look {
        Look::of(&self.rate, self.look(key))
    }

    /// What is still owed of such a charge, at most.
    pub fn left(&self, admitted: &Admitted) -> Duration {
        Duration::from_nanos(admitted.arrival.saturating_sub(self.timer.now()))
    }

    /// Gives back what [`Self::charge`] took, of which no more than `left` is still owed.
    pub fn refund(&self, key: &str, cost: u32, left: Duration) {
        self.table.refund(key, &self.rate, cost, left, self.timer.now());
    }
}
