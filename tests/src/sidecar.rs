//! The data plane in this process: the very code that production runs, on ports of its own, with records, telemetry and
//! time in the test's hands.

use crate::client::{Connection, Reply, Wire};
use crate::clock::TestClock;
use crate::config::{AUTHORITY, ConfigFile};
use crate::deadline::{eventually, within};
use crate::mcp::Call;
use crate::records::Records;
use http::Method;
use std::net::SocketAddr;
use std::sync::Arc;
use tollward_sidecar::run::{Running, Setup, StartError, start};
use tollward_telemetry::{InMemory, Telemetry};

/// A running data plane.
pub struct Sidecar {
    /// Where clients connect.
    pub public: SocketAddr,
    /// Where probes connect.
    pub observe: SocketAddr,
    /// Where the operator connects.
    pub report: Option<SocketAddr>,
    /// Where the MCP server's own connections go.
    pub egress: Option<SocketAddr>,
    /// Its file.
    pub config: ConfigFile,
    /// Its audit records.
    pub records: Records,
    /// What it emitted.
    pub emitted: InMemory,
    telemetry: Arc<Telemetry>,
    running: Option<Running>,
}

impl Sidecar {
    /// Starts with a file.
    pub async fn start(config: ConfigFile, clock: TestClock) -> Result<Self, StartError> {
        let (telemetry, emitted) = Telemetry::in_memory().expect("telemetry in memory");
        let (telemetry, records) = (Arc::new(telemetry), Records::default());
        let setup = Setup {
            config: config.path().to_owned(),
            telemetry: Arc::clone(&telemetry),
            sinks: vec![Arc::new(records.clone())],
            clock: Arc::new(clock),
        };
        let running = start(setup).await?;
        Ok(Self {
            public: running.public,
            observe: running.observe,
            report: running.report,
            egress: running.egress,
            config,
            records,
            emitted,
            telemetry,
            running: Some(running),
        })
    }

    /// The answer of a probe.
    pub async fn probe(&self, path: &str) -> Reply {
        let call = Call::bare(Method::GET, path).authority(AUTHORITY);
        let opened = Connection::plain(Wire::Http1, self.observe).await.send_only(call.request(Wire::Http1)).await;
        opened.expect("the probe listener answers").whole().await.expect("a whole answer")
    }

    /// Returns once the process says that it is ready.
    pub async fn ready(&self) {
        eventually("/readyz answers 200", async || self.probe("/readyz").await.status.is_success()).await;
    }

    /// Metrics as Prometheus reads them.
    pub fn metrics(&self) -> String {
        self.telemetry.prometheus_text()
    }

    /// Lets whoever may open the socket ask about limits.
    pub fn answer_inquiries(&mut self, socket: &std::path::Path) {
        let running = self.running.as_mut().expect("the process was not drained before");
        running.answer_inquiries(socket).expect("the socket can be made");
    }

    /// Ends the process as SIGTERM would; returns once it has ended.
    pub fn drain(&mut self) -> impl Future<Output = ()> + Send + 'static {
        let running = self.running.take().expect("the process was not drained before");
        async move { within("the process ends", running.drain()).await }
    }
}
