//! Everything that runs, put up in order and taken down in the opposite one: authorization server, MCP server, data plane.

use super::broker::{Audience, BuiltIn, Reserved};
use super::config_file::ConfigFile;
use super::confined::Confined;
use super::free_port::or_free;
use super::plan::{IssuerPlace, Place, UpstreamPlace, localize};
use super::records::Records;
use super::server::Server;
use crate::arguments::DevArguments;
use crate::manifests::Compiled;
use crate::screen::{Screen, Tone};
use crate::walkthrough::{Cast, Client, Ledger, Passage, Scene};
use anyhow::{Context as _, anyhow};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tollward_policy::config::{AuthConfig, RouteConfig, SidecarConfig};
use tollward_sidecar::clock::SystemClock;
use tollward_sidecar::run::{Running, Setup, start};
use tollward_sidecar::telemetry::{ServiceIdentity, Settings, Telemetry};

/// Time for the data plane to say that it is ready.
const READY: Duration = Duration::from_secs(15);
/// Time for telemetry to be flushed at the end.
const FLUSH: Duration = Duration::from_secs(3);

/// What the summary says.
pub(crate) struct Facts {
    pub(crate) name: String,
    pub(crate) endpoint: String,
    pub(crate) issuer: IssuerPlace,
    pub(crate) upstream: String,
    /// Process id and command of a server that was started here.
    pub(crate) process: Option<(u32, String)>,
    pub(crate) audit: Option<PathBuf>,
    pub(crate) manifests: Vec<PathBuf>,
    /// Where `tollward limits` asks.
    pub(crate) inquiry_socket: PathBuf,
}

/// What plays a part in the walk-through.
struct Stage {
    cast: Cast,
    ledger: Arc<Ledger>,
    decoy: String,
}

/// Everything that runs.
pub(crate) struct Stack {
    pub(crate) facts: Facts,
    place: Place,
    in_force: Mutex<SidecarConfig>,
    file: ConfigFile,
    broker: Option<BuiltIn>,
    server: Option<Server>,
    running: Running,
    telemetry: Arc<Telemetry>,
    records: Records,
    stage: Option<Stage>,
    screen: Arc<Screen>,
}

impl Stack {
    /// Puts everything up. When this returns, requests are answered.
    pub(crate) async fn start(
        arguments: &DevArguments,
        compiled: &Compiled,
        screen: &Arc<Screen>,
    ) -> anyhow::Result<Self> {
        let telemetry = telemetry(arguments.walkthrough)?;
        let records = Records::open(arguments.audit.as_deref(), screen)?;
        let reserved = reserve(arguments, compiled.declared()).await?;
        let public = or_free(arguments.port)?;
        let (server, upstream) = upstream(arguments, screen).await?;
        let secrets = arguments.secrets.iter().map(|it| (it.name.clone(), it.folder.clone())).collect();
        let issuer = issuer(arguments, reserved.as_ref());
        let place = Place { public, upstream, issuer, secrets };
        let config = localize(compiled, &place)?;
        let route = config.routes.first().context("the manifests lead to no server")?.clone();

        let stage = if arguments.walkthrough { Some(Stage::set(&route)?) } else { None };
        let audience = audience(arguments, stage.as_ref());
        let broker = reserved.map(|reserved| reserved.serve(&route, audience)).transpose()?;
        let file = ConfigFile::create(&config)?;
        let mut sinks = records.sinks();
        sinks.extend(stage.iter().map(|stage| stage.ledger.clone() as _));
        let setup = Setup { config: file.path(), telemetry: telemetry.clone(), sinks, clock: Arc::new(SystemClock) };
        let mut running =
            start(setup).await.context("Tollward can't start; if the port is taken, choose another with --port")?;
        running.answer_inquiries(&file.inquiry_socket()).context("can't make the socket for `tollward limits`")?;
        ready(&running).await?;
        Ok(Self {
            facts: facts(arguments, &route, &place, server.as_ref(), file.inquiry_socket()),
            place,
            in_force: Mutex::new(config),
            file,
            broker,
            server,
            running,
            telemetry,
            records,
            stage,
            screen: screen.clone(),
        })
    }

    /// What the walk-through plays with; `None` if it was not asked for.
    pub(crate) fn scene(&self) -> Option<Scene> {
        let stage = self.stage.as_ref()?;
        let config = self.in_force.lock().unwrap_or_else(PoisonError::into_inner);
        Some(Scene {
            route: config.routes.first()?.clone(),
            issuer: self.broker.as_ref()?.issuer().to_owned(),
            issuer_kind: "built in",
            behind: config.routes.first()?.upstream.url.clone(),
            cast: stage.cast.clone(),
            ledger: stage.ledger.clone(),
            decoy: stage.decoy.clone(),
            edit: None,
        })
    }

    /// From now on audit records are shown.
    pub(crate) fn show_records(&self) {
        if let Some(stage) = &self.stage {
            stage.ledger.close();
        }
        self.records.show();
    }

    /// Puts a newly compiled configuration in force. `false` if it says nothing new.
    pub(crate) fn update(&self, compiled: &Compiled) -> anyhow::Result<bool> {
        let next = localize(compiled, &self.place)?;
        let mut in_force = self.in_force.lock().unwrap_or_else(PoisonError::into_inner);
        if *in_force == next {
            return Ok(false);
        }
        let (Some(route), Some(former)) = (next.routes.first(), in_force.routes.first()) else {
            return Err(anyhow!("the manifests lead to no server"));
        };
        if route.server != former.server
            || matches!(route.auth, AuthConfig::OAuth { .. }) != matches!(former.auth, AuthConfig::OAuth { .. })
        {
            return Err(anyhow!("another server or another auth.mode needs a new start of `tollward dev`"));
        }
        let known = |route: &RouteConfig| (route.endpoint.clone(), route.scopes.clone(), route.initial_scopes.clone());
        if let Some(broker) = self.broker.as_ref().filter(|_| known(route) != known(former)) {
            broker.renew(route)?;
            self.screen.line(
                &self.screen.paint(Tone::Quiet, "the scopes or the endpoint changed: clients have to sign in again"),
            );
        }
        self.file.write(&next)?;
        *in_force = next;
        Ok(true)
    }

    /// Ends when the MCP server ended by itself. Never, if it was not started here.
    pub(crate) async fn server_ended(&self) -> anyhow::Error {
        match &self.server {
            Some(server) => server.life().ended().await,
            None => std::future::pending().await,
        }
    }

    /// Takes everything down: requests in flight end first, then the MCP server, then what was recorded is written.
    pub(crate) async fn stop(self) {
        let Self { running, server, broker, records, telemetry, screen, stage, .. } = self;
        running.drain().await;
        if let Some(server) = server {
            server.stop().await;
        }
        drop((broker, stage));
        let dropped = records.close().await;
        if dropped > 0 {
            screen.error(&format!("{dropped} audit records came faster than they could be written, and were not"));
        }
        if let Err(error) = telemetry.shutdown(FLUSH).await {
            screen.error(&format!("telemetry was not flushed: {error}"));
        }
    }
}

impl Stage {
    fn set(route: &RouteConfig) -> anyhow::Result<Self> {
        let cast = Cast::of(route)?;
        Ok(Self { cast, ledger: Arc::new(Ledger::new()), decoy: format!("{}-elsewhere", route.endpoint.url) })
    }
}

/// The log is for what goes wrong; each call has its line anyway. The walk-through provokes warnings on purpose.
fn telemetry(walkthrough: bool) -> anyhow::Result<Arc<Telemetry>> {
    let settings = Settings::from_lookup(|name| {
        std::env::var(name).ok().or_else(|| match name {
            "TOLLWARD_LOG" => Some(if walkthrough { "error" } else { "warn" }.to_owned()),
            "TOLLWARD_LOG_FORMAT" => Some("text".to_owned()),
            _ => None,
        })
    })?;
    let identity = ServiceIdentity {
        name: "tollward-dev".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        namespace: None,
        instance: None,
    };
    let telemetry = Telemetry::start(&identity, &settings)?;
    telemetry.install_subscriber()?;
    Ok(Arc::new(telemetry))
}

/// Binds the built-in authorization server's port, if one is needed.
async fn reserve(arguments: &DevArguments, config: &SidecarConfig) -> anyhow::Result<Option<Reserved>> {
    let tokens = config.routes.iter().any(|route| matches!(route.auth, AuthConfig::OAuth { .. }));
    if !tokens && arguments.walkthrough {
        return Err(anyhow!("the walk-through needs a server with auth.mode OAuth"));
    }
    if !tokens || arguments.issuer.is_some() {
        return Ok(None);
    }
    Reserved::bind(arguments.broker_port).await.map(Some)
}

/// Starts the MCP server, if it is not running already.
async fn upstream(arguments: &DevArguments, screen: &Arc<Screen>) -> anyhow::Result<(Option<Server>, UpstreamPlace)> {
    if let Some(url) = &arguments.upstream {
        return Ok((None, UpstreamPlace::Url(url.clone())));
    }
    let port = or_free(0)?.port();
    let confined = Confined::new(&arguments.server_command, port, &arguments.sandbox, screen)?;
    let server = Server::start(confined, port, screen, !arguments.walkthrough)?;
    server.accepts(port).await?;
    Ok((Some(server), UpstreamPlace::Port(port)))
}

fn issuer(arguments: &DevArguments, reserved: Option<&Reserved>) -> IssuerPlace {
    match (reserved, &arguments.issuer) {
        (Some(reserved), _) => IssuerPlace::BuiltIn(reserved.issuer().to_owned()),
        (None, Some(issuer)) => IssuerPlace::Given(issuer.clone()),
        (None, None) => IssuerPlace::Nobody,
    }
}

fn audience(arguments: &DevArguments, stage: Option<&Stage>) -> Audience {
    let mut users = arguments.users.clone();
    users.extend(stage.map(|stage| stage.cast.claim()));
    Audience { users, decoy: stage.map(|stage| stage.decoy.clone()) }
}

fn facts(
    arguments: &DevArguments,
    route: &RouteConfig,
    place: &Place,
    server: Option<&Server>,
    inquiry_socket: PathBuf,
) -> Facts {
    Facts {
        name: route.server.name.clone(),
        endpoint: route.endpoint.url.clone(),
        issuer: place.issuer.clone(),
        upstream: route.upstream.url.clone(),
        process: server.map(|server| (server.id(), arguments.server_command.join(" "))),
        audit: arguments.audit.clone(),
        manifests: arguments.files.filename.clone(),
        inquiry_socket,
    }
}

/// Waits for the data plane to have the keys that it needs.
async fn ready(running: &Running) -> anyhow::Result<()> {
    let client = Client::new(Passage::local()?);
    let probe = format!("http://{}/readyz", running.observe);
    let deadline = Instant::now() + READY;
    loop {
        let answer = client.get(&probe).await?;
        if answer.status.is_success() {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(anyhow!("Tollward is not ready after {} s: {}", READY.as_secs(), answer.text().trim()));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
