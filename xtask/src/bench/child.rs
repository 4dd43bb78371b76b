//! A process of a benchmark: on a core of its own, measured by its process id, and gone when the benchmark is, however it
//! ends.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use super::machine;
use crate::process;

/// A running process. Dropping it ends it.
#[derive(Debug)]
pub(super) struct Running {
    child: Child,
    name: &'static str,
}

/// A command that runs `program` on this core alone and does not outlive us. Both tools replace themselves by the next,
/// so that the process id is the program's.
pub(super) fn pinned(core: usize, program: &Path) -> Result<Command> {
    let hint = "it comes with util-linux";
    let mut command = Command::new(process::require("setpriv", hint)?);
    command.args(["--pdeathsig", "KILL", "--"]).arg(process::require("taskset", hint)?);
    command.arg("--cpu-list").arg(core.to_string()).arg(program).stdin(Stdio::null());
    Ok(command)
}

impl Running {
    /// Starts a command of [`pinned`]; what it prints goes into `log`.
    pub(super) fn start(name: &'static str, command: &mut Command, log: &Path) -> Result<Self> {
        let output = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        let errors = output.try_clone().context("cannot share a log file")?;
        let child = command
            .stdout(output)
            .stderr(errors)
            .spawn()
            .with_context(|| format!("cannot start `{}`", process::describe(command)))?;
        Ok(Self { child, name })
    }

    /// Fails if it has ended.
    pub(super) fn must_run(&mut self) -> Result<()> {
        match self.child.try_wait().with_context(|| format!("cannot look after {}", self.name))? {
            None => Ok(()),
            Some(status) => bail!("{} ended with {status}", self.name),
        }
    }

    pub(super) fn processor_time(&self) -> Result<Duration> {
        machine::processor_time(self.child.id())
    }

    pub(super) fn resident_mebibytes(&self) -> Result<f64> {
        machine::resident_mebibytes(self.child.id())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself, and there is nobody to tell.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_ends_with_its_owner() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let core = machine::Cores::of_this_machine().map_or(0, |cores| cores.subject);
        let mut command = pinned(core, Path::new("sleep")).expect("util-linux");
        let mut running =
            Running::start("sleep", command.arg("600"), &folder.path().join("log")).expect("sleep starts");
        running.must_run().expect("it runs");
        let own = format!("/proc/{}", running.child.id());
        assert!(Path::new(&own).exists());
        drop(running);
        assert!(!Path::new(&own).exists());
    }

    #[test]
    fn the_end_of_a_process_is_reported_with_its_name() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut running =
            Running::start("the shell", Command::new("sh").args(["-c", "exit 3"]), &folder.path().join("log"))
                .expect("sh starts");
        running.child.wait().expect("it ends");
        let error = running.must_run().expect_err("it ended").to_string();
        assert!(error.contains("the shell ended with"), "{error}");
    }
}
