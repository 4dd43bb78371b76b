//! What happens, and a caller that calls every replica for as long as it lets anything through: always, or from a moment on at
//! which it has its whole burst, just before or long before something happens.

use crate::chance::Chance;
use crate::cluster::Cluster;
use crate::replica::{REQUESTS, whole};
use crate::store::{Fault, OnFailure, Store};
use crate::window::{Passed, Worst};
use std::time::Duration;

/// Between two steps, in milliseconds: the caller comes to every replica in each.
const STEP: u64 = 250;
/// When it happens: counts are then as they are for a caller that has always called.
const HAPPENS: u64 = 90_000;
/// The end.
const END: u64 = 300_000;
/// When something else happens.
const AGAIN: u64 = HAPPENS + 120_000;
/// When the caller begins.
const BEGINS: [u64; 4] = [0, HAPPENS - 50_000, HAPPENS - STEP, AGAIN - STEP];
/// Calls that one replica lets through uncounted in a step, before nobody needs to count them.
const UNCOUNTED: u64 = 10;

/// What happens to the replicas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    Nothing,
    RollOut,
    Crash,
    Flap,
    Restart,
    Part,
    Scale,
}

/// A scenario with its row.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    replicas: u32,
    /// Millionths by which clocks differ.
    drift: i64,
    event: Event,
    fault: Fault,
}

const fn local(name: &'static str, replicas: u32, drift: i64, event: Event) -> Scenario {
    Scenario { name, replicas, drift, event, fault: Fault::None }
}

const fn stored(name: &'static str, replicas: u32, event: Event, fault: Fault) -> Scenario {
    Scenario { name, replicas, drift: 500, event, fault }
}

/// Each replica counts by itself.
pub(crate) const WITHOUT_STORE: &[Scenario] = &[
    local("fifty replicas", 50, 0, Event::Nothing),
    local("clocks that differ by a thousandth", 50, 500, Event::Nothing),
    local("a third of them come and go every few seconds", 50, 500, Event::Flap),
    local("half of them crash, and come back after two minutes", 50, 500, Event::Crash),
    local("the processes of all start again at once", 50, 500, Event::Restart),
    local("a rollout replaces all fifty", 50, 500, Event::RollOut),
    local("a rollout replaces the only one", 1, 500, Event::RollOut),
    local("from 5 replicas to 50 and back", 5, 500, Event::Scale),
    local("the cluster loses half of them, which serve on", 50, 500, Event::Part),
];

/// A store counts.
pub(crate) const WITH_STORE: &[Scenario] = &[
    stored("all fifty are replaced", 50, Event::RollOut, Fault::None),
    stored("5 replicas become 50 and 5 again", 5, Event::Scale, Fault::None),
    stored("away for a minute", 50, Event::Nothing, Fault::Away(60_000)),
    stored("half of the replicas do not reach it for a minute", 50, Event::Nothing, Fault::Half(60_000)),
    stored("a failover loses the last second", 50, Event::Nothing, Fault::Failover { lost: 1_000, clock: 0 }),
    stored(
        "one that also sets its clock back by 5 seconds",
        50,
        Event::Nothing,
        Fault::Failover { lost: 1_000, clock: -5_000 },
    ),
    stored(
        "one that sets its clock forward by 5 seconds",
        50,
        Event::Nothing,
        Fault::Failover { lost: 1_000, clock: 5_000 },
    ),
    stored("it starts again with nothing", 50, Event::Nothing, Fault::Empty),
];

impl Scenario {
    /// The worst window, whenever the caller begins.
    pub(crate) fn run(&self, mode: Option<OnFailure>) -> Worst {
        BEGINS.into_iter().map(|begins| self.run_from(mode, begins)).max_by_key(|worst| worst.percent()).unwrap()
    }

    fn run_from(&self, mode: Option<OnFailure>, begins: u64) -> Worst {
        let mut chance = Chance(42);
        let mut cluster = Cluster::new(self.replicas, self.drift, &mut chance);
        let mut store = mode.map(|mode| (mode, Store::new(whole(), self.fault, HAPPENS)));
        let mut passed = Passed::new(REQUESTS);
        for now in (0..END).step_by(usize::try_from(STEP).unwrap()) {
            self.happen(now, &mut cluster);
            cluster.advance(now, &mut chance);
            if let Some((_, store)) = &mut store {
                store.advance(now);
            }
            let mut admitted = 0;
            for (number, member) in cluster.members.iter_mut().enumerate() {
                member.replica.advance(now, Duration::from_millis(STEP));
                if now >= begins && member.serves(now) {
                    admitted += calls(number, &member.replica, &mut store, now, &mut passed);
                }
            }
            passed.note(now, admitted);
        }
        passed.worst()
    }

    fn happen(&self, now: u64, cluster: &mut Cluster) {
        let (first, second) = (now == HAPPENS, now == AGAIN);
        match self.event {
            Event::RollOut if first => cluster.roll_out(),
            Event::Part if first => cluster.part(now),
            Event::Restart if first => cluster.members.iter_mut().for_each(|member| member.replica.restart()),
            Event::Crash if first || second => cluster.crash(now, first),
            Event::Scale if first || second => cluster.scale(if first { 50 } else { 5 }),
            Event::Flap if now >= HAPPENS && now.is_multiple_of(10_000) => {
                cluster.flap(now, now.is_multiple_of(20_000));
            }
            Event::Nothing
            | Event::RollOut
            | Event::Part
            | Event::Restart
            | Event::Crash
            | Event::Scale
            | Event::Flap => {}
        }
    }
}

/// Calls a replica until it lets nothing through.
fn calls(
    number: usize,
    replica: &crate::replica::Replica,
    store: &mut Option<(OnFailure, Store)>,
    now: u64,
    passed: &mut Passed,
) -> u64 {
    let count = |admits: &mut dyn FnMut() -> bool| {
        let mut admitted = 0;
        while admits() {
            admitted += 1;
        }
        admitted
    };
    match store {
        None => count(&mut || replica.admits()),
        Some((_, store)) if store.answers(now, number) => count(&mut || store.admits(now)),
        Some((OnFailure::Local, _)) => count(&mut || replica.admits()),
        Some((OnFailure::Deny, _)) => 0,
        Some((OnFailure::Allow, _)) => {
            passed.uncounted();
            UNCOUNTED
        }
    }
}
