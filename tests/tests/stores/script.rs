//! The scripts against the arithmetic of `policy::limits::rate`, over random histories on a real server. The clock is the
//! test's: it stands in the text of the script in place of the server's, so that the script itself knows no other clock.

use proptest::prelude::*;
use redis::Value;
use serde_json::json;
use std::collections::HashMap;
use std::time::Duration;
use tollward_policy::limits::{LimitSet, Rate};
use tollward_tests::real::place;
use tollward_tests::real::store::{Kind, Store};

/// A script that takes the time as its last two arguments.
fn script(name: &str) -> String {
    let path = place::tests().join("../sidecar/src/limiter/shared").join(name);
    let text = std::fs::read_to_string(path).expect("the sidecar has the script");
    let clock = "redis.call('TIME')";
    assert_eq!(text.matches(clock).count(), 1);
    text.replace(clock, "{ARGV[#ARGV - 1], ARGV[#ARGV]}")
}

fn rate(requests: u32, window: u32, burst: u32) -> Rate {
    let limit = json!({"name": "l", "match": {}, "tiers": {"basic": {"requests": requests, "windowSeconds": window, "burst": burst}}});
    let policy = json!({"policy": "p", "tiers": {"default": "basic"}, "limits": [limit]});
    LimitSet::compile(&[serde_json::from_value(policy).unwrap()]).unwrap().rates()[0].rate
}

/// Rates whose emission is whole microseconds, so that both count in the same steps; the slowest is near the bound.
fn rates() -> Vec<Rate> {
    vec![rate(11, 10, 1), rate(15, 100, 5), rate(1000, 3600, 100), rate(3, 4_000_000_000, 1)]
}

#[derive(Debug, Clone)]
enum Step {
    /// Charges a cost to some of the counts.
    Charge { counts: Vec<usize>, cost: u32 },
    /// Gives back the latest charge.
    Refund,
    /// Time goes on, in microseconds, or back.
    Time(i64),
    /// A count is kept by another rate from now on.
    Edit { count: usize, rate: usize },
}

fn step() -> impl Strategy<Value = Step> {
    let counts = proptest::sample::subsequence(vec![0, 1, 2, 3], 1..=3);
    prop_oneof![
        6 => (counts, 1..4_u32).prop_map(|(counts, cost)| Step::Charge { counts, cost }),
        1 => Just(Step::Refund),
        3 => (0..30_000_000_i64).prop_map(Step::Time),
        1 => (-100_000_000_000..0_i64).prop_map(Step::Time),
        1 => (0..4_usize, 0..4_usize).prop_map(|(count, rate)| Step::Edit { count, rate }),
    ]
}

/// What a store is said to keep, by the reference.
struct Reference {
    rates: Vec<Rate>,
    arrivals: HashMap<usize, u64>,
}

impl Reference {
    /// What is owed to a count, in nanoseconds.
    fn owed(&self, count: usize, now: u64) -> u64 {
        self.rates[count].settle(self.arrivals.get(&count).copied().unwrap_or_default(), now) - now
    }

    /// The refusing position and its wait in nanoseconds, or the debts.
    fn charge(&mut self, counts: &[usize], cost: u32, now: u64) -> Result<Vec<u64>, (usize, u64)> {
        let mut charged = Vec::new();
        for (position, count) in counts.iter().enumerate() {
            let rate = self.rates[*count];
            let arrival = self.arrivals.get(count).copied().unwrap_or_default();
            // A debt beyond the burst is cut down whether or not the call passes.
            if arrival > now {
                self.arrivals.insert(*count, rate.settle(arrival, now));
            }
            match rate.admit(arrival, now, cost) {
                Ok(admitted) => charged.push((*count, admitted.arrival)),
                Err(wait) => return Err((position, u64::try_from(wait.as_nanos()).unwrap())),
            }
        }
        let owed = charged.iter().map(|(_, arrival)| arrival - now).collect();
        self.arrivals.extend(charged);
        Ok(owed)
    }

    /// Gives back a charge, after which the counts were paid back at those times, in microseconds as now.
    fn give_back(&mut self, counts: &[usize], cost: u32, paid: &[u64], now: u64) {
        for (count, paid) in counts.iter().zip(paid) {
            let left = Duration::from_micros(paid.saturating_sub(now));
            if left.is_zero() {
                continue;
            }
            let charged = self.arrivals.remove(count).expect("it was charged");
            let arrival = self.rates[*count].give_back(charged, cost, left);
            // Nothing is kept of what owes nothing, even if the clock goes back behind it.
            if arrival > now * 1000 {
                self.arrivals.insert(*count, arrival);
            }
        }
    }
}

struct Real {
    runtime: tokio::runtime::Runtime,
    connection: redis::aio::MultiplexedConnection,
    _store: Store,
}

impl Real {
    fn start(kind: Kind) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (store, connection) = runtime.block_on(async {
            let store = Store::start(kind).await;
            let connection = store.connect().await.unwrap();
            (store, connection)
        });
        Self { runtime, connection, _store: store }
    }

    fn run(&mut self, text: &str, keys: &[String], numbers: &[u64], now: u64) -> Value {
        let mut command = redis::cmd("EVAL");
        command.arg(text).arg(keys.len()).arg(keys).arg(numbers).arg(now / 1_000_000).arg(now % 1_000_000);
        let connection = &mut self.connection;
        self.runtime.block_on(command.query_async(connection)).expect("the script runs")
    }
}

fn micros(rate: Rate) -> u64 {
    u64::try_from(rate.emission.as_nanos()).unwrap() / 1000
}

fn history(real: &mut Real, steps: &[Step], salt: u32) {
    let [charge, refund, look] = ["charge.lua", "refund.lua", "look.lua"].map(script);
    let all = rates();
    let mut reference = Reference { rates: all.clone(), arrivals: HashMap::new() };
    let mut now = 1_700_000_000_000_000_u64;
    let mut latest: Option<(Vec<usize>, u32, Vec<u64>)> = None;
    let key = |count: &usize| format!("{{t}}:{salt}:{count}");
    for step in steps {
        match step {
            Step::Time(micros) => now = now.saturating_add_signed(*micros),
            Step::Edit { count, rate } => {
                reference.rates[*count] = all[*rate];
                latest = None;
            }
            Step::Charge { counts, cost } => {
                let keys: Vec<_> = counts.iter().map(key).collect();
                let numbers: Vec<_> = counts
                    .iter()
                    .flat_map(|count| {
                        let rate = reference.rates[*count];
                        [micros(rate) * u64::from(*cost), micros(rate) * u64::from(rate.burst.get())]
                    })
                    .collect();
                let tolerances: Vec<_> = numbers.iter().skip(1).step_by(2).copied().collect();
                let looked: Vec<u64> = redis::from_redis_value(real.run(&look, &keys, &tolerances, now)).unwrap();
                let owed: Vec<_> = counts.iter().map(|count| reference.owed(*count, now * 1000) / 1000).collect();
                assert_eq!(looked, owed, "{step:?} at {now}");
                let answer: Vec<u64> = redis::from_redis_value(real.run(&charge, &keys, &numbers, now)).unwrap();
                match reference.charge(counts, *cost, now * 1000) {
                    Ok(owed) => {
                        let owed: Vec<_> = owed.into_iter().map(|owed| owed / 1000).collect();
                        assert_eq!(answer[..2], [0, now], "{step:?} at {now}");
                        assert_eq!(answer[2..], owed, "{step:?} at {now}");
                        latest = Some((counts.clone(), *cost, owed.iter().map(|owed| now + owed).collect()));
                    }
                    Err((position, wait)) => {
                        assert_eq!(
                            (answer[0], answer[1]),
                            (u64::try_from(position).unwrap() + 1, wait / 1000),
                            "{step:?} at {now}"
                        );
                    }
                }
            }
            Step::Refund => {
                let Some((counts, cost, paid)) = latest.take() else { continue };
                let keys: Vec<_> = counts.iter().map(key).collect();
                let taken = |count: &usize| micros(reference.rates[*count]) * u64::from(cost);
                let numbers: Vec<_> =
                    counts.iter().zip(&paid).flat_map(|(count, paid)| [taken(count), *paid]).collect();
                real.run(&refund, &keys, &numbers, now);
                reference.give_back(&counts, cost, &paid, now);
            }
        }
    }
}

#[test]
fn any_history_of_charges_refunds_edits_and_clocks_is_counted_as_the_replica_itself_would() {
    for kind in Kind::ALL {
        let mut real = Real::start(kind);
        let mut salt = 0;
        let mut runner =
            proptest::test_runner::TestRunner::new(ProptestConfig { cases: 150, ..ProptestConfig::default() });
        let real = std::cell::RefCell::new(&mut real);
        let salt = std::cell::RefCell::new(&mut salt);
        let all = proptest::collection::vec(step(), 1..40);
        runner
            .run(&all, |steps| {
                **salt.borrow_mut() += 1;
                let number: u32 = **salt.borrow();
                history(&mut real.borrow_mut(), &steps, number);
                Ok(())
            })
            .unwrap();
    }
}

#[test]
fn a_clock_that_goes_back_by_a_day_keeps_nobody_out_for_longer_than_the_refill_and_admits_a_burst_at_most() {
    let mut real = Real::start(Kind::Valkey);
    let charge = script("charge.lua");
    let (emission, burst, day) = (4_000_000_u64, 100_u64, 86_400_000_000_u64);
    let mut ask = |now: u64| -> u64 {
        let answer = real.run(&charge, &["{t}:back".to_owned()], &[emission, emission * burst], now);
        redis::from_redis_value::<Vec<u64>>(answer).unwrap()[0]
    };
    let now = 1_700_000_000_000_000_u64;
    assert!((0..burst).all(|_| ask(now) == 0) && ask(now) == 1);
    let before = now - day;
    assert_eq!(ask(before), 1, "everything is still owed");
    let refilled = before + emission * burst;
    assert!((0..burst).all(|_| ask(refilled) == 0), "and no more than that");
    assert_eq!(ask(refilled), 1);
    let ahead = refilled + day;
    assert!((0..burst).all(|_| ask(ahead) == 0) && ask(ahead) == 1, "a burst at most");
}

#[test]
fn a_count_that_somebody_wrote_over_is_taken_for_fully_owed_and_heals() {
    let mut real = Real::start(Kind::Redis);
    let charge = script("charge.lua");
    let now = 1_700_000_000_000_000_u64;
    for (number, junk) in
        ["nan", "inf", "-inf", "-1", "1e300", "0x7fffffffffffffff", "hello", "", "9007199254740993"].iter().enumerate()
    {
        let key = format!("{{t}}:junk:{number}");
        let mut set = redis::cmd("SET");
        set.arg(&key).arg(junk);
        let connection = &mut real.connection;
        let () = real.runtime.block_on(set.query_async(connection)).unwrap();
        let mut ask = |now: u64| {
            redis::from_redis_value::<Vec<u64>>(real.run(
                &charge,
                std::slice::from_ref(&key),
                &[1_000_000, 5_000_000],
                now,
            ))
            .unwrap()
        };
        assert_eq!(ask(now), [1, 1_000_000, 5_000_000], "{junk}");
        assert_eq!(ask(now + 5_000_000), [0, now + 5_000_000, 1_000_000], "{junk}");
    }
}

#[test]
fn what_is_no_text_where_a_count_should_be_is_taken_for_fully_owed_and_heals_and_stops_no_other_caller() {
    let mut real = Real::start(Kind::Valkey);
    let charge = script("charge.lua");
    let now = 1_700_000_000_000_000_u64;
    let keys = ["{t}:list".to_owned(), "{t}:hash".to_owned()];
    for (command, key, more) in [("RPUSH", &keys[0], vec!["1"]), ("HSET", &keys[1], vec!["a", "1"])] {
        let mut put = redis::cmd(command);
        put.arg(key).arg(more);
        let connection = &mut real.connection;
        let _: u64 = real.runtime.block_on(put.query_async(connection)).unwrap();
        let mut ask = |now: u64| {
            let answer = real.run(&charge, std::slice::from_ref(key), &[1_000_000, 5_000_000], now);
            redis::from_redis_value::<Vec<u64>>(answer).unwrap()
        };
        assert_eq!(ask(now), [1, 1_000_000, 5_000_000], "{command}");
        assert_eq!(ask(now + 5_000_000), [0, now + 5_000_000, 1_000_000], "{command}");
    }
}

#[test]
fn what_was_paid_back_by_time_is_not_given_back_once_more_out_of_what_others_owe() {
    let mut real = Real::start(Kind::Redis);
    let (charge, refund) = (script("charge.lua"), script("refund.lua"));
    let (emission, burst) = (100_000_u64, 2_u64);
    let key = ["{t}:late".to_owned()];
    let now = 1_700_000_000_000_000_u64;
    let mut ask = |now: u64| -> Vec<u64> {
        redis::from_redis_value(real.run(&charge, &key, &[emission, emission * burst], now)).unwrap()
    };
    let [0, at, owed] = ask(now)[..] else { panic!("it passes") };
    let later = now + 500_000;
    assert_eq!((0..3).map(|_| ask(later)[0]).collect::<Vec<_>>(), [0, 0, 1]);
    real.run(&refund, &key, &[emission, at + owed], later);
    let again: Vec<u64> =
        redis::from_redis_value(real.run(&charge, &key, &[emission, emission * burst], later)).unwrap();
    assert_eq!(again[0], 1, "the burst is used up, whatever is given back of an earlier one");
}
