//! Resident memory of the sidecar: idle, with the tokens of a thousand callers, with a thousand
//! connections that stay open, and with a thousand that are busy.

use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use super::super::answer::Connection;
use super::super::message::{self, TOOL};
use super::prepare::Issuer;
use super::rig::Rig;
use super::sample::load;
use super::scenario::Scenario;

const CONNECTIONS: u32 = 1_000;
/// How long the busy ones are busy.
const SECONDS: u32 = 3;

/// Mebibytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Memory {
    /// After the start, when it is ready.
    pub(super) idle: f64,
    /// With the verified tokens of a thousand callers.
    pub(super) remembered: f64,
    /// With these and connections that have had one answer each.
    pub(super) open: f64,
    /// The most with connections that send one request after the other.
    pub(super) busy: f64,
}

/// Lets a token of every caller be verified, on one connection.
pub(super) fn with_remembered_tokens(rig: &Rig, issuer: &Issuer) -> Result<f64> {
    let mut connection = Connection::open(rig.addresses.public).context("the sidecar does not listen")?;
    for token in &issuer.rsa {
        let status = connection.exchange(&message::modern(TOOL, Some(token)))?.status;
        if status != 200 {
            bail!("a call with a good token was answered by {status}");
        }
    }
    rig.sidecar.resident_mebibytes()
}

/// Opens connections, lets each be answered once, and looks while all are open.
pub(super) fn with_open_connections(rig: &Rig, issuer: &Issuer) -> Result<f64> {
    let mut open = Vec::new();
    for token in issuer.rsa.iter().cycle().take(CONNECTIONS as usize) {
        let mut connection = Connection::open(rig.addresses.public)
            .with_context(|| format!("connection {} could not be opened", open.len() + 1))?;
        let status = connection.exchange(&message::modern(TOOL, Some(token)))?.status;
        if status != 200 {
            bail!("a call on connection {} was answered by {status}", open.len() + 1);
        }
        open.push(connection);
    }
    rig.sidecar.resident_mebibytes()
}

/// Looks while the load runs.
pub(super) fn with_busy_connections(rig: &Rig, scenario: &Scenario) -> Result<f64> {
    thread::scope(|scope| {
        let running = scope.spawn(|| load(rig, rig.addresses.public, scenario, CONNECTIONS, SECONDS));
        let mut most = 0.0_f64;
        while !running.is_finished() {
            most = most.max(rig.sidecar.resident_mebibytes()?);
            thread::sleep(Duration::from_millis(50));
        }
        match running.join() {
            Ok(measured) => measured.map(|_| most),
            Err(_) => bail!("the thread that waits for the load panicked"),
        }
    })
}
