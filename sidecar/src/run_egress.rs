//! Puts an egress proxy together and takes it apart. Its file is followed while it runs, as a sidecar's is.

use crate::audit::{AuditSink, Auditor, Fanout, OtelSink};
use crate::clock::Clock;
use crate::egress::{Bounds, Compiled, Lists, Meters, Observed, Patience, Places, Proxy, accept, probes, servers};
use crate::listen::{self, Certificate, Stamp, TlsError};
use crate::reload::{CONFIG_PERIOD, ReadError, pause, watch_certificates};
use crate::run::{bind, dial_policy, routed};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tollward_netguard::{Dialer, Resolve, TrustError, TrustRoots};
use tollward_policy::config::{EgressConfig, EgressLimits, EgressProcess, HttpLimits, load_egress};
use tollward_policy::digest;
use tollward_telemetry::Telemetry;

/// What a tunnel may take to notice that its time is over.
const GRACE: Duration = Duration::from_secs(1);
/// Bounds of the listener of probes.
const PROBES: HttpLimits = HttpLimits {
    max_body_bytes: 1024,
    max_header_bytes: 16 * 1024,
    max_headers: 64,
    header_timeout_seconds: 2,
    body_timeout_seconds: 2,
    max_connections: 256,
    max_in_flight: 256,
    max_streams_per_connection: 16,
};

/// What an egress proxy is made of.
pub struct EgressSetup {
    /// Its file.
    pub config: PathBuf,
    /// Telemetry.
    pub telemetry: Arc<Telemetry>,
    /// Where audit records go besides telemetry.
    pub sinks: Vec<Arc<dyn AuditSink>>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Looks names up.
    pub resolver: Arc<dyn Resolve>,
}

/// Why an egress proxy can't start.
#[derive(Debug, thiserror::Error)]
pub enum EgressStartError {
    /// The configuration.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// TLS towards sidecars.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The dialer.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// A port.
    #[error(transparent)]
    Bind(#[from] crate::run::StartError),
}

/// A running egress proxy.
pub struct EgressRunning {
    /// Where sidecars connect.
    pub listen: SocketAddr,
    /// Where probes connect.
    pub observe: SocketAddr,
    ending: CancellationToken,
    tasks: JoinSet<()>,
    last: CancellationToken,
    last_tasks: JoinSet<()>,
}

impl EgressRunning {
    /// Stops accepting, lets tunnels end within their time, and returns.
    pub async fn drain(mut self) {
        self.ending.cancel();
        while self.tasks.join_next().await.is_some() {}
        self.last.cancel();
        while self.last_tasks.join_next().await.is_some() {}
    }
}

/// Reads and checks a file. Also returns the digest of its bytes.
pub fn read_egress(path: &Path) -> Result<(EgressConfig, String), ReadError> {
    let bytes = std::fs::read(path).map_err(|source| ReadError::File { path: path.to_owned(), source })?;
    let digest = digest::of(&bytes);
    match load_egress(&bytes) {
        Ok(config) => Ok((config, digest)),
        Err(source) => Err(ReadError::Content { path: path.to_owned(), digest, source }),
    }
}

/// Starts an egress proxy: everything is bound and checked when this returns.
pub async fn start(setup: EgressSetup) -> Result<EgressRunning, EgressStartError> {
    let stamp = Stamp::of(&setup.config);
    let (config, digest) = read_egress(&setup.config)?;
    let process = config.process.clone();
    let certificate = Certificate::load(&process.certificate, &process.private_key)?;
    let tls = TlsAcceptor::from(servers(certificate.clone(), &process.client_ca)?);
    let lists = Arc::new(Lists::new(Compiled::new(&config, digest), setup.clock.clone()));
    let (ending, last) = (CancellationToken::new(), CancellationToken::new());
    let proxy = Arc::new(proxy(&setup, &process, lists.clone(), tls, ending.clone())?);
    let (listener, listen) = bind(process.listen).await?;
    let (observe_listener, observe) = bind(process.observe).await?;
    let (mut tasks, mut last_tasks) = (JoinSet::new(), JoinSet::new());
    tasks.spawn(serve(listener, proxy, process.limits.max_connections, ending.clone()));
    let observed = Observed { lists: lists.clone(), telemetry: setup.telemetry.clone(), draining: ending.clone() };
    let small = listen::Bounds::new(&PROBES, GRACE);
    let probes = routed(probes(observed));
    last_tasks.spawn(listen::serve(observe_listener, None, Arc::default(), small, last.clone(), probes));
    tasks.spawn(watch(setup.config, stamp, process, lists, ending.clone()));
    tasks.spawn(watch_certificates(vec![certificate], ending.clone()));
    Ok(EgressRunning { listen, observe, ending, tasks, last, last_tasks })
}

fn proxy(
    setup: &EgressSetup,
    process: &EgressProcess,
    lists: Arc<Lists>,
    tls: TlsAcceptor,
    ending: CancellationToken,
) -> Result<Proxy, TrustError> {
    let mut sinks = setup.sinks.clone();
    sinks.push(Arc::new(OtelSink::new(&setup.telemetry)));
    Ok(Proxy {
        lists,
        auditor: Auditor::new(Arc::new(Fanout(sinks)), setup.clock.clone()),
        dialer: Dialer::new(dial_policy(&process.dial), setup.resolver.clone(), &TrustRoots::nobody()?),
        places: Places::new(process.limits.max_connections_per_server),
        meters: Meters::new(&setup.telemetry),
        acceptor: tls,
        bounds: bounds(&process.limits, process.drain_seconds),
        ending,
    })
}

fn bounds(limits: &EgressLimits, drain: u32) -> Bounds {
    let seconds = |number: u32| Duration::from_secs(u64::from(number));
    Bounds {
        head: seconds(limits.head_timeout_seconds),
        connect: seconds(limits.connect_timeout_seconds),
        patience: Patience { idle: seconds(limits.idle_seconds), most: seconds(limits.max_seconds) },
        drain: seconds(drain),
    }
}

async fn serve(listener: TcpListener, proxy: Arc<Proxy>, most: u32, ending: CancellationToken) {
    let patience = proxy.bounds.drain + GRACE;
    accept(listener, most, ending, patience, |stream, peer| Arc::clone(&proxy).serve(stream, peer)).await;
}

/// Follows the file until `ending` is cancelled.
async fn watch(
    path: PathBuf,
    mut stamp: Option<Stamp>,
    process: EgressProcess,
    lists: Arc<Lists>,
    ending: CancellationToken,
) {
    while !pause(CONFIG_PERIOD, &ending).await {
        let now = Stamp::of(&path);
        if now == stamp {
            continue;
        }
        stamp = now;
        match read_egress(&path) {
            Ok((config, digest)) => {
                let restart_required = config.process != process;
                lists.accept(Compiled::new(&config, digest.clone()));
                tracing::info!(%digest, servers = config.servers.len(), restart_required, "new lists are in force");
            }
            Err(error) => {
                let in_force = &lists.last_good().digest;
                tracing::error!(%error, %in_force, "new lists were refused; the last good ones stay in force");
                lists.reject();
            }
        }
    }
}
