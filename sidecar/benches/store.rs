//! What a limit costs that is counted in a store: time for each charge alone, charges a second of many calls at once over the one
//! connection, and what a caller costs that is exhausted for certain.
//!
//! `cargo bench -p tollward-sidecar --bench store -- redis://127.0.0.1:6379`; the store is one on loopback that may be written
//! to. Without a URL there is nothing to measure.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark that can't go on has nothing to tell, and what it tells goes to its output"
)]

use futures_util::future::join_all;
use governor::clock::DefaultClock;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;
use tollward_netguard::{Allowance, DialPolicy, Scheme, SystemResolver};
use tollward_policy::limits::{Counted, LimitSet, RateLimitConfig};
use tollward_policy::operation::{Method, Operation, Target};
use tollward_policy::principal::Principal;
use tollward_sidecar::clock::SystemClock;
use tollward_sidecar::limiter::{GuardedDial, Limiter, RouteLimiter, Stores};

/// Tells rows apart.
static ROWS: AtomicU32 = AtomicU32::new(0);
/// Charges of each row.
const CHARGES: usize = 20_000;

struct Bench {
    set: LimitSet,
    route: RouteLimiter,
}

impl Bench {
    fn new(url: &str, limits: usize, burst: u32) -> Self {
        let limit = |number: usize| {
            let rate = json!({"requests": burst + 9, "windowSeconds": 36_000, "burst": burst});
            json!({"name": format!("limit-{number}"), "match": {}, "per": ["Address"], "tiers": {"basic": rate}})
        };
        let limits: Vec<_> = (0..limits).map(limit).collect();
        let store = json!({"url": url, "mode": "Standalone", "deadlineMillis": 1000, "onFailure": "Deny"});
        let policy = json!({"policy": "bench", "tiers": {"default": "basic"}, "limits": limits, "store": store});
        let policy: RateLimitConfig = serde_json::from_value(policy).unwrap();
        let set = LimitSet::compile(&[policy]).unwrap();
        let loopback = Allowance { cidr: "127.0.0.0/8".parse().unwrap(), scheme: Scheme::Http };
        let policy = DialPolicy { allow: vec![loopback], deny: Vec::new() };
        let dial = GuardedDial::new(policy, Arc::new(SystemResolver::from_system().unwrap()));
        let stores = Stores::new(Arc::new(dial), Arc::new(SystemClock));
        // A name of its own for each row, so that no row finds another's counts.
        let uid = format!("bench-{}-{}", std::process::id(), ROWS.fetch_add(1, Ordering::Relaxed));
        let route = Limiter::new(DefaultClock::default()).route(&uid, &set);
        let route = route.sharing(stores.route("bench", &uid, &set));
        Self { set, route }
    }

    async fn charge(&self, caller: usize) -> bool {
        let operation = Operation { method: Method::ToolsCall, target: Target::Tool("get".into()) };
        let (principal, address) = (&Principal::Anonymous, caller.to_string());
        let counted =
            Counted { principal, operation: &operation, target_known: true, server: "bench/bench", address: &address };
        let charges = self.set.charges(&counted);
        self.route.charge(&charges).await.is_ok()
    }

    async fn row(&self, name: &str, at_once: usize, callers: usize) {
        self.charge(callers).await;
        let started = Instant::now();
        let mut admitted = 0;
        for turn in 0..CHARGES / at_once {
            let charges = (0..at_once).map(|number| self.charge((turn * at_once + number) % callers));
            admitted += join_all(charges).await.into_iter().filter(|passed| *passed).count();
        }
        let each = started.elapsed().as_nanos() / CHARGES as u128;
        println!("{name:<52} {each:>7} ns, {:>7} a second, {admitted} admitted", 1_000_000_000 / each.max(1));
    }
}

#[tokio::main]
async fn main() {
    let Some(url) = std::env::args().find(|argument| argument.starts_with("redis://")) else {
        println!("name a store: cargo bench -p tollward-sidecar --bench store -- redis://127.0.0.1:6379");
        return;
    };
    Bench::new(&url, 1, 1_000_000).row("1 limit, one call after the other", 1, 1000).await;
    Bench::new(&url, 1, 1_000_000).row("1 limit, 100 calls at once", 100, 1000).await;
    Bench::new(&url, 4, 1_000_000).row("4 limits, 100 calls at once", 100, 1000).await;
    Bench::new(&url, 1, 1).row("1 limit, exhausted", 100, 1).await;
}
