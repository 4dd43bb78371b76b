//! `cargo xtask bench limits`: what a limit for each caller adds to a call, at the sidecar and at `HAProxy` with a stick table,
//! on the same core and against the same bare MCP server. Both have to prove that they count before anything is measured. Once
//! more with the sidecar's limits in Redis, which shares the core of the load: what that costs is in the requests a second.
//!
//! The differences between a program's own rows are what is to be compared: without a limit the sidecar verifies who calls
//! and what, and records it, while `HAProxy` passes bytes on.

use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

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
use super::{Effort, alone, empty, store};
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
    let (unlimited, unlimited_at) = another(rig, "unlimited", folder, "/routes/0/rateLimits", json!([]))?;
    let (_redis, store) = store::start(rig.cores, folder)?;
    // Where what the store did not count is refused, an answer of 200 was counted there.
    let store =
        json!({"url": format!("redis://{store}"), "mode": "Standalone", "onFailure": "Deny", "deadlineMillis": 1000});
    let (shared, shared_at) = another(rig, "shared", folder, "/routes/0/rateLimits/0/store", store)?;
    let haproxy = Haproxy::start(rig.addresses.upstream, rig.cores, folder)?;
    for address in [rig.addresses.public, shared_at] {
        says_its_limits(address, issuer)?;
    }
    refuses_the_sixth(&haproxy, issuer)?;
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
        ("sidecar, the same limits in Redis on loopback", at(shared_at, &shared)),
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

/// Another sidecar, with another value at this place of its configuration.
fn another(rig: &Rig, name: &str, folder: &Path, place: &str, value: Value) -> Result<(Running, SocketAddr)> {
    let addresses = Addresses { public: free_address()?, observe: free_address()?, ..rig.addresses };
    let mut document = document(addresses);
    *document.pointer_mut(place).with_context(|| format!("the configuration has no {place}"))? = value;
    let folder = folder.join(name);
    empty(&folder)?;
    let sidecar = start_sidecar(&rig.programs, rig.cores, &document, addresses.observe, &folder)?;
    Ok((sidecar, addresses.public))
}

/// A limit that refuses nobody costs little if it counts nothing.
fn says_its_limits(address: SocketAddr, issuer: &Issuer) -> Result<()> {
    let call = message::modern(TOOL, issuer.rsa.first().map(String::as_str));
    let mut connection = Connection::open(address).context("the sidecar does not listen")?;
    let answer = connection.exchange(&call).context("the sidecar did not answer")?;
    if answer.status != 200 || answer.header("ratelimit").is_none() {
        bail!("the sidecar's answer ({}) does not say how its limits stand, so nothing was measured", answer.status);
    }
    Ok(())
}

/// The same of `HAProxy`, which says nothing: its low limit has to refuse, and only whoever called too often.
fn refuses_the_sixth(haproxy: &Haproxy, issuer: &Issuer) -> Result<()> {
    let call = message::modern(TOOL, issuer.rsa.first().map(String::as_str));
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
