//! Pods as a Deployment makes them, and the operator that counts them by its own code.

use crate::chance::Chance;
use crate::replica::Replica;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Pod, PodCondition, PodStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use std::num::NonZeroU32;
use std::sync::Arc;
use tollward_operator::sharing::{Seen, Sharing};

/// How long a new pod takes until it is ready, in milliseconds.
const STARTS: (u64, u64) = (3_000, 12_000);
/// How long one takes to end: calls come as long.
const ENDS: (u64, u64) = (1_000, 10_000);
/// How long a changed configuration takes to a replica.
const ARRIVES: (u64, u64) = (500, 3_000);
/// Until the cluster sees that a node is lost.
const LOST: u64 = 40_000;

/// A pod with its replica.
pub(crate) struct Member {
    pub(crate) replica: Replica,
    made: u64,
    ready: u64,
    ends: Option<u64>,
    /// Since when it is not ready although it serves, or because it crashed.
    unready: Option<u64>,
    /// Whether it gets calls and news.
    pub(crate) crashed: bool,
    cut_off: bool,
    old: bool,
}

/// All pods of a server.
pub(crate) struct Cluster {
    pub(crate) members: Vec<Member>,
    wanted: u32,
    told: u32,
    sharing: Sharing,
    number: NonZeroU32,
    looks: u64,
    drift: i64,
}

fn count(replicas: usize) -> u32 {
    u32::try_from(replicas).unwrap()
}

fn time(now: u64) -> Timestamp {
    Timestamp::from_millisecond(1_800_000_000_000 + i64::try_from(now).unwrap()).unwrap()
}

impl Member {
    fn is_ready(&self, now: u64) -> bool {
        now >= self.ready && self.unready.is_none_or(|since| now < since)
    }

    /// Whether calls come to it.
    pub(crate) fn serves(&self, now: u64) -> bool {
        now >= self.ready && !self.crashed
    }

    fn pod(&self, now: u64) -> Arc<Pod> {
        let status = if self.is_ready(now) { "True" } else { "False" };
        let ready = PodCondition { type_: "Ready".into(), status: status.into(), ..PodCondition::default() };
        let metadata = ObjectMeta {
            creation_timestamp: Some(Time(time(self.made))),
            deletion_timestamp: self.ends.map(|_| Time(time(now))),
            ..ObjectMeta::default()
        };
        let status = PodStatus { conditions: Some(vec![ready]), ..PodStatus::default() };
        Arc::new(Pod { metadata, spec: None, status: Some(status) })
    }
}

impl Cluster {
    /// That many replicas, which run for long; clocks differ by up to `drift` millionths.
    pub(crate) fn new(wanted: u32, drift: i64, chance: &mut Chance) -> Self {
        let number = NonZeroU32::new(wanted).unwrap();
        let sharing = Sharing::default();
        let mut cluster = Self { members: Vec::new(), wanted, told: wanted, sharing, number, looks: 0, drift };
        for _ in 0..wanted {
            let member = cluster.make(0, chance);
            cluster.members.push(Member { ready: 0, ..member });
        }
        cluster
    }

    fn make(&self, now: u64, chance: &mut Chance) -> Member {
        let spread = u64::try_from(self.drift * 2).unwrap();
        let drift = i64::try_from(chance.between(0, spread)).unwrap() - self.drift;
        Member {
            replica: Replica::new(self.number, drift),
            made: now,
            ready: now + chance.between(STARTS.0, STARTS.1),
            ends: None,
            unready: None,
            crashed: false,
            cut_off: false,
            old: false,
        }
    }

    /// The specification wants another number.
    pub(crate) fn scale(&mut self, wanted: u32) {
        self.wanted = wanted;
        self.looks = 0;
    }

    /// Every pod is to be replaced.
    pub(crate) fn roll_out(&mut self) {
        for member in &mut self.members {
            member.old = true;
        }
    }

    /// Every second replica crashes, or comes back.
    pub(crate) fn crash(&mut self, now: u64, crashed: bool) {
        for member in self.members.iter_mut().step_by(2) {
            member.crashed = crashed;
            member.unready = crashed.then_some(now);
            if !crashed {
                member.replica.restart();
            }
        }
    }

    /// Every third replica is not ready, or ready again; calls come to it all the same, over connections that are open.
    pub(crate) fn flap(&mut self, now: u64, unready: bool) {
        for member in self.members.iter_mut().step_by(3) {
            member.unready = unready.then_some(now);
        }
    }

    /// The cluster loses every second replica, which serves on.
    pub(crate) fn part(&mut self, now: u64) {
        for member in self.members.iter_mut().step_by(2) {
            member.cut_off = true;
            member.unready = Some(now + LOST);
        }
    }

    /// Controllers and operator do what they do in a step of time.
    pub(crate) fn advance(&mut self, now: u64, chance: &mut Chance) {
        self.members.retain(|member| member.ends.is_none_or(|end| now < end));
        if now >= self.looks {
            self.look(now, chance);
            self.looks = now + chance.between(500, 1_500);
        }
        self.control(now, chance);
    }

    /// The operator's look: it counts, writes the configuration and then the Deployment.
    fn look(&mut self, now: u64, chance: &mut Chance) {
        let pods: Vec<_> = self.members.iter().map(|member| member.pod(now)).collect();
        let untold = (self.told != self.wanted).then_some(self.wanted);
        let number = self.sharing.settle("uid", self.number, Seen::of(&pods, untold, time(now)), time(now));
        if number != self.number {
            self.number = number;
            for member in self.members.iter_mut().filter(|member| !member.cut_off) {
                member.replica.tell(now + chance.between(ARRIVES.0, ARRIVES.1), number);
            }
        }
        self.told = self.wanted;
    }

    /// A Deployment with a quarter more, and a quarter less, at once.
    fn control(&mut self, now: u64, chance: &mut Chance) {
        let (most, least) = (self.told + self.told.div_ceil(4), self.told - self.told / 4);
        let staying = count(self.members.iter().filter(|member| member.ends.is_none()).count());
        let fresh = count(self.members.iter().filter(|member| member.ends.is_none() && !member.old).count());
        for _ in 0..self.told.saturating_sub(fresh).min(most.saturating_sub(staying)) {
            let member = self.make(now, chance);
            self.members.push(member);
        }
        let ready = count(self.members.iter().filter(|it| it.ends.is_none() && it.is_ready(now)).count());
        let old = self.members.iter_mut().filter(|member| member.ends.is_none() && member.old);
        for member in old.take(usize::try_from(ready.saturating_sub(least)).unwrap()) {
            member.ends = Some(now + chance.between(ENDS.0, ENDS.1));
        }
        let more = usize::try_from(fresh.saturating_sub(self.told)).unwrap();
        for member in self.members.iter_mut().filter(|member| member.ends.is_none()).take(more) {
            member.ends = Some(now + chance.between(ENDS.0, ENDS.1));
        }
    }
}
