//! A program that runs beside us and ends with us, however we end.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::process;

/// Ended when dropped.
#[derive(Debug)]
pub(crate) struct Background {
    child: Child,
    what: String,
}

impl Background {
    /// Starts it. Its complaints go to our standard error.
    pub(crate) fn start(command: Command) -> Result<Self> {
        let what = process::describe(&command);
        let mut command = bound(command);
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        Ok(Self { child: child.with_context(|| format!("cannot start `{what}`"))?, what })
    }

    /// What it prints, once.
    pub(crate) fn output(&mut self) -> Result<ChildStdout> {
        self.child.stdout.take().with_context(|| format!("the output of `{}` is taken already", self.what))
    }

    /// The first line that it prints; what follows is read and forgotten.
    pub(crate) fn first_line(&mut self, limit: Duration) -> Result<String> {
        let output = self.output()?;
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                // Only the first one is waited for.
                let _ = sender.send(line);
            }
        });
        match receiver.recv_timeout(limit) {
            Ok(line) => Ok(line),
            Err(_) => bail!("`{}` does not say that it works", self.what),
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The same command, ended by the kernel when the thread that starts it ends, where that can be had.
pub(crate) fn bound(command: Command) -> Command {
    let Some(setpriv) = process::find("setpriv") else { return command };
    let mut wrapped = Command::new(setpriv);
    wrapped.args(["--pdeathsig", "KILL"]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => wrapped.env(name, value),
            None => wrapped.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        wrapped.current_dir(folder);
    }
    wrapped
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn the_first_line_is_waited_for_and_the_program_ends_with_its_handle() {
        let mut running = Background::start(shell("echo \"pid $$\"; exec sleep 600")).expect("sh runs");
        let line = running.first_line(Duration::from_secs(20)).expect("a line");
        let process = format!("/proc/{}", line.strip_prefix("pid ").expect("the number of the process"));
        drop(running);
        assert!(!std::path::Path::new(&process).exists());
    }

    #[test]
    fn a_program_that_says_nothing_is_not_waited_for_longer_than_asked() {
        let started = Instant::now();
        let mut running = Background::start(shell("exit 1")).expect("sh runs");
        assert!(running.first_line(Duration::from_mins(10)).is_err());
        assert!(started.elapsed() < Duration::from_mins(1));
    }

    #[test]
    fn the_wrapped_command_keeps_folder_and_variables() {
        let mut command = shell("echo \"$PWD $GREETING\"");
        command.current_dir("/").env("GREETING", "hello");
        assert_eq!(process::capture(&mut bound(command)).expect("sh runs"), "/ hello");
    }
}
