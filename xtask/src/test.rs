//! `cargo xtask test`: installs what the suites need, builds all tests once, runs the suites, and sums up.

mod artefacts;
mod context;
mod execute;
mod libtest;
mod log;
mod needs;
mod report;
mod suites;

use std::path::Path;
use std::time::Instant;

use anyhow::{Result, anyhow, bail};

use crate::cluster::{self, smoke};
use crate::kubernetes::Choice;
use crate::{say, workspace};
use artefacts::Executable;
use execute::Bench;
use libtest::Counts;
use needs::Needs;
use report::Report;
use suites::{Suite, Tests};

/// Arguments of `cargo xtask test`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  cargo xtask test                              what a change must pass\n  \
                        cargo xtask test --all                        what continuous integration runs\n  \
                        cargo xtask test --suite lint unit            two suites alone\n  \
                        cargo xtask test --suite unit --package xtask one crate's own tests\n  \
                        cargo xtask test --suite e2e --context kind-mine --registry registry.example.com/tollward\n\n\
                        With --context the suite e2e runs as a pod in that cluster, as its administrator, in namespaces of its\n\
                        own (`shop`, `tollward-system`, `tollward-tests`, `e2e-...`), and removes them again. It refuses to start\n\
                        where Tollward or one of them is there already. Tests that reach into the node itself are left out.\n\n\
                        Logs are in target/xtask/logs. Slow things are built once into $TOLLWARD_CACHE, by default\n\
                        ~/.cache/tollward.")]
pub(crate) struct Args {
    /// Also run the suites that need a cluster node or a big download
    #[arg(long)]
    all: bool,
    /// Run only these suites
    #[arg(long, value_name = "NAME", num_args = 1..)]
    suite: Vec<String>,
    /// Look only at these packages
    #[arg(long, value_name = "NAME", num_args = 1..)]
    package: Vec<String>,
    #[command(flatten)]
    choice: Choice,
}

/// Runs the suites; returns whether all of them passed.
pub(crate) fn run(args: &Args) -> Result<bool> {
    let started = Instant::now();
    let suites = suites::chosen(&args.suite, args.all)?;
    let logs = workspace::scratch()?.join("logs");
    if args.choice.context.is_some() && suites.iter().any(|suite| !suite.is_in_cluster()) {
        bail!("--context is for the suite that runs in a cluster: add --suite e2e");
    }
    let mut needs = Needs::start(suites.iter().flat_map(|suite| suite.needs(&args.choice)).copied());
    let mut report = Report::default();
    let mut built: Option<Result<Vec<Executable>>> = None;
    for suite in suites {
        say::line(format!("==== {}: {}", suite.name, suite.about));
        let began = Instant::now();
        let counts = run_suite(suite, args, &logs, &mut needs, &mut built).unwrap_or_else(|error| {
            say::line(format!("FAILED: {}: {error:#}", suite.name));
            Counts::ONE_FAILED
        });
        report.add(suite.name, counts, began.elapsed());
    }
    say::line(format!("\nall suites took {}\n\n{}", say::elapsed(started.elapsed()), report.text()));
    Ok(report.is_success())
}

fn run_suite(
    suite: &Suite,
    args: &Args,
    logs: &Path,
    needs: &mut Needs,
    built: &mut Option<Result<Vec<Executable>>>,
) -> Result<Counts> {
    if let Tests::Checks(checks) = suite.tests {
        let environment = needs.wait(suite.name, suite.needs(&args.choice))?;
        return Ok(execute::bench(logs, suite.name, environment)?.checks(checks, &args.package));
    }
    // Before waiting for the needs, so that both happen at the same time.
    let built = built
        .get_or_insert_with(|| artefacts::build(&args.package, logs))
        .as_ref()
        .map_err(|error| anyhow!("{error:#}"))?;
    let mut bench = execute::bench(logs, suite.name, needs.wait(suite.name, suite.needs(&args.choice))?)?;
    let executables = suites::executables(&suite.tests, built);
    if args.choice.context.is_some() {
        return context::run(&mut bench, &executables, &args.choice);
    }
    let mut counts = if suite.is_in_cluster() {
        cluster::down(smoke::NAME)?;
        cluster::up(smoke::NAME)?;
        let counts = run_all(&mut bench, &executables, Some(smoke::NAME));
        cluster::down(smoke::NAME)?;
        counts?
    } else {
        run_all(&mut bench, &executables, None)?
    };
    if matches!(suite.tests, Tests::Crates) {
        counts += bench.documentation(&args.package)?;
    }
    Ok(counts)
}

fn run_all(bench: &mut Bench, executables: &[&Executable], cluster: Option<&str>) -> Result<Counts> {
    let mut counts = Counts::NONE;
    for executable in executables {
        counts += bench.executable(executable, cluster)?;
    }
    Ok(counts)
}
