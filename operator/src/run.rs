//! Puts an operator together and takes it apart. Construction is separate from running, so that tests run the very control
//! plane that production runs.

use crate::authority::{Authority, DEFAULT_PERIOD, RootError, load_or_create};
use crate::backoff::Attempts;
use crate::cache::{self, Caches, Queues};
use crate::clock::SharedClock;
use crate::context::{Context, FIELD_MANAGER};
use crate::controllers;
use crate::discovery::{Discoveries, DiscoverySource};
use crate::events::Events;
use crate::install::Install;
use crate::leadership::{Leadership, LeadershipError};
use crate::metrics::Metrics;
use crate::observe::{Observed, routes};
use crate::report::{MutualTls, ReportBook, ReportSource};
use crate::retiring::Retiring;
use crate::sharing::Sharing;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use serde_json::json;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tollward_telemetry::Telemetry;

/// Name of the ConfigMap with the authority's certificate, for clients of issued endpoints.
pub const CA_CONFIG_MAP: &str = "tollward-ca";
/// How long requests of the observe listener may take to end.
const LAST: Duration = Duration::from_secs(2);

/// What an operator is made of.
pub struct Setup {
    /// The API server.
    pub client: Client,
    /// The installer's decisions.
    pub install: Install,
    /// The operator's own namespace.
    pub namespace: String,
    /// Name of this instance, for events.
    pub instance: Option<String>,
    /// Where probes and Prometheus connect.
    pub observe: SocketAddr,
    /// Who leads.
    pub leadership: Box<dyn Leadership>,
    /// Asks issuers.
    pub discovery: Arc<dyn DiscoverySource>,
    /// Asks sidecars; `None` means over mutual TLS.
    pub reports: Option<Arc<dyn ReportSource>>,
    /// Telemetry.
    pub telemetry: Arc<Telemetry>,
    /// Time.
    pub clock: SharedClock,
}

/// Why an operator can't start, or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The root keys.
    #[error(transparent)]
    Root(#[from] RootError),
    /// The lease.
    #[error(transparent)]
    Leadership(#[from] LeadershipError),
    /// A port.
    #[error("can't listen on {address}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// Another operator leads.
    #[error("the lease was lost; another operator leads now")]
    LeaseLost,
    /// A part that must run ended.
    #[error("a part of the operator ended unexpectedly; see the log")]
    PartEnded,
}

/// A running operator.
pub struct Running {
    /// Where probes connect.
    pub observe: SocketAddr,
    /// The caches.
    pub caches: Caches,
    context: Arc<Context>,
    leadership: Box<dyn Leadership>,
    ready: Arc<AtomicBool>,
    watches: JoinSet<()>,
    listener: JoinSet<()>,
    last: CancellationToken,
}

/// Starts an operator: keys are there, the listener is bound, watches are on their way.
pub async fn start(setup: Setup) -> Result<Running, RunError> {
    let now = setup.clock.now();
    let authority = Arc::new(load_or_create(&setup.client, &setup.namespace, DEFAULT_PERIOD, now).await?);
    let (listener, observe) = bind(setup.observe).await?;
    let ready = Arc::new(AtomicBool::new(false));
    let last = CancellationToken::new();
    let mut tasks = JoinSet::new();
    let observed = Observed { telemetry: setup.telemetry.clone(), ready: ready.clone() };
    let ending = last.clone();
    tasks.spawn(async move {
        let serving = axum::serve(listener, routes(observed)).with_graceful_shutdown(ending.cancelled_owned());
        if let Err(error) = serving.await {
            tracing::error!(%error, "the observe listener ended");
        }
    });
    let queues = Arc::new(Queues::default());
    let (caches, watches) = cache::start(&setup.client, &setup.install.watch_namespaces, &queues);
    let leadership = setup.leadership;
    let settings = setup.install.settings;
    let reports = setup.reports.unwrap_or_else(|| {
        Arc::new(MutualTls::new(authority.clone(), settings.report_client_name.clone(), setup.clock.clone()))
    });
    publish(&setup.client, &setup.namespace, &authority).await;
    let context = Arc::new(Context {
        events: Events::new(setup.client.clone(), setup.instance),
        client: setup.client,
        caches: caches.clone(),
        queues: queues.clone(),
        install: settings,
        authority,
        retiring: Retiring::default(),
        reports,
        book: ReportBook::default(),
        discoveries: Discoveries::new(setup.discovery, queues, setup.clock.clone()),
        clock: setup.clock,
        attempts: Attempts::default(),
        sharing: Sharing::default(),
        metrics: Metrics::new(&setup.telemetry),
    });
    Ok(Running { observe, caches, context, leadership, ready, watches, listener: tasks, last })
}

impl Running {
    /// Works until the token is cancelled, the lease is lost, or a part fails; then lets go of everything.
    pub async fn until(mut self, ending: CancellationToken) -> Result<(), RunError> {
        let result = self.work(&ending).await;
        ending.cancel();
        self.ready.store(false, Ordering::Relaxed);
        self.watches.abort_all();
        // A lease that is lost can't be given back; releasing it then does nothing.
        self.leadership.release().await;
        self.last.cancel();
        if tokio::time::timeout(LAST, self.listener.join_next()).await.is_err() {
            self.listener.abort_all();
        }
        result
    }

    async fn work(&mut self, ending: &CancellationToken) -> Result<(), RunError> {
        tokio::select! {
            () = ending.cancelled() => return Ok(()),
            () = self.caches.filled() => {}
        }
        self.ready.store(true, Ordering::Relaxed);
        tracing::info!("the caches are filled");
        tokio::select! {
            () = ending.cancelled() => return Ok(()),
            acquired = self.leadership.acquired() => acquired?,
        }
        tracing::info!("leading");
        let stop = ending.child_token();
        let work = controllers::run(self.context.clone(), stop.clone());
        tokio::pin!(work);
        let result = tokio::select! {
            () = &mut work => return if ending.is_cancelled() { Ok(()) } else { Err(RunError::PartEnded) },
            () = self.leadership.lost() => return Err(RunError::LeaseLost),
            _ = self.watches.join_next() => Err(RunError::PartEnded),
        };
        // What is being written is finished, so that no object is left half-done without need.
        stop.cancel();
        work.await;
        result
    }
}

/// Publishes the authority's certificate. Nobody's traffic depends on it, so a failure is only told.
async fn publish(client: &Client, namespace: &str, authority: &Authority) {
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let object = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": CA_CONFIG_MAP, "labels": {"app.kubernetes.io/part-of": "tollward"}},
        "data": {"ca.crt": authority.certificate()},
    });
    let parameters = PatchParams::apply(FIELD_MANAGER).force();
    if let Err(error) = api.patch(CA_CONFIG_MAP, &parameters, &Patch::Apply(&object)).await {
        tracing::warn!(name = CA_CONFIG_MAP, %error, "the certificate authority could not be published");
    }
}

async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), RunError> {
    let failed = |source| RunError::Bind { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}
