//! Running other programs: found with a hint when missing, named in every error, their lines streamed while they run.
//! Owns no knowledge of what is run.

use std::env;
use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// Where Debian and Go put programs that a user's `PATH` may lack.
const MORE_FOLDERS: [&str; 4] = ["/usr/sbin", "/sbin", "/usr/local/sbin", "/usr/local/go/bin"];

/// How long output may still arrive after a program's end, from children that it left behind with the pipe open.
const GRACE: Duration = Duration::from_secs(2);

/// Takes a program's output line by line.
pub(crate) type Lines<'a> = &'a mut dyn FnMut(&str);

/// Finds a program in `PATH` or in the usual folders of system programs.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(MORE_FOLDERS.iter().map(PathBuf::from))
        .map(|folder| folder.join(program))
        .find(|candidate| candidate.is_file())
}

/// Finds a program, or says what to install.
pub(crate) fn require(program: &str, hint: &str) -> Result<PathBuf> {
    find(program).with_context(|| format!("`{program}` is not installed: {hint}"))
}

/// `PATH` with `folder` in front.
pub(crate) fn path_with(folder: &Path) -> Result<std::ffi::OsString> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(folder.to_path_buf())
        .chain(env::split_paths(&path))
        .chain(MORE_FOLDERS.iter().map(PathBuf::from));
    env::join_paths(folders).context("a folder of PATH contains a colon")
}

/// The command as one would type it.
pub(crate) fn describe(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(OsStr::to_string_lossy)
        .collect::<Vec<_>>()
        .join(" ")
}

/// Runs with this terminal's input and output; anything but success is an error.
pub(crate) fn succeed(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start `{}`", describe(command)))?;
    if !status.success() {
        bail!("`{}` ended with {status}", describe(command));
    }
    Ok(())
}

/// Runs and returns standard output without surrounding space; an error carries what the program wrote about it.
pub(crate) fn capture(command: &mut Command) -> Result<String> {
    let output =
        command.stdin(Stdio::null()).output().with_context(|| format!("cannot start `{}`", describe(command)))?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        bail!("`{}` ended with {}: {}", describe(command), output.status, complaint.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Runs and hands every line of both outputs to `each` as it comes. `None` means that `limit` passed and the program
/// was killed.
pub(crate) fn stream(command: &mut Command, limit: Duration, mut each: impl FnMut(&str)) -> Result<Option<ExitStatus>> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{}`", describe(command)))?;
    let lines = lines_of(&mut child);
    let deadline = Instant::now() + limit;
    let mut ended: Option<(ExitStatus, Instant)> = None;
    loop {
        match lines.recv_timeout(Duration::from_millis(100)) {
            Ok(line) => each(&line),
            Err(RecvTimeoutError::Disconnected) if ended.is_some() => break,
            Err(RecvTimeoutError::Disconnected) => thread::sleep(Duration::from_millis(10)),
            Err(RecvTimeoutError::Timeout) => {}
        }
        if let Some((_, when)) = ended {
            if when.elapsed() > GRACE {
                break;
            }
        } else if let Some(status) = child.try_wait().context("cannot wait for a child process")? {
            ended = Some((status, Instant::now()));
        } else if Instant::now() > deadline {
            child.kill().context("cannot kill a child process that ran too long")?;
            child.wait().context("cannot wait for a killed child process")?;
            return Ok(None);
        }
    }
    Ok(ended.map(|(status, _)| status))
}

/// Both outputs of a child as one sequence of lines.
fn lines_of(child: &mut Child) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    if let Some(output) = child.stdout.take() {
        read_lines(output, sender.clone());
    }
    if let Some(output) = child.stderr.take() {
        read_lines(output, sender);
    }
    receiver
}

fn read_lines(output: impl Read + Send + 'static, sender: Sender<String>) {
    thread::spawn(move || {
        let mut reader = BufReader::new(output);
        let mut bytes = Vec::new();
        // An unreadable pipe and a reader that went away both end the stream.
        while reader.read_until(b'\n', &mut bytes).is_ok_and(|count| count > 0) {
            let line = String::from_utf8_lossy(&bytes).trim_end().to_owned();
            bytes.clear();
            if sender.send(line).is_err() {
                break;
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn lines_of_both_outputs_arrive_and_the_status_is_reported() {
        let mut lines = Vec::new();
        let status = stream(&mut shell("echo out; echo err >&2; exit 3"), Duration::from_secs(20), |line| {
            lines.push(line.to_owned());
        })
        .expect("sh runs");
        lines.sort();
        assert_eq!(lines, ["err", "out"]);
        assert_eq!(status.and_then(|status| status.code()), Some(3));
    }

    #[test]
    fn a_program_that_runs_too_long_is_killed() {
        let started = Instant::now();
        let status = stream(&mut shell("exec sleep 600"), Duration::from_millis(50), |_| {}).expect("sh runs");
        assert!(status.is_none());
        assert!(started.elapsed() < Duration::from_mins(1));
    }

    #[test]
    fn a_grandchild_that_keeps_the_pipe_open_does_not_hold_us_up() {
        let started = Instant::now();
        let mut child = None;
        let status = stream(&mut shell("sleep 600 & echo $!"), Duration::from_mins(1), |line| {
            child = Some(line.to_owned());
        })
        .expect("sh runs");
        assert!(status.is_some_and(|status| status.success()));
        assert!(started.elapsed() < Duration::from_mins(1));
        succeed(&mut shell(&format!("kill {}", child.expect("the shell named its child")))).expect("it still ran");
    }

    #[test]
    fn an_error_names_the_command_and_quotes_its_complaint() {
        let error = capture(&mut shell("echo no such thing >&2; exit 4")).expect_err("it failed").to_string();
        assert!(error.contains("sh -c") && error.contains("no such thing"), "{error}");
    }

    #[test]
    fn a_missing_program_comes_with_a_hint() {
        let error = require("tollward-no-such-program", "install it").expect_err("it does not exist").to_string();
        assert_eq!(error, "`tollward-no-such-program` is not installed: install it");
    }
}
