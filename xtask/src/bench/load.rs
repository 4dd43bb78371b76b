//! The load: connections that stay open and send prepared requests in rotation, each the next one after its answer, or all
//! together at a given rate. It runs as a process of its own and prints one line of JSON.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use super::answer::Connection;
use super::figures::{micros, percentile};
use super::machine;
use super::message::SEPARATOR;
use crate::say;

/// Stack of a connection's thread: a thousand of them must fit.
const STACK: usize = 128 * 1024;

/// Arguments of the load.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where to connect
    #[arg(long)]
    address: SocketAddr,
    /// Requests, separated by zero bytes
    #[arg(long)]
    requests: PathBuf,
    /// Open connections
    #[arg(long)]
    connections: u32,
    /// How long
    #[arg(long)]
    seconds: u32,
    /// Requests a second over all connections; without it as many as are answered
    #[arg(long)]
    rate: Option<u32>,
}

/// What a load measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Measured {
    /// Answers with status 200.
    pub(super) answered: f64,
    /// Other answers and broken connections.
    pub(super) failed: f64,
    /// Length of the run in seconds.
    pub(super) seconds: f64,
    /// Median time to the last byte in microseconds.
    pub(super) p50_micros: f64,
    /// The same for 99 of 100.
    pub(super) p99_micros: f64,
    /// Processor time of the load itself in seconds.
    pub(super) processor_seconds: f64,
}

/// What all connections share.
struct Plan {
    address: SocketAddr,
    requests: Vec<Vec<u8>>,
    next: AtomicUsize,
    begin: Instant,
    end: Instant,
    /// Pause between two requests of one connection.
    pause: Option<Duration>,
}

/// What one connection saw.
#[derive(Default)]
struct Tally {
    times: Vec<Duration>,
    failed: usize,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let bytes = fs::read(&args.requests).with_context(|| format!("cannot read {}", args.requests.display()))?;
    let requests: Vec<Vec<u8>> = bytes.split(|byte| *byte == SEPARATOR).map(<[u8]>::to_vec).collect();
    if args.connections == 0 || args.rate == Some(0) || requests.iter().any(Vec::is_empty) {
        bail!("a load needs a connection, a rate above zero and requests without gaps");
    }
    let begin = Instant::now();
    let pause = args.rate.map(|rate| Duration::from_secs(u64::from(args.connections)) / rate);
    let end = begin + Duration::from_secs(u64::from(args.seconds));
    let plan = Plan { address: args.address, requests, next: AtomicUsize::new(0), begin, end, pause };
    let total = plan.drive(args.connections)?;
    say::line(total.summary(begin.elapsed())?);
    Ok(())
}

impl Plan {
    fn drive(&self, connections: u32) -> Result<Tally> {
        thread::scope(|scope| {
            let mut threads = Vec::new();
            for index in 0..connections {
                // Connections take turns, so that a rate is even and not a burst of all.
                let delay = self.pause.map_or(Duration::ZERO, |pause| pause * index / connections);
                let builder = thread::Builder::new().stack_size(STACK);
                let thread = builder.spawn_scoped(scope, move || self.connection(self.begin + delay));
                threads.push(thread.context("cannot start a thread for each connection")?);
            }
            let mut total = Tally::default();
            for thread in threads {
                let Ok(tally) = thread.join() else { bail!("a connection's thread panicked") };
                total.times.extend(tally.times);
                total.failed += tally.failed;
            }
            Ok(total)
        })
    }

    /// One connection from the first request to the last.
    fn connection(&self, mut due: Instant) -> Tally {
        let mut tally = Tally::default();
        let mut open: Option<Connection> = None;
        while due.max(Instant::now()) < self.end {
            let late = Instant::now();
            // Who is late since the last answer was late has waited since the request was due.
            let asked = if self.pause.is_none() {
                late
            } else if late < due {
                thread::sleep(due - late);
                Instant::now()
            } else {
                due
            };
            match self.ask(&mut open) {
                Ok(200) => tally.times.push(asked.elapsed()),
                Ok(_) => tally.failed += 1,
                Err(_) => {
                    open = None;
                    tally.failed += 1;
                }
            }
            due += self.pause.unwrap_or_default();
        }
        tally
    }

    fn ask(&self, open: &mut Option<Connection>) -> io::Result<u16> {
        let connection = match open {
            Some(connection) => connection,
            None => open.insert(Connection::open(self.address)?),
        };
        let turn = self.next.fetch_add(1, Ordering::Relaxed).checked_rem(self.requests.len()).unwrap_or_default();
        let request = self.requests.get(turn).map(Vec::as_slice).unwrap_or_default();
        Ok(connection.exchange(request)?.status)
    }
}

impl Tally {
    fn summary(mut self, elapsed: Duration) -> Result<Value> {
        self.times.sort_unstable();
        let own = machine::processor_time(std::process::id())?;
        Ok(json!({
            "answered": self.times.len(),
            "failed": self.failed,
            "seconds": elapsed.as_secs_f64(),
            "p50Micros": micros(percentile(&self.times, 50)),
            "p99Micros": micros(percentile(&self.times, 99)),
            "processorSeconds": own.as_secs_f64(),
        }))
    }
}

impl Measured {
    /// Reads what the process printed.
    pub(super) fn read(line: &str) -> Result<Self> {
        let value: Value = serde_json::from_str(line).with_context(|| format!("the load printed `{line}`"))?;
        let number = |name: &str| value.get(name).and_then(Value::as_f64).with_context(|| format!("no `{name}`"));
        Ok(Self {
            answered: number("answered")?,
            failed: number("failed")?,
            seconds: number("seconds")?,
            p50_micros: number("p50Micros")?,
            p99_micros: number("p99Micros")?,
            processor_seconds: number("processorSeconds")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    /// Serves every connection with 200, and 503 for requests that ask for it.
    fn server() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        thread::spawn(move || {
            for stream in listener.incoming() {
                thread::spawn(move || {
                    let (mut stream, mut read) = (stream.expect("a client"), [0; 64]);
                    while stream.read(&mut read).is_ok_and(|count| count > 0) {
                        let status = if read.starts_with(b"bad") { "503 No" } else { "200 OK" };
                        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
                        stream.write_all(answer.as_bytes()).expect("the client reads");
                    }
                });
            }
        });
        address
    }

    fn plan(length: Duration, pause: Option<Duration>) -> Plan {
        let begin = Instant::now();
        let requests = vec![b"good".to_vec(), b"bad".to_vec()];
        Plan { address: server(), requests, next: AtomicUsize::new(0), begin, end: begin + length, pause }
    }

    #[test]
    fn requests_go_in_rotation_and_refusals_are_no_answers() {
        let total = plan(Duration::from_millis(100), None).drive(2).expect("it runs");
        assert!(total.times.len() > 4);
        assert!(total.times.len().abs_diff(total.failed) <= 2, "{} {}", total.times.len(), total.failed);
        let line = total.summary(Duration::from_secs(1)).expect("this process is in /proc").to_string();
        let measured = Measured::read(&line).expect("its own line");
        assert!(measured.answered > 4.0 && measured.p99_micros >= measured.p50_micros);
    }

    #[test]
    fn a_rate_is_kept_over_all_connections() {
        let total = plan(Duration::from_millis(200), Some(Duration::from_millis(40))).drive(2).expect("it runs");
        assert_eq!(total.times.len() + total.failed, 10);
    }

    #[test]
    fn a_line_without_a_figure_is_refused() {
        assert!(Measured::read("{\"answered\": 1}").is_err());
    }
}
