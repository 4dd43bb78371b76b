//! The MCP server as a child process: started with `HOST` and `PORT`, waited for, and ended with all that it started.
//!
//! It runs in a process group of its own, so that Ctrl-C reaches Tollward first and requests in flight can end. The group
//! is ended on every way out, also when starting the rest fails.

use super::confined::Confined;
use crate::screen::{Screen, Tone, printable};
use anyhow::{Context as _, anyhow};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::sync::watch;

/// Time for the server to accept connections.
const START: Duration = Duration::from_mins(1);
/// Time for it to end after SIGTERM.
const STOP: Duration = Duration::from_secs(5);
/// Time for it to start before somebody wonders, and between two lines that say so.
const PATIENCE: Duration = Duration::from_secs(2);
/// Between two looks.
const PERIOD: Duration = Duration::from_millis(25);
/// Lines of its output that an error shows.
const TAIL: usize = 20;
/// Longest line that is shown, in bytes.
const MAX_LINE: u64 = 4096;

/// The running server.
pub(crate) struct Server {
    child: Child,
    group: Pid,
    life: Life,
    _scratch: Option<TempDir>,
}

/// Whether the server still runs, and what it said.
#[derive(Clone)]
pub(crate) struct Life {
    name: String,
    hint: Option<String>,
    ended_rx: watch::Receiver<bool>,
    output: Arc<Output>,
}

/// What the server prints: its last lines, and the terminal if they are to be shown.
struct Output {
    screen: Arc<Screen>,
    echo: bool,
    tail: Mutex<VecDeque<String>>,
}

impl Server {
    /// Starts it. Its output goes to the terminal line by line if `echo` says so.
    pub(crate) fn start(confined: Confined, port: u16, screen: &Arc<Screen>, echo: bool) -> anyhow::Result<Self> {
        let Confined { name, command: mut started, hint, scratch } = confined;
        started.env("HOST", "127.0.0.1").env("PORT", port.to_string());
        started.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut child = started
            .spawn()
            .with_context(|| format!("can't start the MCP server `{name}`; is it installed and in PATH?"))?;
        let output = Arc::new(Output { screen: screen.clone(), echo, tail: Mutex::default() });
        output.clone().follow(child.stdout.take());
        output.clone().follow(child.stderr.take());
        let group = Pid::from_child(&child);
        let (ended_tx, ended_rx) = watch::channel(false);
        std::thread::spawn(move || {
            // Looks without collecting: until the group is ended, its number must not go to another process.
            let seen = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            let _ = rustix::io::retry_on_intr(|| waitid(WaitId::Pid(group), seen));
            ended_tx.send_replace(true);
        });
        Ok(Self { child, group, life: Life { name, hint, ended_rx, output }, _scratch: scratch })
    }

    /// The process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it accepts connections. Its own words are in the error.
    pub(crate) async fn accepts(&self, port: u16) -> anyhow::Result<()> {
        let deadline = Instant::now() + START;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let started = Instant::now();
        let mut said = Duration::ZERO;
        let mut hinted = false;
        loop {
            if TcpStream::connect(address).await.is_ok() {
                return Ok(());
            }
            if *self.life.ended_rx.borrow() {
                return Err(self.life.fault("ended before it listened"));
            }
            if Instant::now() > deadline {
                return Err(self.life.fault(&format!(
                    "did not listen on 127.0.0.1:{port} within {} s; does it read PORT?",
                    START.as_secs()
                )));
            }
            if started.elapsed() >= said + PATIENCE {
                said = started.elapsed();
                let waited =
                    if said < 2 * PATIENCE { String::new() } else { format!(", for {} s now", said.as_secs()) };
                let text = format!("waiting for `{}` to listen on {address}{waited}", printable(&self.life.name));
                let screen = &self.life.output.screen;
                screen.line(&screen.paint(Tone::Quiet, &text));
                if let Some(hint) = self.life.hint.as_ref().filter(|_| !hinted && said >= 2 * PATIENCE) {
                    screen.line(&screen.paint(Tone::Quiet, &format!("  {hint}")));
                    hinted = true;
                }
            }
            tokio::time::sleep(PERIOD).await;
        }
    }

    /// To learn of its end while it is used.
    pub(crate) fn life(&self) -> Life {
        self.life.clone()
    }

    /// Lets the server and all that it started end; kills what does not.
    pub(crate) async fn stop(mut self) {
        let _ = kill_process_group(self.group, Signal::TERM);
        let _ = tokio::time::timeout(STOP, self.life.ended_rx.wait_for(|ended| *ended)).await;
    }
}

impl Life {
    /// Ends when the server does, with what it said last.
    pub(crate) async fn ended(mut self) -> anyhow::Error {
        // An error means that the thread that looks is gone, and so is the server.
        let _ = self.ended_rx.wait_for(|ended| *ended).await;
        self.fault("ended")
    }

    fn fault(&self, what: &str) -> anyhow::Error {
        let tail = self.output.tail.lock().unwrap_or_else(PoisonError::into_inner);
        let said: Vec<_> = tail.iter().map(|line| format!("\n  | {line}")).collect();
        let said = if said.is_empty() {
            "; it printed nothing".to_owned()
        } else {
            format!("; it printed last:{}", said.concat())
        };
        let hint = self.hint.as_ref().map(|hint| format!("\n  {hint}")).unwrap_or_default();
        anyhow!("the MCP server `{}` {what}{said}{hint}", self.name)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = kill_process_group(self.group, Signal::KILL);
        let _ = self.child.wait();
    }
}

impl Output {
    /// Reads until the last process that holds the pipe is gone.
    fn follow(self: Arc<Self>, pipe: Option<impl Read + Send + 'static>) {
        let Some(pipe) = pipe else { return };
        std::thread::spawn(move || {
            let mut reader = BufReader::new(pipe);
            let mut line = Vec::new();
            loop {
                line.clear();
                match reader.by_ref().take(MAX_LINE).read_until(b'\n', &mut line) {
                    Ok(0) | Err(_) => return,
                    Ok(_) => self.keep(printable(String::from_utf8_lossy(&line).trim_end())),
                }
            }
        });
    }

    fn keep(&self, line: String) {
        if self.echo {
            self.screen.line(&self.screen.paint(Tone::Quiet, &format!("server | {line}")));
        }
        let mut tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        if tail.len() == TAIL {
            tail.pop_front();
        }
        tail.push_back(line);
    }
}
