//! How much passed in the worst window of any position.

use std::collections::VecDeque;
use std::fmt;

/// The window, in milliseconds.
pub(crate) const WINDOW: u64 = 60_000;

/// What passed, in steps of time.
pub(crate) struct Passed {
    requests: u64,
    steps: VecDeque<(u64, u64)>,
    total: u64,
    most: u64,
    unbounded: bool,
}

/// The most that passed in any window, of what may.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Worst {
    most: u64,
    requests: u64,
    unbounded: bool,
}

impl Passed {
    pub(crate) fn new(requests: u32) -> Self {
        Self { requests: requests.into(), steps: VecDeque::new(), total: 0, most: 0, unbounded: false }
    }

    pub(crate) fn note(&mut self, now: u64, passed: u64) {
        self.steps.push_back((now, passed));
        self.total += passed;
        while let Some((then, passed)) = self.steps.front().copied().filter(|(then, _)| now - then >= WINDOW) {
            debug_assert!(then < now);
            self.total -= passed;
            self.steps.pop_front();
        }
        self.most = self.most.max(self.total);
    }

    /// A call passed that nobody counted.
    pub(crate) fn uncounted(&mut self) {
        self.unbounded = true;
    }

    pub(crate) fn worst(&self) -> Worst {
        Worst { most: self.most, requests: self.requests, unbounded: self.unbounded }
    }
}

impl Worst {
    /// Of what the limit says, rounded up.
    pub(crate) fn percent(self) -> u32 {
        u32::try_from((self.most * 100).div_ceil(self.requests)).unwrap()
    }
}

impl fmt::Display for Worst {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.unbounded { write!(formatter, "no bound") } else { write!(formatter, "{} %", self.percent()) }
    }
}
