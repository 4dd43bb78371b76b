//! The real binary as a process of its own. It is built by `cargo build`, not by the tests.

use crate::deadline::DEADLINE;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// Where the binary is: beside the directory of the test executables.
fn binary() -> PathBuf {
    let executable = std::env::current_exe().expect("a test knows its own executable");
    let folder = executable.parent().and_then(Path::parent).expect("tests are built into target/PROFILE/deps");
    let binary = folder.join("tollward-sidecar");
    let hint = "build it first: cargo build -p tollward-sidecar";
    assert!(binary.is_file(), "{} is missing; {hint}", binary.display());
    binary
}

/// A command of the binary, without the environment's own settings of telemetry.
fn command() -> Command {
    let mut command = Command::new(binary());
    command.env_clear().stdin(Stdio::null());
    command
}

/// What `tollward-sidecar check-config FILE` says.
pub fn check_config(file: &Path) -> Output {
    command().arg("check-config").arg(file).output().expect("the binary runs")
}

/// A running process. It is killed when it is dropped.
pub struct Program {
    child: Owned,
    log: Receiver<String>,
    /// Where clients connect.
    pub public: SocketAddr,
    /// Where probes connect.
    pub observe: SocketAddr,
}

impl Program {
    /// Runs `tollward-sidecar run --config FILE` and waits until it serves.
    pub fn start(config: &Path) -> Self {
        Self::start_with(config, &[])
    }

    /// Like [`Self::start`], with these variables.
    pub fn start_with(config: &Path, environment: &[(String, String)]) -> Self {
        let mut command = command();
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        command.arg("run").arg("--config").arg(config).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = Owned(command.spawn().expect("the binary runs"));
        let log = lines(child.0.stderr.take().expect("standard error is a pipe"));
        let end = Instant::now() + DEADLINE;
        let mut seen = Vec::new();
        while let Ok(line) = log.recv_timeout(end.saturating_duration_since(Instant::now())) {
            if let Some((public, observe)) = addresses(&line) {
                return Self { child, log, public, observe };
            }
            seen.push(line);
        }
        panic!("tollward-sidecar does not serve: {seen:#?}");
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        kill_process(Pid::from_child(&self.child.0), Signal::TERM).expect("the process is there");
    }

    /// How it ended, and the rest of its log.
    pub fn wait(mut self) -> (ExitStatus, Vec<String>) {
        let end = Instant::now() + DEADLINE;
        let mut log = Vec::new();
        // The log ends with the process.
        while let Ok(line) = self.log.recv_timeout(end.saturating_duration_since(Instant::now())) {
            log.push(line);
        }
        assert!(Instant::now() < end, "tollward-sidecar does not end: {log:#?}");
        (self.child.0.wait().expect("an own child"), log)
    }

    /// Lines of the log that came since the last look.
    pub fn log(&self) -> Vec<String> {
        let mut lines = Vec::new();
        while let Ok(line) = self.log.recv_timeout(Duration::ZERO) {
            lines.push(line);
        }
        lines
    }
}

/// A child that does not outlive the test.
struct Owned(Child);

impl Drop for Owned {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn lines(stderr: ChildStderr) -> Receiver<String> {
    let (lines_tx, lines_rx) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            if lines_tx.send(line).is_err() {
                return;
            }
        }
    });
    lines_rx
}

/// The addresses in the line that says `serving`.
fn addresses(line: &str) -> Option<(SocketAddr, SocketAddr)> {
    let line: Value = serde_json::from_str(line).ok()?;
    let address = |name: &str| line.get(name)?.as_str()?.parse().ok();
    (line.get("message")? == "serving").then_some((address("public")?, address("observe")?))
}
