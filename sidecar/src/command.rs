//! The command line: `tollward-sidecar run --config FILE`, `tollward-sidecar check-config FILE`.

use crate::{clock::SystemClock, reload, run};
use anyhow::Context as _;
use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tollward_telemetry::{ServiceIdentity, Settings, Telemetry};

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
    },
    /// Say whether a configuration file would be put in force, and everything that is wrong with it.
    CheckConfig {
        /// The configuration file, JSON.
        file: PathBuf,
    },
}

/// Runs the program with the arguments of the process.
pub fn main() -> anyhow::Result<ExitCode> {
    match Arguments::parse().command {
        Command::CheckConfig { file } => Ok(check(&file)),
        Command::Run { config } => serve(config),
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

#[tokio::main]
async fn serve(config: PathBuf) -> anyhow::Result<ExitCode> {
    let settings = Settings::from_lookup(|name| std::env::var(name).ok())?;
    let identity = ServiceIdentity {
        name: "tollward-sidecar".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        namespace: std::env::var("POD_NAMESPACE").ok(),
        instance: std::env::var("POD_NAME").ok(),
    };
    let telemetry = Arc::new(Telemetry::start(&identity, &settings)?);
    telemetry.install_subscriber()?;
    let setup = run::Setup { config, telemetry: telemetry.clone(), sinks: Vec::new(), clock: Arc::new(SystemClock) };
    let running = run::start(setup).await.context("the sidecar can't start")?;
    tracing::info!(public = %running.public, observe = %running.observe, "serving");
    run::signalled().await?;
    tracing::info!("draining");
    running.drain().await;
    telemetry.shutdown(Duration::from_secs(5)).await.context("telemetry was not flushed")?;
    Ok(ExitCode::SUCCESS)
}
