//! What limits cost: time for each charge, alone and from several threads, and memory for a million callers.
//! `cargo bench -p tollward-sidecar --bench limiter`; Linux only.
//!
//! It measures the limiter alone; `cargo xtask bench sidecar` measures whole requests.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark that can't go on has nothing to tell, and what it tells goes to its output"
)]

use governor::clock::DefaultClock;
use serde_json::json;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tollward_policy::limits::{Charge, Counted, LimitSet, RateLimitConfig};
use tollward_policy::operation::{Method, Operation, Target};
use tollward_policy::principal::Principal;
use tollward_sidecar::limiter::{Limiter, Room, RouteLimiter, Table};

/// Charges of each row.
const CHARGES: u32 = 400_000;
/// Callers in the memory rows.
const CALLERS: usize = 1_000_000;

/// A budget that no row exhausts, or one that is exhausted at once.
fn limits(number: usize, requests: u32) -> LimitSet {
    let limit = |at: usize| {
        let rate = json!({"requests": requests, "windowSeconds": 3600, "burst": requests / 2});
        json!({"name": format!("limit-{at}"), "match": {}, "per": ["Address"], "tiers": {"basic": rate}})
    };
    let limits: Vec<_> = (0..number).map(limit).collect();
    let policy = json!({"policy": "bench", "tiers": {"default": "basic"}, "limits": limits});
    let policy: RateLimitConfig = serde_json::from_value(policy).unwrap();
    LimitSet::compile(&[policy]).unwrap()
}

fn charges<'a>(set: &'a LimitSet, address: &str) -> Vec<Charge<'a>> {
    let operation = Operation { method: Method::ToolsCall, target: Target::Tool("get".into()) };
    let principal = &Principal::Anonymous;
    set.charges(&Counted { principal, operation: &operation, target_known: true, server: "shop/catalog", address })
}

/// Charges like the pipeline does: the limits that match are found for each call.
fn call(route: &RouteLimiter, set: &LimitSet, address: &str) -> bool {
    use futures_util::FutureExt as _;
    let charges = charges(set, address);
    black_box(route.charge(&charges)).now_or_never().unwrap().is_ok()
}

fn row(name: &str, set: &LimitSet, threads: u32, one_caller: bool) {
    let limiter = Limiter::new(DefaultClock::default());
    let route = limiter.route("route", set);
    let started = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let route = &route;
            scope.spawn(move || {
                for number in 0..CHARGES / threads {
                    let caller = if one_caller { 0 } else { thread + (number % 1000) * threads };
                    black_box(call(route, set, &caller.to_string()));
                }
            });
        }
    });
    let each = started.elapsed() / CHARGES;
    println!("{name:<52} {:>7} ns", each.as_nanos());
}

/// Resident memory of this process in bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<u64>().unwrap() * 1024
}

fn memory() {
    let rate = limits(1, 1000).rates().first().unwrap().rate;
    let before = resident();
    let table = Table::new(CALLERS * 2, Arc::new(Room::new(CALLERS * 2)));
    let (started, mut slowest) = (Instant::now(), Duration::ZERO);
    for number in 0..CALLERS {
        let key = format!("7:subject19:https://idp.example36:{number:036}");
        let one = Instant::now();
        table.charge(&key, &rate, 1, 1).unwrap();
        slowest = slowest.max(one.elapsed());
    }
    let time = started.elapsed() / u32::try_from(CALLERS).unwrap();
    let bytes = resident().saturating_sub(before);
    println!("{:<52} {:>7} MiB", format!("{CALLERS} callers"), bytes / 1024 / 1024);
    println!("{:<52} {:>7} bytes", "  for each", bytes / CALLERS as u64);
    println!("{:<52} {:>7} ns, slowest {} µs", "  a caller that is new", time.as_nanos(), slowest.as_micros());
    let full = Table::new(100_000, Arc::new(Room::new(100_000)));
    for number in 0..400_000 {
        let _ = full.charge(&number.to_string(), &rate, 1, 1);
    }
    let started = Instant::now();
    let refused = (0..CALLERS).filter(|number| full.charge(&format!("new {number}"), &rate, 1, 1).is_err()).count();
    let time = started.elapsed() / u32::try_from(CALLERS).unwrap();
    println!("{:<52} {:>7} ns ({refused} refused)", "  a caller that is new, no room left", time.as_nanos());
}

fn main() {
    let generous = 1_000_000_000;
    memory();
    row("1 limit, 1 thread, 1000 callers", &limits(1, generous), 1, false);
    row("4 limits, 1 thread, 1000 callers", &limits(4, generous), 1, false);
    row("1 limit, 2 threads, 1000 callers", &limits(1, generous), 2, false);
    row("1 limit, 2 threads, 1 caller", &limits(1, generous), 2, true);
    row("1 limit, exhausted, 1 thread", &limits(1, 2), 1, true);
}
