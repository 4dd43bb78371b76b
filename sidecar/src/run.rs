//! Puts a process together and takes it apart. Construction is separate from running, so that `tollward dev` and tests run
//! the very data plane that production runs.

use crate::audit::{AuditSink, Auditor, Fanout, OtelSink};
use crate::authenticate::{Fetch, GuardedFetch, ProofMemory, Providers, TokenCache};
use crate::clock::Clock;
use crate::egress::relay::Relay;
use crate::inquiry::Door;
use crate::limiter::{GuardedDial, Limiter, Stores, gauge, tidy};
use crate::listen::{Acceptor, Bounds, Certificate, Peer, Proxies, Stamp, TlsError, mutual, serve, server};
use crate::observe::{Observed, probes, report};
use crate::pipeline::{Capacity, GuessLimiter, Pipeline, client};
use crate::reload::{ConfigWatch, Loaded, ReadError, read, watch_certificates};
use crate::sealing::{self, Own, Sealing};
use crate::snapshot::{CompileError, Parts};
use crate::state::State;
use crate::trace::Tracing;
use crate::upstream_identity::{GuardedTokenEndpoint, Identities};
use axum::Router;
use axum::body::Body;
use governor::clock::DefaultClock;
use http::{Request, Response};
use hyper::body::Incoming;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tollward_netguard::{Allowance, DialPolicy, FetchLimits, ResolveError, Scheme, SystemResolver};
use tollward_policy::config::{DialConfig, ListenerTls, ProcessConfig, Scheme as ConfigScheme};
use tollward_telemetry::Telemetry;
use tower::ServiceExt as _;

/// Bounds of a fetch of keys or metadata.
const FETCH: FetchLimits =
    FetchLimits { total: Duration::from_secs(10), connect: Duration::from_secs(3), max_body: 1024 * 1024 };

/// Bounds of a token exchange, for which a call waits.
const EXCHANGE: FetchLimits =
    FetchLimits { total: Duration::from_secs(5), connect: Duration::from_secs(2), max_body: 64 * 1024 };

/// Where the kernel lists the sockets of the network that this process is in.
const SOCKETS: &str = "/proc/net";

/// What a process is made of.
pub struct Setup {
    /// The configuration file.
    pub config: PathBuf,
    /// Telemetry.
    pub telemetry: Arc<Telemetry>,
    /// Where audit records go besides telemetry.
    pub sinks: Vec<Arc<dyn AuditSink>>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

/// Why a process can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The configuration's files.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// TLS.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Name resolution.
    #[error(transparent)]
    Resolver(#[from] ResolveError),
    /// A port.
    #[error("can't listen on {address}: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
}

/// A running process.
pub struct Running {
    /// Where clients connect.
    pub public: SocketAddr,
    /// Where probes connect.
    pub observe: SocketAddr,
    /// Where the operator connects.
    pub report: Option<SocketAddr>,
    /// Where the MCP server's own connections to the outside go.
    pub egress: Option<SocketAddr>,
    ending: CancellationToken,
    tasks: JoinSet<()>,
    /// Ends last, so that probes see the process drain.
    last: CancellationToken,
    last_tasks: JoinSet<()>,
    state: Arc<State>,
}

impl Running {
    /// Lets whoever may open the socket ask how callers' limits stand. It is removed when the process drains.
    pub fn answer_inquiries(&mut self, socket: &Path) -> std::io::Result<()> {
        let door = Door::open(socket)?;
        self.last_tasks.spawn(door.serve(self.state.clone(), self.last.clone()));
        Ok(())
    }

    /// Stops accepting, lets requests in flight end within their time, and returns.
    pub async fn drain(mut self) {
        self.ending.cancel();
        while self.tasks.join_next().await.is_some() {}
        self.last.cancel();
        while self.last_tasks.join_next().await.is_some() {}
    }
}

/// Starts a process: everything is bound and checked when this returns.
pub async fn start(setup: Setup) -> Result<Running, StartError> {
    let stamp = Stamp::of(&setup.config);
    let loaded = read(&setup.config)?;
    let process = loaded.config.process.clone();
    let parts = Arc::new(parts(&process.dial, None, setup.clock.clone())?);
    let state = Arc::new(State::new(parts.compile(&loaded.config, loaded.digest.clone())?, setup.clock.clone()));
    let restart_required = Arc::new(AtomicBool::new(false));
    let ending = CancellationToken::new();
    let sealing = Sealing::of(&process, &setup.clock);
    let observed = Observed {
        state: state.clone(),
        parts: parts.clone(),
        telemetry: setup.telemetry.clone(),
        draining: ending.clone(),
        restart_required: restart_required.clone(),
        sealing: sealing.clone(),
    };
    let proxies = Arc::new(Proxies::new(&process.trusted_proxies)?);
    let pipeline = Arc::new(pipeline(&setup, &state, &loaded, &proxies, &ending));
    let listeners = Listeners::bind(&process).await?;
    let mut certificates = Vec::new();
    let mut tasks = JoinSet::new();
    let (last, mut last_tasks) = (CancellationToken::new(), JoinSet::new());

    let bounds = Bounds::new(&process.http, Duration::from_secs(u64::from(process.drain_seconds)));
    let small = small(&bounds);
    let egress = relay(&process, &pipeline, &ending, &mut tasks, &mut certificates).await?;
    let public_tls = public_tls(&process, &state, &proxies, &mut certificates)?;
    // Boxed for each request: a connection would otherwise carry the room for one as long as it is open.
    let handler = move |request, peer| {
        let pipeline = pipeline.clone();
        Box::pin(async move { pipeline.serve(request, peer).await })
    };
    let (public, observe) = (listeners.public.1, listeners.observe.1);
    tasks.spawn(serve(listeners.public.0, public_tls, proxies.clone(), bounds, ending.clone(), handler));
    let probes = routed(probes(observed.clone()));
    last_tasks.spawn(serve(listeners.observe.0, None, Arc::default(), small.clone(), last.clone(), probes));
    let mut report_address = None;
    if let (Some((listener, address)), Some(config)) = (listeners.report, &process.report) {
        let certificate = Certificate::load(&config.certificate, &config.private_key)?;
        certificates.push(certificate.clone());
        let tls = Acceptor::new(mutual(certificate, &config.client_ca, &config.client_name)?);
        last_tasks.spawn(serve(listener, Some(tls), Arc::default(), small, last.clone(), routed(report(observed))));
        report_address = Some(address);
    }
    watch_sockets(sealing, &[Some(public), Some(observe), report_address], &setup, &mut last_tasks, &last);
    gauge(parts.limiter.clone(), &setup.telemetry.meter());
    parts.stores.measure(&setup.telemetry.meter());
    parts.stores.wake();
    tasks.spawn(tidy(parts.limiter.clone(), ending.clone()));
    let watch = ConfigWatch { path: setup.config, stamp, parts, state: state.clone(), process, restart_required };
    tasks.spawn(watch.run(ending.clone()));
    tasks.spawn(watch_certificates(certificates, ending.clone()));
    Ok(Running { public, observe, report: report_address, egress, ending, tasks, last, last_tasks, state })
}

/// Bounds of the listeners that are not for clients.
fn small(bounds: &Bounds) -> Bounds {
    Bounds {
        connections: 1024,
        header_timeout: Duration::from_secs(2),
        drain: Duration::from_secs(1),
        ..bounds.clone()
    }
}

/// Starts the relay of the MCP server's own connections, as far as there is one. Returns where it listens.
async fn relay(
    process: &ProcessConfig,
    pipeline: &Arc<Pipeline>,
    ending: &CancellationToken,
    tasks: &mut JoinSet<()>,
    certificates: &mut Vec<Arc<Certificate>>,
) -> Result<Option<SocketAddr>, StartError> {
    let Some(config) = &process.egress else { return Ok(None) };
    let (relay, certificate) = Relay::new(config, pipeline.auditor.clone(), pipeline.state.clone())?;
    certificates.extend(certificate);
    let (listener, address) = bind(config.listen).await?;
    let drain = Duration::from_secs(u64::from(process.drain_seconds));
    tasks.spawn(relay.serve(listener, ending.clone(), drain));
    Ok(Some(address))
}

/// Watches who else listens than the process at these addresses.
fn watch_sockets(
    sealing: Option<Arc<Sealing>>,
    own: &[Option<SocketAddr>],
    setup: &Setup,
    tasks: &mut JoinSet<()>,
    ending: &CancellationToken,
) {
    let Some(sealing) = sealing else {
        return;
    };
    sealing::gauge(sealing.clone(), &setup.telemetry.meter());
    let ports = own.iter().flatten().map(SocketAddr::port).collect();
    let own = sealing::own_user().map(|uid| Own { uid, ports });
    tasks.spawn(sealing::watch(sealing, SOCKETS.into(), own, ending.clone()));
}

fn pipeline(
    setup: &Setup,
    state: &Arc<State>,
    loaded: &Loaded,
    proxies: &Arc<Proxies>,
    ending: &CancellationToken,
) -> Pipeline {
    let mut sinks: Vec<Arc<dyn AuditSink>> = setup.sinks.clone();
    sinks.push(Arc::new(OtelSink::new(&setup.telemetry)));
    let connect = loaded.config.routes.iter().map(|route| route.upstream.connect_timeout_seconds).max().unwrap_or(2);
    Pipeline {
        state: state.clone(),
        auditor: Arc::new(Auditor::new(Arc::new(Fanout(sinks)), setup.clock.clone())),
        tracing: Tracing::new(&setup.telemetry),
        proxies: proxies.clone(),
        upstream: client(Duration::from_secs(u64::from(connect))),
        guesses: GuessLimiter::new(&DefaultClock::default()),
        capacity: Capacity::new(loaded.config.process.http.max_in_flight as usize),
        draining: ending.clone(),
    }
}

/// What outlives a configuration, empty. Keys and metadata are fetched from where `dial` lets them be, or by `keys`.
pub fn parts(dial: &DialConfig, keys: Option<Arc<dyn Fetch>>, clock: Arc<dyn Clock>) -> Result<Parts, ResolveError> {
    let policy = dial_policy(dial);
    let resolver = Arc::new(SystemResolver::from_system()?);
    let stores = GuardedDial::new(policy.clone(), resolver.clone());
    let endpoint = GuardedTokenEndpoint::new(policy.clone(), resolver.clone(), EXCHANGE);
    let fetch = keys.unwrap_or_else(|| Arc::new(GuardedFetch::new(policy, resolver, FETCH)));
    Ok(Parts {
        providers: Providers::new(fetch, clock.clone()),
        tokens: Arc::new(TokenCache::new()),
        proofs: Arc::new(ProofMemory::new(clock.unix_seconds())),
        identities: Identities::new(Arc::new(endpoint)),
        limiter: Arc::new(Limiter::new(DefaultClock::default())),
        stores: Arc::new(Stores::new(Arc::new(stores), clock.clone())),
        clock,
        own_session_keys: Mutex::default(),
        sessions: Mutex::default(),
        known: Mutex::default(),
    })
}

/// What the installer lets this process dial.
pub(crate) fn dial_policy(dial: &DialConfig) -> DialPolicy {
    let scheme = |scheme| match scheme {
        ConfigScheme::Http => Scheme::Http,
        ConfigScheme::Https => Scheme::Https,
    };
    let allow = dial.allow.iter().map(|entry| Allowance { cidr: entry.cidr, scheme: scheme(entry.scheme) }).collect();
    DialPolicy { allow, deny: dial.deny.clone() }
}

struct Listeners {
    public: (TcpListener, SocketAddr),
    observe: (TcpListener, SocketAddr),
    report: Option<(TcpListener, SocketAddr)>,
}

impl Listeners {
    async fn bind(process: &ProcessConfig) -> Result<Self, StartError> {
        let report = match &process.report {
            Some(config) => Some(bind(config.address).await?),
            None => None,
        };
        Ok(Self { public: bind(process.public.address).await?, observe: bind(process.observe).await?, report })
    }
}

pub(crate) async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |source| StartError::Bind { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

fn public_tls(
    process: &ProcessConfig,
    state: &Arc<State>,
    proxies: &Arc<Proxies>,
    certificates: &mut Vec<Arc<Certificate>>,
) -> Result<Option<Acceptor>, StartError> {
    match &process.public.tls {
        ListenerTls::Off {} => Ok(None),
        ListenerTls::Files { certificate, private_key } => {
            let certificate = Certificate::load(certificate, private_key)?;
            certificates.push(certificate.clone());
            let (state, proxies) = (state.clone(), proxies.clone());
            let wanted = move || proxies.want_certificates() || state.last_good().wants_certificates;
            Ok(Some(server(&certificate, Arc::new(wanted))?))
        }
    }
}

/// A router as a handler of connections.
pub(crate) fn routed(
    router: Router,
) -> impl Fn(Request<Incoming>, Arc<Peer>) -> futures_util::future::BoxFuture<'static, Response<Body>>
+ Clone
+ Send
+ Sync
+ 'static {
    move |request, _peer| {
        let router = router.clone();
        Box::pin(async move {
            match router.oneshot(request.map(Body::new)).await {
                Ok(response) => response,
                Err(never) => match never {},
            }
        })
    }
}

/// Waits for SIGTERM or SIGINT.
pub async fn signalled() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
