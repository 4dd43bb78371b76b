//! A real OpenTelemetry Collector, run with the configuration that users are shown, at an address of its own on loopback.
//!
//! It can be killed and started again at the same address, with the same storage.

use super::place;
use super::process::{Process, command};
use super::received::Received;
use crate::certificates::{Authority, Pair};
use crate::deadline::eventually;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU8, Ordering};
use tempfile::TempDir;
use tokio::net::TcpStream;

/// Ports of OTLP, which the configuration gives.
const PORTS: [u16; 2] = [4317, 4318];

/// What the harness adds: its own metrics would want a port that all collectors share, and nobody reads them.
const OWN: &str = "service: {telemetry: {metrics: {level: none}}}\n";

/// Keeps the programs of a process apart.
static STARTED: AtomicU8 = AtomicU8::new(1);

/// How Tollward is told to export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// gRPC.
    Grpc,
    /// HTTP with protobuf bodies.
    Http,
}

impl Protocol {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Grpc, Self::Http];
}

/// A collector, running or killed.
pub struct Collector {
    folder: TempDir,
    address: IpAddr,
    secured: Option<Secured>,
    process: Option<Process>,
}

/// What a secured collector is protected by.
#[derive(Clone)]
struct Secured {
    token: String,
    authority: String,
}

impl Collector {
    /// Starts one that takes everything.
    pub async fn start() -> Self {
        Self::running(own_address(), None).await
    }

    /// Like [`Self::start`], at another address of this machine.
    pub async fn start_at(address: IpAddr) -> Self {
        Self::running(address, None).await
    }

    /// Where it takes OTLP over gRPC.
    pub fn endpoint(&self) -> String {
        format!("http://{}", SocketAddr::new(self.address, 4317))
    }

    /// Starts one behind TLS, which takes nothing without this bearer token.
    pub async fn secured(token: &str) -> Self {
        Self::running(own_address(), Some(token)).await
    }

    async fn running(address: IpAddr, token: Option<&str>) -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let secured = token.map(|token| {
            let authority = Authority::new("Collectors");
            let Pair { certificate, key } = authority.issue(&address.to_string());
            for (name, text) in [("tls.crt", &certificate), ("tls.key", &key)] {
                std::fs::write(folder.path().join(name), text).expect("the directory is writable");
            }
            std::fs::write(folder.path().join("ca.crt"), authority.certificate()).expect("the directory is writable");
            Secured { token: token.to_owned(), authority: folder.path().join("ca.crt").display().to_string() }
        });
        std::fs::write(folder.path().join("own.yaml"), OWN).expect("the directory is writable");
        let mut collector = Self { folder, address, secured, process: None };
        collector.again().await;
        collector
    }

    /// Starts it again after [`Self::kill`]; returns once it listens.
    pub async fn again(&mut self) {
        assert!(self.process.is_none(), "the collector still runs");
        let examples = place::tests().join("../examples/telemetry");
        let mut configurations = vec![examples.join("collector.yaml"), self.folder.path().join("own.yaml")];
        let mut program = command(place::built("otelcol"));
        program.env("LISTEN", self.address.to_string()).env("STORAGE", self.folder.path());
        if let Some(Secured { token, authority: _ }) = &self.secured {
            configurations.push(examples.join("secured.yaml"));
            program.env("COLLECTOR_TOKEN", token).env("CERTIFICATES", self.folder.path());
        }
        for configuration in configurations {
            program.arg("--config").arg(configuration);
        }
        let mut process = Process::start("the collector", program);
        eventually("the collector listens", async || {
            assert!(process.is_running(), "the collector ended:\n{}", process.errors());
            for port in PORTS {
                if TcpStream::connect(SocketAddr::new(self.address, port)).await.is_err() {
                    return false;
                }
            }
            true
        })
        .await;
        self.process = Some(process);
    }

    /// Kills it, as a crash would.
    pub fn kill(&mut self) {
        self.process.take().expect("the collector runs").kill();
    }

    /// The variables with which a program exports to it, all signals soon.
    pub fn environment(&self, protocol: Protocol) -> Vec<(String, String)> {
        let (name, port) = match protocol {
            Protocol::Grpc => ("grpc", 4317),
            Protocol::Http => ("http/protobuf", 4318),
        };
        let scheme = if self.secured.is_some() { "https" } else { "http" };
        let endpoint = format!("{scheme}://{}", SocketAddr::new(self.address, port));
        let mut variables = vec![
            ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", name.to_owned()),
            ("OTEL_BSP_SCHEDULE_DELAY", "100".to_owned()),
            ("OTEL_BLRP_SCHEDULE_DELAY", "100".to_owned()),
            ("OTEL_METRIC_EXPORT_INTERVAL", "200".to_owned()),
        ];
        if let Some(Secured { token, authority }) = self.secured.clone() {
            variables.push(("OTEL_EXPORTER_OTLP_CERTIFICATE", authority));
            variables.push(("OTEL_EXPORTER_OTLP_HEADERS", format!("authorization=Bearer%20{token}")));
        }
        variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// What it has received and written so far.
    pub fn received(&self) -> Received {
        Received::read(self.folder.path())
    }

    /// Whether the file of a signal holds a text.
    pub fn holds(&self, signal: &str, text: &str) -> bool {
        std::fs::read_to_string(self.file(signal)).is_ok_and(|written| written.contains(text))
    }

    /// The file of a signal: `traces`, `metrics`, `logs` or `audit`.
    pub fn file(&self, signal: &str) -> PathBuf {
        self.folder.path().join(format!("{signal}.jsonl"))
    }
}

/// An address of this machine that no other program of the tests has. Ports on it can be fixed: a connection of somebody
/// else can't take them in between.
pub(super) fn own_address() -> IpAddr {
    let [_, _, high, low] = std::process::id().to_be_bytes();
    let number = STARTED.fetch_add(1, Ordering::Relaxed);
    assert!(number < u8::MAX, "a test process starts fewer programs");
    // 127.0.0.0/24 is left to everybody else.
    Ipv4Addr::new(127, high | 0x80, low, number).into()
}
