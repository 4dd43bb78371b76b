//! `cargo xtask bench limits`: what a limit for each caller adds to a call, at the sidecar and at `HAProxy` with a stick table,
//! on the same core and against the same bare MCP server. Both have to prove that they count before anything is measured.
//!
//! The difference between a program's own two rows is what is to be compared: without a limit the sidecar verifies who calls
//! and what, and records it, while `HAProxy` passes bytes on.

use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use super::super::answer::Connection;
use super::super::child::Running;
use super::super::figures::Spread;
use super::super::message::{self, SEPARATOR, TOOL};
use super::configuration::{Addresses, document};
use super::haproxy::{FEW, Haproxy};
use super::prepare::Issuer;
use super::rig::{Rig, free_address, start_sidecar};
use super::sample::{self, Sample, Subject};
use super::scenario::{Scenario, Target};
use super::{Effort, alone, empty};
use crate::say;

/// Arguments of `cargo xtask bench limits`.
#[derive(Debug, clap::Args)]
pub(in crate::bench) struct Args {
    #[command(flatten)]
    effort: Effort,
}

pub(in crate::bench) fn run(args: &Args) -> Result<()> {
    alone(|rig, issuer, folder| measure(args.effort, &rig, issuer, folder))
}

fn measure(Effort { seconds, rounds }: Effort, rig: &Rig, issuer: &Issuer, folder: &Path) -> Result<()> {
    let (unlimited, unlimited_at) = unlimited(rig, folder)?;
    let haproxy = Haproxy::start(rig.addresses.upstream, rig.cores, folder)?;
    both_count(rig, &haproxy, issuer)?;
    say::note("  both limit what they must; measuring");
    let requests = folder.join("limits.requests");
    let calls: Vec<_> = issuer.rsa.iter().map(|token| message::modern(TOOL, Some(token))).collect();
    fs::write(&requests, calls.join(&SEPARATOR)).with_context(|| format!("cannot write {}", requests.display()))?;
    let scenario = |name| Scenario { name, requests: requests.clone(), rate: None, also_bare: false };
    let at = |address, process| Subject { target: Target::Sidecar, address, process };
    let rows = [
        ("HAProxy, no limit", at(haproxy.plain, &haproxy.process)),
        ("HAProxy, a stick table by token", at(haproxy.limited, &haproxy.process)),
        ("sidecar, no limit", at(unlimited_at, &unlimited)),
        ("sidecar, limits by client and by client and tool", Subject::of(rig, Target::Sidecar)),
    ];
    let mut samples: Vec<Vec<Sample>> = vec![Vec::new(); rows.len()];
    for round in 0..rounds {
        for (taken, (name, subject)) in samples.iter_mut().zip(rows) {
            taken.push(sample::take(rig, subject, &scenario(name), seconds)?);
        }
        say::note(format!("  round {} of {rounds} is done", round + 1));
    }
    say::line(table(&samples));
    Ok(())
}

/// A second sidecar, which is told of no limit.
fn unlimited(rig: &Rig, folder: &Path) -> Result<(Running, SocketAddr)> {
    let addresses = Addresses { public: free_address()?, observe: free_address()?, ..rig.addresses };
    let mut document = document(addresses);
    let limits = document.pointer_mut("/routes/0/rateLimits").context("the configuration has limits")?;
    *limits = serde_json::json!([]);
    let folder = folder.join("unlimited");
    empty(&folder)?;
    let sidecar = start_sidecar(&rig.programs, rig.cores, &document, addresses.observe, &folder)?;
    Ok((sidecar, addresses.public))
}

/// A limit that refuses nobody costs little if it counts nothing.
fn both_count(rig: &Rig, haproxy: &Haproxy, issuer: &Issuer) -> Result<()> {
    let call = message::modern(TOOL, issuer.rsa.first().map(String::as_str));
    let mut connection = Connection::open(rig.addresses.public).context("the sidecar does not listen")?;
    let answer = connection.exchange(&call).context("the sidecar did not answer")?;
    if answer.header("ratelimit").is_none() {
        bail!("the sidecar's answer does not say how its limits stand, so nothing was measured");
    }
    let mut statuses = Vec::new();
    for _ in 0..=FEW {
        let mut connection = Connection::open(haproxy.strict).context("HAProxy does not listen")?;
        statuses.push(connection.exchange(&call).context("HAProxy did not answer")?.status);
    }
    let other = message::modern(TOOL, issuer.rsa.last().map(String::as_str));
    let mut connection = Connection::open(haproxy.strict).context("HAProxy does not listen")?;
    let of_another = connection.exchange(&other).context("HAProxy did not answer")?.status;
    if statuses.iter().filter(|status| **status == 200).count() != FEW as usize || of_another != 200 {
        bail!(
            "HAProxy was to let {FEW} calls of each caller through, so nothing was measured: {statuses:?}, {of_another}"
        );
    }
    Ok(())
}

/// Markdown, so that it can stand in the documentation as it is.
fn table(samples: &[Vec<Sample>]) -> String {
    let mut text =
        String::from("| answered by | requests/s | p50 ms | p99 ms | CPU µs/request |\n|---|---|---|---|---|\n");
    for row in samples {
        let spread = |value: fn(&Sample) -> f64| Spread::of(row.iter().map(value));
        let cells = [
            spread(|sample| sample.requests_per_second).map(|spread| format!("{spread:.0}")),
            spread(|sample| sample.p50_micros / 1e3).map(|spread| format!("{spread:.2}")),
            spread(|sample| sample.p99_micros / 1e3).map(|spread| format!("{spread:.2}")),
            spread(|sample| sample.processor_micros).map(|spread| format!("{spread:.1}")),
        ];
        let name = row.first().map_or("", |sample| sample.scenario);
        // Writing to a string cannot fail.
        let _ = writeln!(text, "| {name} | {} |", cells.map(Option::unwrap_or_default).join(" | "));
    }
    let others = samples.iter().flatten().map(|sample| sample.others).fold(0.0, f64::max);
    let _ = write!(text, "\nMedian (least to most); others used at most {others:.2} cores meanwhile.");
    text
}
