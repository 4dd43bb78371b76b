//! One measurement: a warm-up, the load, and what the measured process and everybody else on the machine used meanwhile.

use std::net::SocketAddr;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::super::child::{Running, pinned};
use super::super::load::Measured;
use super::super::machine;
use super::rig::Rig;
use super::scenario::{Scenario, Target};
use crate::{process, say};

/// Connections that stay open.
const CONNECTIONS: u32 = 32;
/// Cores that others may use meanwhile; beyond, the measurement is repeated.
const DISTURBANCE: f64 = 0.2;
/// How often it is taken at most. The least disturbed counts.
const ATTEMPTS: u32 = 3;

/// How long a quiet moment is waited for before each.
const PATIENCE: Duration = Duration::from_secs(20);

/// A measurement.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    pub(super) scenario: &'static str,
    pub(super) target: Target,
    pub(super) requests_per_second: f64,
    pub(super) p50_micros: f64,
    pub(super) p99_micros: f64,
    /// Processor time of the answering process for each request.
    pub(super) processor_micros: f64,
    /// Cores that others used meanwhile.
    pub(super) others: f64,
}

/// What answers: where, and the process whose processor time counts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) target: Target,
    pub(super) address: SocketAddr,
    pub(super) process: &'a Running,
}

impl<'a> Subject<'a> {
    /// One of the rig's own two.
    pub(super) fn of(rig: &'a Rig, target: Target) -> Self {
        let (address, process) = match target {
            Target::Bare => (rig.addresses.upstream, &rig.upstream),
            Target::Sidecar => (rig.addresses.public, &rig.sidecar),
        };
        Self { target, address, process }
    }
}

/// Takes one, if need be again when the machine is quieter.
pub(super) fn take(rig: &Rig, subject: Subject<'_>, scenario: &Scenario, seconds: u32) -> Result<Sample> {
    let mut best: Option<Sample> = None;
    for _ in 0..ATTEMPTS {
        let sample = attempt(rig, subject, scenario, seconds)?;
        if best.is_none_or(|best| sample.others < best.others) {
            best = Some(sample);
        }
        if sample.others <= DISTURBANCE {
            break;
        }
        say::note(format!("  {}: others used {:.1} cores meanwhile", scenario.name, sample.others));
    }
    best.context("nothing was measured")
}

fn attempt(rig: &Rig, subject: Subject<'_>, scenario: &Scenario, seconds: u32) -> Result<Sample> {
    let Subject { target, address, process } = subject;
    wait_for_quiet()?;
    load(rig, address, scenario, CONNECTIONS, 1)?;
    let begun = Instant::now();
    let before = [machine::busy()?, process.processor_time()?, rig.upstream.processor_time()?];
    let measured = load(rig, address, scenario, CONNECTIONS, seconds)?;
    let after = [machine::busy()?, process.processor_time()?, rig.upstream.processor_time()?];
    let wall = begun.elapsed().as_secs_f64();
    let [busy, own, upstream] = used(before, after);
    let behind = match target {
        Target::Bare => 0.0,
        Target::Sidecar => upstream,
    };
    Ok(Sample {
        scenario: scenario.name,
        target,
        requests_per_second: measured.answered / measured.seconds,
        p50_micros: measured.p50_micros,
        p99_micros: measured.p99_micros,
        processor_micros: own / measured.answered * 1e6,
        others: ((busy - own - behind - measured.processor_seconds) / wall).max(0.0),
    })
}

/// Waits until nobody needs the cores: our own processes are idle meanwhile. On a machine that never is quiet, the figure
/// of what others used tells so.
fn wait_for_quiet() -> Result<()> {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        let (before, at) = (machine::busy()?, Instant::now());
        thread::sleep(Duration::from_millis(500));
        let busy = machine::busy()?.saturating_sub(before);
        if busy.as_secs_f64() / at.elapsed().as_secs_f64() <= DISTURBANCE {
            break;
        }
    }
    Ok(())
}

fn used(before: [Duration; 3], after: [Duration; 3]) -> [f64; 3] {
    let mut used = [0.0; 3];
    for (used, (before, after)) in used.iter_mut().zip(before.into_iter().zip(after)) {
        *used = after.saturating_sub(before).as_secs_f64();
    }
    used
}

/// Runs the load. A single call that is not answered by 200 makes all figures worthless.
pub(super) fn load(
    rig: &Rig,
    address: SocketAddr,
    scenario: &Scenario,
    connections: u32,
    seconds: u32,
) -> Result<Measured> {
    let mut command = pinned(rig.cores.load, Path::new(&rig.programs.own))?;
    command.args(["bench", "load", "--address", &address.to_string(), "--requests"]).arg(&scenario.requests);
    command.args(["--connections", &connections.to_string(), "--seconds", &seconds.to_string()]);
    if let Some(rate) = scenario.rate {
        command.args(["--rate", &rate.to_string()]);
    }
    let measured = Measured::read(&process::capture(&mut command)?)?;
    if measured.failed > 0.0 || measured.answered < 1.0 {
        let Measured { answered, failed, .. } = measured;
        bail!("{}, at {address}: {answered} calls were answered and {failed} failed", scenario.name);
    }
    Ok(measured)
}
