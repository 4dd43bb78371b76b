//! The two servers under load: the bare MCP server, which also serves the issuer's keys, and the sidecar in front of it.

use std::env;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::super::answer::Connection;
use super::super::child::{Running, pinned};
use super::super::machine::Cores;
use super::super::message;
use super::configuration::{Addresses, document};
use super::prepare::Issuer;
use crate::process;

/// Time to start.
const PATIENCE: Duration = Duration::from_secs(20);

/// What was built.
#[derive(Debug)]
pub(super) struct Programs {
    pub(super) sidecar: PathBuf,
    pub(super) own: PathBuf,
}

/// Both servers, until it is dropped.
#[derive(Debug)]
pub(super) struct Rig {
    pub(super) programs: Programs,
    pub(super) cores: Cores,
    pub(super) upstream: Running,
    pub(super) sidecar: Running,
    pub(super) addresses: Addresses,
}

impl Rig {
    pub(super) fn start(programs: Programs, cores: Cores, issuer: &Issuer, folder: &Path) -> Result<Self> {
        let log = folder.join("upstream.log");
        let mut command = pinned(cores.load, &programs.own)?;
        command.args(["bench", "upstream", "--keys"]).arg(&issuer.keys);
        let mut upstream = Running::start("the bare MCP server", &mut command, &log)?;
        let address = until(&mut upstream, &log, || fs::read_to_string(&log).ok()?.lines().next()?.parse().ok())?;
        let addresses = Addresses { public: free_address()?, observe: free_address()?, upstream: address };
        let sidecar = start_sidecar(&programs, cores, &document(addresses), addresses.observe, folder)?;
        Ok(Self { programs, cores, upstream, sidecar, addresses })
    }

    /// Fails if one of them has ended.
    pub(super) fn must_run(&mut self) -> Result<()> {
        self.sidecar.must_run()?;
        self.upstream.must_run()
    }
}

/// A sidecar with this configuration, on its core.
pub(super) fn start_sidecar(
    programs: &Programs,
    cores: Cores,
    document: &Value,
    observe: SocketAddr,
    folder: &Path,
) -> Result<Running> {
    let (config, log) = (folder.join("config.json"), folder.join("sidecar.log"));
    fs::write(&config, document.to_string()).with_context(|| format!("cannot write {}", config.display()))?;
    process::capture(Command::new(&programs.sidecar).arg("check-config").arg(&config))?;
    let mut command = pinned(cores.subject, &programs.sidecar)?;
    command.args(["run", "--config"]).arg(&config);
    // No exporter by accident: records are made and counted, and nobody fetches them.
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("OTEL_")) {
        command.env_remove(name);
    }
    let mut sidecar = Running::start("the sidecar", &mut command, &log)?;
    let ready = || {
        let mut connection = Connection::open(observe).ok()?;
        connection.exchange(&message::probe("/readyz")).ok().filter(|answer| answer.status == 200).map(|_| ())
    };
    until(&mut sidecar, &log, ready)?;
    Ok(sidecar)
}

/// Waits for something that a process does soon after its start.
pub(super) fn until<T>(running: &mut Running, log: &Path, mut done: impl FnMut() -> Option<T>) -> Result<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = done() {
            return Ok(value);
        }
        running.must_run().with_context(|| format!("see {}", log.display()))?;
        if Instant::now() > deadline {
            bail!("a server was not ready after {PATIENCE:?}: see {}", log.display());
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// An address that nobody listens on right now.
pub(super) fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("cannot listen on loopback")?;
    listener.local_addr().context("a listener without address")
}
