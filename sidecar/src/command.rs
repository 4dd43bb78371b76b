//! The command line: `tollward-sidecar run --config FILE`, `tollward-sidecar egress --config FILE`, `tollward-sidecar check-config FILE`,
//! and `tollward-sidecar limits`, which asks the process that runs beside it.

use crate::audit::{AuditSink, LinesSink};
use crate::{clock::SystemClock, inquiry, reload, run, run_egress};
use anyhow::Context as _;
use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tollward_netguard::SystemResolver;
use tollward_policy::inquiry::SOCKET_VARIABLE;
use tollward_telemetry::{ServiceIdentity, Settings, Telemetry};

/// How long the last records and spans may take to leave.
const FLUSH: Duration = Duration::from_secs(5);

/// Authorization, limits and audit in front of an MCP server.
#[derive(Parser)]
#[command(
    name = "tollward-sidecar",
    version,
    after_help = "Example:\n  tollward-sidecar check-config /etc/tollward/config.json"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve until SIGTERM or SIGINT.
    Run {
        /// The configuration file, JSON. It is read again when it changes.
        #[arg(long, env = "TOLLWARD_CONFIG")]
        config: PathBuf,
        /// A socket that is made here, at which `limits` is answered. Who may open it may see every caller's limits.
        #[arg(long, env = SOCKET_VARIABLE)]
        inquiry_socket: Option<PathBuf>,
    },
    /// Carry connections of MCP servers to where their lists permit, until SIGTERM or SIGINT: the egress proxy of a namespace.
    Egress {
        /// The configuration file, JSON. It is read again when it changes.
        #[arg(long, env = "TOLLWARD_CONFIG")]
        config: PathBuf,
    },
    /// Ask the process that runs how a caller's limits stand. `tollward limits` does, in every replica.
    #[command(
        after_help = "The question is a line of JSON on standard input, since a command line is seen by others.\n\nExample:\n  echo '{\"subject\":\"ada\",\"tools\":[\"search\"]}' | tollward-sidecar limits"
    )]
    Limits {
        /// The socket of the process.
        #[arg(long, env = SOCKET_VARIABLE)]
        inquiry_socket: PathBuf,
    },
    /// Say whether a configuration file would be put in force, and everything that is wrong with it.
    CheckConfig {
        /// The configuration file, JSON.
        file: PathBuf,
        /// It is the file of an egress proxy.
        #[arg(long)]
        egress: bool,
    },
}

/// Runs the program with the arguments of the process.
pub fn main() -> anyhow::Result<ExitCode> {
    match Arguments::parse().command {
        Command::CheckConfig { file, egress: false } => Ok(check(&file)),
        Command::CheckConfig { file, egress: true } => Ok(check_egress(&file)),
        Command::Egress { config } => carry(config),
        Command::Run { config, inquiry_socket } => serve(config, inquiry_socket),
        Command::Limits { inquiry_socket } => {
            let question = inquiry::read_question(std::io::stdin().lock()).context("the question can't be read")?;
            println!("{}", inquiry::ask(&inquiry_socket, &question)?);
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn check(file: &std::path::Path) -> ExitCode {
    match reload::read(file) {
        Ok(loaded) => {
            println!("{} is valid: {} server(s), {}", file.display(), loaded.config.routes.len(), loaded.digest);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn check_egress(file: &std::path::Path) -> ExitCode {
    match run_egress::read_egress(file) {
        Ok((config, digest)) => {
            println!("{} is valid: {} server(s), {digest}", file.display(), config.servers.len());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Telemetry and audit records of a process.
struct Output {
    telemetry: Arc<Telemetry>,
    sinks: Vec<Arc<dyn AuditSink>>,
    writer: JoinHandle<std::io::Result<()>>,
}

fn output(name: &str) -> anyhow::Result<Output> {
    let settings = Settings::from_lookup(|name| std::env::var(name).ok())?;
    let identity = ServiceIdentity {
        name: name.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        namespace: std::env::var("POD_NAMESPACE").ok(),
        instance: std::env::var("POD_NAME").ok(),
    };
    let telemetry = Arc::new(Telemetry::start(&identity, &settings)?);
    telemetry.install_subscriber()?;
    // Records go to standard output, one line each, and logs to standard error, so that a collector of container logs
    // can tell them apart. With OTLP they go there as well.
    let (lines, writer) = LinesSink::new();
    let writer = std::thread::Builder::new().name("audit".to_owned()).spawn(move || writer.run(std::io::stdout()))?;
    let sinks: Vec<Arc<dyn AuditSink>> = vec![Arc::new(lines.counted(&telemetry))];
    Ok(Output { telemetry, sinks, writer })
}

#[tokio::main]
async fn carry(config: PathBuf) -> anyhow::Result<ExitCode> {
    let Output { telemetry, sinks, writer } = output("tollward-egress")?;
    let resolver = Arc::new(SystemResolver::from_system()?);
    let clock = Arc::new(SystemClock);
    let setup = run_egress::EgressSetup { config, telemetry: telemetry.clone(), sinks, clock, resolver };
    let running = run_egress::start(setup).await.context("the egress proxy can't start")?;
    tracing::info!(listen = %running.listen, observe = %running.observe, "serving");
    run::signalled().await?;
    tracing::info!("draining");
    running.drain().await;
    Ok(finished(writer, &telemetry).await)
}

#[tokio::main]
async fn serve(config: PathBuf, inquiry_socket: Option<PathBuf>) -> anyhow::Result<ExitCode> {
    let Output { telemetry, sinks, writer } = output("tollward-sidecar")?;
    let setup = run::Setup { config, telemetry: telemetry.clone(), sinks, clock: Arc::new(SystemClock) };
    let mut running = run::start(setup).await.context("the sidecar can't start")?;
    if let Some(socket) = inquiry_socket
        && let Err(error) = running.answer_inquiries(&socket)
    {
        // Callers are served nevertheless: nobody's request depends on it.
        tracing::warn!(socket = %socket.display(), %error, "`tollward limits` is not answered");
    }
    tracing::info!(public = %running.public, observe = %running.observe, "serving");
    run::signalled().await?;
    tracing::info!("draining");
    running.drain().await;
    Ok(finished(writer, &telemetry).await)
}

async fn finished(writer: JoinHandle<std::io::Result<()>>, telemetry: &Telemetry) -> ExitCode {
    finish(writer).await;
    // Callers were served and the records are on standard output: a collector that is away is no failure of this process.
    if let Err(error) = telemetry.shutdown(FLUSH).await {
        tracing::error!(%error, "telemetry was not flushed");
    }
    ExitCode::SUCCESS
}

/// Waits for the last records to be written, unless a connection that outlived the drain still holds the sink.
async fn finish(writer: JoinHandle<std::io::Result<()>>) {
    let joined = tokio::task::spawn_blocking(move || writer.join());
    match tokio::time::timeout(FLUSH, joined).await {
        Ok(Ok(Ok(Ok(())))) => {}
        Ok(Ok(Ok(Err(error)))) => tracing::error!(%error, "audit records could not be written"),
        Ok(Ok(Err(_)) | Err(_)) => tracing::error!("the writer of audit records failed"),
        Err(_) => tracing::warn!("connections that outlived the drain may still write audit records"),
    }
}
