//! A store that replicas share: one count by the whole rate, on a clock of its own, which a failover may set back and whose
//! last changes it may lose.

use std::collections::VecDeque;
use tollward_policy::limits::Rate;

/// `onStoreFailure`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnFailure {
    Local,
    Deny,
    Allow,
}

/// What goes wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// Nobody reaches it for that many milliseconds.
    Away(u64),
    /// Every second replica does not reach it for that many milliseconds.
    Half(u64),
    /// Nobody reaches it for two seconds; then another takes its place, which has lost the last milliseconds, and whose clock
    /// differs by so many milliseconds.
    Failover {
        lost: u64,
        clock: i64,
    },
    /// It starts again with nothing, after a second.
    Empty,
}

/// The store at one moment.
pub(crate) struct Store {
    rate: Rate,
    fault: Fault,
    began: u64,
    /// Nanoseconds by its own clock.
    arrival: u64,
    offset: i64,
    /// What a replica of it may be missing.
    written: VecDeque<(u64, u64)>,
    changed: bool,
}

impl Store {
    /// The fault begins at that time.
    pub(crate) fn new(rate: Rate, fault: Fault, began: u64) -> Self {
        Self { rate, fault, began, arrival: 0, offset: 0, written: VecDeque::new(), changed: false }
    }

    /// Whether the replica of that number gets an answer in time.
    pub(crate) fn answers(&self, now: u64, replica: usize) -> bool {
        let during = |time: u64| (self.began..self.began + time).contains(&now);
        match self.fault {
            Fault::None => true,
            Fault::Away(time) => !during(time),
            Fault::Half(time) => replica.is_multiple_of(2) || !during(time),
            Fault::Failover { lost: _, clock: _ } => !during(2_000),
            Fault::Empty => !during(1_000),
        }
    }

    pub(crate) fn advance(&mut self, now: u64) {
        if now < self.began || self.changed {
            return;
        }
        self.changed = true;
        match self.fault {
            Fault::None | Fault::Away(_) | Fault::Half(_) => {}
            Fault::Empty => self.arrival = 0,
            Fault::Failover { lost, clock } => {
                let before = self.written.iter().rev().find(|(at, _)| at + lost <= now);
                self.arrival = before.map_or(0, |(_, arrival)| *arrival);
                self.offset = clock;
            }
        }
    }

    /// Whether a call passes: the same arithmetic as in a replica, on the store's clock in microseconds.
    pub(crate) fn admits(&mut self, now: u64) -> bool {
        let time = i64::try_from(now).unwrap() + 1_000_000 + self.offset;
        let time = u64::try_from(time).unwrap() * 1_000_000;
        let Ok(admitted) = self.rate.admit(self.arrival, time, 1) else { return false };
        self.arrival = admitted.arrival;
        if self.written.back().is_none_or(|(at, _)| *at < now) {
            self.written.push_back((now, self.arrival));
        } else if let Some(last) = self.written.back_mut() {
            last.1 = self.arrival;
        }
        if self.written.len() > 600 {
            self.written.pop_front();
        }
        true
    }
}
