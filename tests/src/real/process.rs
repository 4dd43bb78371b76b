//! A program that runs until nobody needs it any more, and never longer than the test process.
//!
//! Statics are not dropped and a test process may be killed, so dropping is not enough. Each program leads a process group
//! of its own, and beside it in that group waits a shell for the end of a pipe that only this process holds open: however
//! this process ends, the pipe ends with it, and the shell ends the group.

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::collections::VecDeque;
use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Starts the program named by the first argument, with the watching shell beside it. TERM first, KILL after five seconds.
const WATCHED: &str = r#"
exec 3<&0
(
  trap '' TERM
  cat <&3
  kill -s TERM -- -$$
  tries=0
  while kill -0 $$ && [ $tries -lt 50 ]; do tries=$((tries + 1)); sleep 0.1; done
  kill -s KILL -- -$$
) < /dev/null > /dev/null 2>&1 &
exec "$0" "$@" < /dev/null 3<&-
"#;

/// Lines of standard error that a failure shows.
const TAIL: usize = 60;

/// Time that a program gets to end after SIGTERM.
const GRACE: Duration = Duration::from_secs(10);

/// Between two looks at a program that is to end.
const LOOK: Duration = Duration::from_millis(10);

type Tail = Arc<Mutex<VecDeque<String>>>;

/// A running program. It is ended, with all its children, when it is dropped.
pub struct Process {
    name: &'static str,
    child: Child,
    lines: Mutex<Receiver<String>>,
    tail: Tail,
    /// Disconnected once standard error was read to its end.
    tail_end: Mutex<Receiver<()>>,
}

/// How a program ended that was to end by itself.
#[derive(Debug)]
pub struct Ended {
    /// Its exit status.
    pub status: ExitStatus,
    /// Its standard output.
    pub output: String,
    /// The end of its standard error.
    pub errors: String,
}

/// A command for [`Process::start`]; arguments and environment are added as usual.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("sh");
    command.arg("-c").arg(WATCHED).arg(program);
    command
}

impl Process {
    /// Starts a program.
    pub fn start(name: &'static str, mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{name} can't be started: {error}"));
        let (lines_tx, lines_rx) = channel();
        let tail = Tail::default();
        let stdout = child.stdout.take().expect("standard output is a pipe");
        let stderr = child.stderr.take().expect("standard error is a pipe");
        std::thread::spawn(move || send_lines(stdout, &lines_tx));
        let (end_tx, end_rx) = channel();
        let shared = Arc::clone(&tail);
        std::thread::spawn(move || {
            keep_tail(stderr, &shared);
            drop(end_tx);
        });
        Self { name, child, lines: Mutex::new(lines_rx), tail, tail_end: Mutex::new(end_rx) }
    }

    /// The next line of standard output.
    pub fn line(&self, limit: Duration) -> String {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        match lines.recv_timeout(limit) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => {
                panic!("{} wrote no line within {limit:?}:\n{}", self.name, self.errors())
            }
            Err(RecvTimeoutError::Disconnected) => panic!("{} ended:\n{}", self.name, self.errors()),
        }
    }

    /// Waits until the program ends by itself.
    pub fn ended(mut self, limit: Duration) -> Ended {
        let end = Instant::now() + limit;
        let mut output = String::new();
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let next = self.lines.lock().unwrap_or_else(PoisonError::into_inner).recv_timeout(left);
            match next {
                Ok(line) => output.extend([line.as_str(), "\n"]),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    panic!("{} did not end within {limit:?}:\n{output}\n{}", self.name, self.errors())
                }
            }
        }
        let status = self.wait(GRACE).unwrap_or_else(|| panic!("{} closed its output and goes on", self.name));
        // Nothing is ever sent: this returns when the other end is dropped.
        let _ = self.tail_end.lock().unwrap_or_else(PoisonError::into_inner).recv_timeout(GRACE);
        Ended { status, output, errors: self.errors() }
    }

    /// Ends the program at once, as a crash would, with all its children.
    pub fn kill(self) {
        self.signal(Signal::KILL);
    }

    /// Stops the program where it is, as a machine that hangs would, until [`Self::resume`].
    pub fn pause(&self) {
        kill_process(Pid::from_child(&self.child), Signal::STOP).expect("the program runs");
    }

    /// Lets it go on.
    pub fn resume(&self) {
        kill_process(Pid::from_child(&self.child), Signal::CONT).expect("the program runs");
    }

    /// True while the program runs.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_none())
    }

    /// The end of standard error.
    pub fn errors(&self) -> String {
        let tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        tail.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
    }

    fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        let end = Instant::now() + limit;
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if Instant::now() < end => std::thread::sleep(LOOK),
                Ok(None) | Err(_) => return None,
            }
        }
    }

    fn signal(&self, signal: Signal) {
        // The group may have ended already.
        let _ = kill_process_group(Pid::from_child(&self.child), signal);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal(Signal::TERM);
        self.wait(GRACE);
        // What ignored TERM, and the watching shell. The child is waited for after that, so its id is still its own.
        self.signal(Signal::KILL);
        let _ = self.child.wait();
    }
}

fn send_lines(stdout: impl Read, lines: &Sender<String>) {
    for line in BufReader::new(stdout).lines().map_while(Result::ok) {
        // Once nobody listens the rest is read all the same, so that the program never waits for a full pipe.
        let _ = lines.send(line);
    }
}

fn keep_tail(stderr: impl Read, tail: &Tail) {
    for line in BufReader::new(stderr).lines().map_while(Result::ok) {
        let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
        if tail.len() == TAIL {
            tail.pop_front();
        }
        tail.push_back(line);
    }
}

#[cfg(test)]
mod tests;
