//! `cargo xtask bench sidecar`: requests a second, time and processor time of a call through the sidecar against the bare
//! MCP server, and the sidecar's memory. Everything that the sidecar does by default is on, and it has to prove that it
//! refuses before anything is measured: a proxy that checks nothing is fast.

mod configuration;
mod haproxy;
pub(super) mod limits;
mod memory;
mod prepare;
mod proof;
mod report;
mod rig;
mod sample;
mod scenario;
mod store;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::machine::{self, Cores};
use crate::{cache, packages, process, say, workspace};
use prepare::Issuer;
use report::Report;
use rig::{Programs, Rig};
use scenario::Target;

/// Arguments of `cargo xtask bench sidecar`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    effort: Effort,
    /// Also write every sample to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// How much is measured.
#[derive(Debug, Clone, Copy, clap::Args)]
struct Effort {
    /// Length of each measurement
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=600))]
    seconds: u32,
    /// How often each is taken, in turn with all others
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
}

pub(super) fn run(args: &Args) -> Result<()> {
    alone(|rig, issuer, folder| measure(args, rig, issuer, folder))
}

/// Measures with both servers and an empty folder, while no other benchmark runs on the machine.
fn alone(measure: impl FnOnce(Rig, &Issuer, &Path) -> Result<()>) -> Result<()> {
    let scratch = workspace::scratch()?;
    cache::locked(&scratch.join("bench.lock"), "bench", || {
        let folder = scratch.join("bench");
        let cores = Cores::of_this_machine()?;
        machine::raise_open_files()?;
        packages::install(packages::BENCH)?;
        let programs = build()?;
        empty(&folder)?;
        say::note("  making keys and tokens");
        let issuer = prepare::issuer(&folder)?;
        let rig = Rig::start(programs, cores, &issuer, &folder)?;
        proof::refuses_and_allows(&rig, &issuer)?;
        say::note("  the sidecar refuses what it must");
        measure(rig, &issuer, &folder)
    })
}

fn measure(args: &Args, mut rig: Rig, issuer: &Issuer, folder: &Path) -> Result<()> {
    let Effort { seconds, rounds } = args.effort;
    let idle = rig.sidecar.resident_mebibytes()?;
    let remembered = memory::with_remembered_tokens(&rig, issuer)?;
    let open = memory::with_open_connections(&rig, issuer)?;
    let scenarios = scenario::all(&rig, issuer, folder)?;
    let mut report = Report::new(seconds, rounds);
    for round in 0..rounds {
        for scenario in &scenarios {
            // The order alternates, so that a machine that slows down favours neither.
            let first_to_last = [Target::Bare, Target::Sidecar];
            let last_to_first = [Target::Sidecar, Target::Bare];
            for target in if round.is_multiple_of(2) { first_to_last } else { last_to_first } {
                if target == Target::Sidecar || scenario.also_bare {
                    report.add(sample::take(&rig, sample::Subject::of(&rig, target), scenario, seconds)?);
                    rig.must_run()?;
                }
            }
        }
        say::note(format!("  round {} of {rounds} is done", round + 1));
    }
    let busy = scenarios.first().map(|scenario| memory::with_busy_connections(&rig, scenario)).transpose()?;
    let memory = memory::Memory { idle, remembered, open, busy: busy.unwrap_or(open) };
    say::line(report.table(&memory));
    match &args.json {
        Some(file) => {
            fs::write(file, report.json(&memory)?).with_context(|| format!("cannot write {}", file.display()))
        }
        None => Ok(()),
    }
}

/// The sidecar as it is shipped, and this program in release mode for the load and the bare server. One call each: built
/// together they would get each other's features of what both depend on.
fn build() -> Result<Programs> {
    let root = workspace::root()?;
    for package in ["tollward-sidecar", "xtask"] {
        process::succeed(workspace::cargo(&root).args(["build", "--release", "--package", package]))?;
    }
    let folder = workspace::target()?.join("release");
    Ok(Programs { sidecar: folder.join("tollward-sidecar"), own: folder.join("xtask") })
}

/// An empty folder, whatever an aborted run left in it.
fn empty(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))
}
