//! The command line.

use crate::clock::SystemClock;
use crate::discovery::GuardedDiscovery;
use crate::install::Install;
use crate::leadership::{Alone, ByLease, Leadership};
use crate::run::{self, Setup};
use anyhow::Context as _;
use clap::{Parser, Subcommand};
use kube::{Client, Config};
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tollward_netguard::SystemResolver;
use tollward_telemetry::{ServiceIdentity, Settings, Telemetry};

/// How long telemetry may take to be flushed.
const FLUSH: Duration = Duration::from_secs(5);

/// Runs MCP servers behind Tollward, as custom resources describe them.
#[derive(Debug, Parser)]
#[command(
    name = "tollward-operator",
    version,
    after_help = "Examples:\n  tollward-operator crds | kubectl apply --server-side -f -\n  tollward-operator run --install install.yaml \
                  --namespace tollward\n  tollward-operator run --install /etc/tollward/install.yaml --leader-election --observe 0.0.0.0:8080"
)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Work until SIGTERM or SIGINT.
    Run(RunArguments),
    /// Print the custom resource definitions as YAML.
    Crds,
}

#[derive(Debug, clap::Args)]
struct RunArguments {
    /// The installer's file, YAML or JSON: image of the data plane, whom it may dial, watched namespaces.
    #[arg(long, env = "TOLLWARD_INSTALL")]
    install: PathBuf,
    /// The operator's own namespace.
    #[arg(long, env = "POD_NAMESPACE")]
    namespace: String,
    /// Take turns with other operators of this installation.
    #[arg(long, env = "TOLLWARD_LEADER_ELECTION")]
    leader_election: bool,
    /// Name of this instance among the operators; must be unique.
    #[arg(long, env = "POD_NAME", default_value_t = instance())]
    instance: String,
    /// Where probes and Prometheus connect.
    #[arg(long, env = "TOLLWARD_OBSERVE", default_value = "127.0.0.1:8080")]
    observe: SocketAddr,
}

fn instance() -> String {
    format!("operator-{}", uuid::Uuid::new_v4())
}

impl Arguments {
    /// Does what the command line says.
    pub async fn execute(self) -> anyhow::Result<()> {
        match self.command {
            Command::Crds => print_definitions(),
            Command::Run(arguments) => arguments.execute().await,
        }
    }
}

fn print_definitions() -> anyhow::Result<()> {
    let mut output = std::io::stdout().lock();
    for definition in tollward_api::crds()? {
        writeln!(output, "---\n{}", tollward_api::yaml(&definition)?)?;
    }
    Ok(())
}

impl RunArguments {
    async fn execute(self) -> anyhow::Result<()> {
        let identity = ServiceIdentity {
            name: "tollward-operator".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            namespace: None,
            instance: Some(self.instance.clone()),
        };
        let settings = Settings::from_lookup(|name| std::env::var(name).ok())?;
        let telemetry = Arc::new(Telemetry::start(&identity, &settings)?);
        telemetry.install_subscriber()?;
        let result = self.work(telemetry.clone()).await;
        if let Err(error) = &result {
            tracing::error!(error = format!("{error:#}"), "the operator ends");
        }
        if let Err(error) = telemetry.shutdown(FLUSH).await {
            tracing::warn!(%error, "telemetry was not flushed in time");
        }
        result
    }

    async fn work(self, telemetry: Arc<Telemetry>) -> anyhow::Result<()> {
        let install = Install::read(&self.install, &self.namespace)?;
        let mut config = Config::infer().await.context("no cluster: run in a pod, or with a kubeconfig")?;
        // Reconciles have a backoff of their own; a client that retries for minutes would hold their places.
        config.default_retry = false;
        let client = Client::try_from(config)?;
        let leadership: Box<dyn Leadership> = if self.leader_election {
            Box::new(ByLease::join(client.clone(), &self.namespace, &self.instance).await?)
        } else {
            Box::new(Alone)
        };
        let resolver = Arc::new(SystemResolver::from_system()?);
        let discovery = Arc::new(GuardedDiscovery::new(client.clone(), &install.settings.dial, resolver));
        let setup = Setup {
            client,
            install,
            namespace: self.namespace,
            instance: Some(self.instance),
            observe: self.observe,
            leadership,
            discovery,
            reports: None,
            telemetry,
            clock: Arc::new(SystemClock),
        };
        let ending = CancellationToken::new();
        let on_signal = ending.clone();
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            tracing::info!("ending");
            on_signal.cancel();
        });
        Ok(run::start(setup).await?.until(ending).await?)
    }
}
