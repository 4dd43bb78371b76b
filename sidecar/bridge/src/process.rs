//! A child process: lines in, lines out, and its end with all that it started.

use crate::orphans::Kin;
use crate::settings::{Launch, Log};
use bytes::Bytes;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::unix::pipe;
use tokio::sync::{mpsc, watch};

/// Messages that wait on each side of the process. A side that is not read holds up the other end.
const QUEUE: usize = 16;
/// Longest line of standard error that is passed on in one piece, in bytes.
const LOG_LINE: u64 = 4096;
/// Time for the process to end after its input was closed, and again after SIGTERM.
const GRACE: Duration = Duration::from_secs(2);
/// The thread that waits for the process does nothing else.
const STACK: usize = 64 * 1024;

/// A running process. Dropping it kills the process and its group.
pub(crate) struct Process {
    input: mpsc::Sender<Bytes>,
    closing: watch::Sender<bool>,
    group: Group,
    ended: watch::Receiver<bool>,
}

/// The process group, as long as its number belongs to nobody else.
#[derive(Clone)]
struct Group(Arc<Mutex<Option<Pid>>>);

impl Group {
    fn signal(&self, signal: Signal) {
        if let Some(group) = *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            let _ = kill_process_group(group, signal);
        }
    }
}

impl Process {
    /// Starts the program in a group of its own. The second value are the lines that it writes.
    pub(crate) fn start(
        launch: &Launch,
        name: &str,
        log: &Log,
        kin: &Kin,
    ) -> std::io::Result<(Self, mpsc::Receiver<Bytes>)> {
        let mut command = Command::new(&launch.program);
        command.args(&launch.arguments).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut known = kin.lock();
        let mut child = command.spawn()?;
        let id = Pid::from_child(&child);
        known.insert(id.as_raw_nonzero().get());
        drop(known);
        let group = Group(Arc::new(Mutex::new(Some(id))));
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let ended = wait(child, &group, kin.clone())?;
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
            group.signal(Signal::KILL);
            return Err(std::io::Error::other("the process has no pipes"));
        };
        let (input, incoming) = mpsc::channel(QUEUE);
        let (outgoing, lines) = mpsc::channel(QUEUE);
        let (closing, close) = watch::channel(false);
        let stdin = pipe::Sender::from_owned_fd(stdin.into())?;
        let stdout = pipe::Receiver::from_owned_fd(stdout.into())?;
        let stderr = pipe::Receiver::from_owned_fd(stderr.into())?;
        tokio::spawn(write(stdin, incoming, close));
        let prefix = format!("[{name}] ");
        tokio::spawn(follow(stderr, prefix.clone(), log.clone()));
        let reader = Reader { group: group.clone(), limit: launch.max_message_bytes, prefix, log: log.clone() };
        tokio::spawn(reader.run(stdout, outgoing));
        Ok((Self { input, closing, group, ended }, lines))
    }

    /// Where lines for it go, without their line end.
    pub(crate) fn input(&self) -> mpsc::Sender<Bytes> {
        self.input.clone()
    }

    /// Becomes true when it ended.
    pub(crate) fn ended(&self) -> watch::Receiver<bool> {
        self.ended.clone()
    }

    /// Ends it as the stdio transport says: its input is closed, then it is asked, then it and its group are killed.
    pub(crate) async fn end(&self) {
        self.closing.send_replace(true);
        let mut ended = self.ended.clone();
        for signal in [Signal::TERM, Signal::KILL] {
            if tokio::time::timeout(GRACE, ended.wait_for(|ended| *ended)).await.is_ok() {
                return;
            }
            self.group.signal(signal);
        }
        let _ = tokio::time::timeout(GRACE, ended.wait_for(|ended| *ended)).await;
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.closing.send_replace(true);
        self.group.signal(Signal::KILL);
    }
}

/// Waits for the end in a thread of its own. What the process leaves behind in its group is killed before its number may go to
/// another process.
fn wait(mut child: Child, group: &Group, kin: Kin) -> std::io::Result<watch::Receiver<bool>> {
    let (ended_tx, ended) = watch::channel(false);
    let waited = group.clone();
    let started = std::thread::Builder::new().name("process".to_owned()).stack_size(STACK).spawn(move || {
        let seen = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        let id = Pid::from_child(&child);
        let _ = rustix::io::retry_on_intr(|| waitid(WaitId::Pid(id), seen));
        let mut group = waited.0.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = kill_process_group(id, Signal::KILL);
        let _ = child.wait();
        *group = None;
        drop(group);
        kin.lock().remove(&id.as_raw_nonzero().get());
        ended_tx.send_replace(true);
    });
    if let Err(error) = started {
        group.signal(Signal::KILL);
        return Err(error);
    }
    Ok(ended)
}

/// Writes lines until the process is to end, or reads no more.
async fn write(mut stdin: pipe::Sender, mut lines: mpsc::Receiver<Bytes>, mut close: watch::Receiver<bool>) {
    let writing = async {
        while let Some(line) = lines.recv().await {
            let written = async {
                stdin.write_all(&line).await?;
                stdin.write_all(b"\n").await
            };
            if written.await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        biased;
        _ = close.wait_for(|close| *close) => {}
        () = writing => {}
    }
}

struct Reader {
    group: Group,
    limit: usize,
    prefix: String,
    log: Log,
}

impl Reader {
    /// Reads messages until the last process that holds the pipe is gone. One that is too long ends the process: where the next
    /// one begins would be a guess.
    async fn run(self, pipe: pipe::Receiver, lines: mpsc::Sender<Bytes>) {
        let mut reader = BufReader::new(pipe);
        let most = u64::try_from(self.limit).unwrap_or(u64::MAX).saturating_add(1);
        loop {
            let mut line = Vec::new();
            match (&mut reader).take(most).read_until(b'\n', &mut line).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
            if line.last() != Some(&b'\n') && line.len() > self.limit {
                (self.log)(&format!("{}wrote a message of more than {} bytes and is ended", self.prefix, self.limit));
                self.group.signal(Signal::KILL);
                return;
            }
            let line = Bytes::from(line);
            let line = line.slice_ref(line.trim_ascii());
            if !line.is_empty() && lines.send(line).await.is_err() {
                return;
            }
        }
    }
}

/// Passes on what the process says for people, line by line.
async fn follow(pipe: pipe::Receiver, prefix: String, log: Log) {
    let mut reader = BufReader::new(pipe);
    let mut line = Vec::new();
    loop {
        line.clear();
        match (&mut reader).take(LOG_LINE).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => log(&format!("{prefix}{}", printable(&line))),
        }
    }
}

/// Text of the server's with nothing in it that moves a cursor or makes another line.
pub(crate) fn printable(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    text.trim_end()
        .chars()
        .map(|letter| if letter.is_control() && letter != '\t' { '\u{fffd}' } else { letter })
        .collect()
}
