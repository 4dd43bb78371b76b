//! One replica: the sidecar's own limiter, on a clock of its own, with the part that it was told of last.

use futures_util::FutureExt as _;
use governor::clock::FakeRelativeClock;
use serde_json::json;
use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::time::Duration;
use tollward_policy::limits::{Counted, LimitSet, Rate, RateLimitConfig};
use tollward_policy::operation::{Method, Operation, Target};
use tollward_policy::principal::Principal;
use tollward_sidecar::limiter::{Limiter, RouteLimiter};

/// The limit: 6,000 a minute, of which 600 at once.
pub(crate) const REQUESTS: u32 = 6_000;

/// The limit, undivided.
pub(crate) fn limits() -> LimitSet {
    let rate = json!({"requests": REQUESTS, "windowSeconds": 60});
    let limit = json!({"name": "calls", "match": {}, "tiers": {"basic": rate}});
    let policy = json!({"policy": "simulated", "tiers": {"default": "basic"}, "limits": [limit]});
    let policy: RateLimitConfig = serde_json::from_value(policy).unwrap();
    LimitSet::compile(&[policy]).unwrap()
}

/// The limit's rate, undivided.
pub(crate) fn whole() -> Rate {
    limits().rates().first().unwrap().whole
}

/// A running sidecar.
pub(crate) struct Replica {
    clock: FakeRelativeClock,
    /// How much faster its clock is than time, in millionths; slower if it is negative.
    drift: i64,
    limiter: Limiter<FakeRelativeClock>,
    limits: LimitSet,
    route: RouteLimiter<FakeRelativeClock>,
    /// What it will be told, and when.
    news: VecDeque<(u64, NonZeroU32)>,
}

impl Replica {
    pub(crate) fn new(sharing: NonZeroU32, drift: i64) -> Self {
        let clock = FakeRelativeClock::default();
        let limiter = Limiter::new(clock.clone());
        let limits = limits().shared_by(sharing);
        let route = limiter.route("route", &limits);
        Self { clock, drift, limiter, limits, route, news: VecDeque::new() }
    }

    /// Its process starts anew: what was counted is forgotten.
    pub(crate) fn restart(&mut self) {
        self.limiter = Limiter::new(self.clock.clone());
        self.route = self.limiter.route("route", &self.limits);
    }

    pub(crate) fn tell(&mut self, at: u64, sharing: NonZeroU32) {
        // What was written later never arrives earlier.
        let at = self.news.back().map_or(at, |(before, _)| at.max(*before));
        self.news.push_back((at, sharing));
    }

    pub(crate) fn advance(&mut self, now: u64, step: Duration) {
        let nanos = i64::try_from(step.as_nanos()).unwrap();
        self.clock.advance(Duration::from_nanos(u64::try_from(nanos + nanos * self.drift / 1_000_000).unwrap()));
        while let Some((_, sharing)) = self.news.front().copied().filter(|(at, _)| *at <= now) {
            self.limits = limits().shared_by(sharing);
            self.route = self.limiter.route("route", &self.limits);
            self.limiter.sweep();
            self.news.pop_front();
        }
    }

    /// Whether a call passes that this replica counts by itself.
    pub(crate) fn admits(&self) -> bool {
        let operation = Operation { method: Method::ToolsCall, target: Target::Tool("get".into()) };
        let principal = &Principal::Anonymous;
        let counted = Counted { principal, operation: &operation, target_known: true, server: "s", address: "" };
        let charges = self.limits.charges(&counted);
        self.route.charge(&charges).now_or_never().unwrap().is_ok()
    }
}
