//! Proves that the cluster is one: what a test of Tollward relies on is tried here with foreign parts only, so that a
//! failure there is not blamed on Tollward, nor a failure of Tollward on the cluster.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::images::{self, Image};
use super::{components, layout::Layout};
use crate::process::Lines;
use crate::{process, workspace};

/// The cluster of the tests, beside which a developer's own goes on.
pub(crate) const NAME: &str = "test";

const IMAGE: &str = "tollward.test/busybox:1";

/// A node becomes ready, from nothing.
pub(crate) fn node(_packages: &[String], _each: Lines<'_>) -> Result<()> {
    super::down(NAME)?;
    super::up(NAME)
}

/// A pod with a sidecar and no privilege starts, and another pod reaches it through its service's name.
pub(crate) fn pods(_packages: &[String], _each: Lines<'_>) -> Result<()> {
    let cluster = super::running(NAME)?;
    let program = Path::new("/bin/busybox");
    images::install(&cluster.layout, &cluster.space, cluster.programs(), &Image { name: IMAGE, program })?;
    let manifest = workspace::root()?.join("tests/cluster/smoke.yaml").display().to_string();
    cluster.kubectl(&["apply", "-f", &manifest])?;
    cluster.until("the pod with a sidecar is ready", || {
        let path = "jsonpath={.status.conditions[?(@.type=='Ready')].status}";
        Ok(cluster.kubectl(&["get", "pod", "server", "-o", path])? == "True")
    })?;
    cluster.until("the other pod got an answer", || {
        let phase = cluster.kubectl(&["get", "pod", "client", "-o", "jsonpath={.status.phase}"])?;
        if phase == "Failed" {
            bail!("the client failed: {}", cluster.kubectl(&["logs", "client"])?);
        }
        Ok(phase == "Succeeded")
    })?;
    let answer = cluster.kubectl(&["logs", "client"])?;
    if !answer.contains("from the sidecar") {
        bail!("the client got another answer: {answer}");
    }
    let user = cluster.kubectl(&["exec", "server", "-c", "server", "--", "/busybox", "id", "-u"])?;
    if user != "65532" {
        bail!("the server runs as user {user}");
    }
    Ok(())
}

/// `up` replaces a daemon that ended.
pub(crate) fn repair(_packages: &[String], _each: Lines<'_>) -> Result<()> {
    let cluster = super::running(NAME)?;
    for component in [&components::KUBELET, &components::API_SERVER] {
        let script = "kill -9 \"$(cat \"$0\")\"";
        process::capture(cluster.space.command("sh").args(["-c", script]).arg(component.pid_file(&cluster.layout)))?;
    }
    super::up(NAME)
}

/// `down` leaves no process, mount, control group or file.
pub(crate) fn removal(_packages: &[String], _each: Lines<'_>) -> Result<()> {
    super::down(NAME)?;
    let layout = Layout::new(NAME)?;
    let root = layout.root().display().to_string();
    if super::running(NAME).is_ok() || layout.root().exists() {
        bail!("the cluster is still there");
    }
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    if let Some(mount) = mounts.lines().find(|line| line.contains(&root)) {
        bail!("a mount was left: {mount}");
    }
    // The last one waits for the kernel to take the network apart.
    let deadline = Instant::now() + Duration::from_secs(30);
    while let Some(command) = process_about(&root)? {
        if Instant::now() > deadline {
            bail!("a process was left: {command}");
        }
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// The command line of a process that has `text` in it.
fn process_about(text: &str) -> Result<Option<String>> {
    for entry in fs::read_dir("/proc")? {
        let command = fs::read(entry?.path().join("cmdline")).unwrap_or_default();
        let command = String::from_utf8_lossy(&command).replace('\0', " ");
        if command.contains(text) {
            return Ok(Some(command));
        }
    }
    Ok(None)
}
