//! `tollward dev` in the background: what it prints, line by line, and how it ends. It is killed if the test ends first.

use crate::manifests::program;
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

/// More than a loaded machine needs for anything here.
const DEADLINE: Duration = Duration::from_mins(1);

/// The running program.
pub(crate) struct Session {
    child: Child,
    lines_rx: Receiver<String>,
    /// Everything that was printed and read so far.
    pub(crate) printed: String,
}

impl Session {
    /// Starts it on free ports.
    pub(crate) fn start(folder: &Path, arguments: &[&str]) -> Self {
        let mut all = vec!["dev", "--port", "0", "--broker-port", "0"];
        all.extend(arguments);
        let mut command = program(folder, &all);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (lines_tx, lines_rx) = channel();
        follow(child.stdout.take().unwrap(), lines_tx.clone());
        follow(child.stderr.take().unwrap(), lines_tx);
        Self { child, lines_rx, printed: String::new() }
    }

    /// Reads on until a line has this text, and returns the line.
    pub(crate) fn line_with(&mut self, text: &str) -> String {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(line) = self.lines_rx.recv_timeout(left) else {
                panic!("no line with `{text}` in:\n{}", self.printed);
            };
            self.printed.push_str(&line);
            self.printed.push('\n');
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Host and port of the MCP endpoint, once requests are answered.
    pub(crate) fn ready(&mut self) -> String {
        let line = self.line_with("MCP endpoint");
        let url = line.split_whitespace().last().unwrap().to_owned();
        self.line_with("Ctrl-C ends it");
        url.strip_prefix("http://").unwrap().strip_suffix("/mcp").unwrap().to_owned()
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for the end: the exit code.
    pub(crate) fn ended(&mut self) -> Option<i32> {
        let deadline = Instant::now() + DEADLINE;
        while let Ok(line) = self.lines_rx.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            self.printed.push_str(&line);
            self.printed.push('\n');
        }
        assert!(Instant::now() < deadline, "it did not end:\n{}", self.printed);
        self.child.wait().unwrap().code()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let running = |child: &mut Child| child.try_wait().is_ok_and(|ended| ended.is_none());
        if !running(&mut self.child) {
            return;
        }
        // Asked first, so that it ends what it started also when a test failed.
        self.signal(Signal::TERM);
        let deadline = Instant::now() + DEADLINE;
        while running(&mut self.child) && Instant::now() < deadline {
            std::thread::yield_now();
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn follow(pipe: impl Read + Send + 'static, lines_tx: Sender<String>) {
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            if lines_tx.send(line).is_err() {
                return;
            }
        }
    });
}

/// The head of the answer to a GET.
pub(crate) fn get(authority: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(authority).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split("\r\n\r\n").next().unwrap().to_owned()
}
