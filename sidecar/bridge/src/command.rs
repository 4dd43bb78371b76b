//! The program's arguments and its life.

use crate::bridge::Bridge;
use crate::install::install;
use crate::serve::{Door, serve};
use crate::settings::{Launch, SessionMode, Settings};
use anyhow::Context as _;
use clap::{Parser, Subcommand};
use std::ffi::OsString;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// An MCP server that speaks standard input and output, served on a Unix socket.
#[derive(Parser)]
#[command(name = "tollward-bridge", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve until SIGTERM or SIGINT.
    #[command(
        after_help = "Example:\n  tollward-bridge run --socket mcp.sock -- npx -y @modelcontextprotocol/server-everything stdio"
    )]
    Run(Run),
    /// Copy this program into a folder.
    Install {
        /// The folder.
        folder: PathBuf,
    },
}

#[derive(clap::Args)]
struct Run {
    /// The socket that is made here.
    #[arg(long)]
    socket: PathBuf,
    /// Whether each session has a process of its own.
    #[arg(long, value_enum, default_value = "PerSession")]
    session: SessionMode,
    /// The only user id that may connect, besides the bridge's own. Without it, whom the socket's permissions let.
    #[arg(long)]
    peer_uid: Option<u32>,
    /// Processes that may run at a time.
    #[arg(long, default_value = "64", value_parser = clap::value_parser!(u16).range(1..=1024))]
    max_processes: u16,
    /// Seconds after which a session that nobody uses ends.
    #[arg(long, default_value = "1800", value_parser = clap::value_parser!(u32).range(1..=604_800))]
    idle_timeout_seconds: u32,
    /// Bytes that one message may have, in either direction.
    #[arg(long, default_value = "4194304", value_parser = clap::value_parser!(u32).range(1024..=67_108_864))]
    max_message_bytes: u32,
    /// The server's program and its arguments.
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

/// Runs the program with the arguments of the process.
pub fn main() -> anyhow::Result<ExitCode> {
    match Arguments::parse().command {
        Command::Install { folder } => install(&folder)?,
        Command::Run(run) => start(run)?,
    }
    Ok(ExitCode::SUCCESS)
}

#[tokio::main(flavor = "current_thread")]
async fn start(run: Run) -> anyhow::Result<()> {
    let mut command = run.command.into_iter();
    let launch = Launch {
        program: command.next().context("which program? Name it after two dashes")?,
        arguments: command.collect(),
        max_message_bytes: run.max_message_bytes as usize,
    };
    let settings = Settings {
        launch,
        mode: run.session,
        max_processes: usize::from(run.max_processes),
        idle: Duration::from_secs(u64::from(run.idle_timeout_seconds)),
        adopts: true,
        // Nobody is there to be told that standard error is gone.
        log: Arc::new(|line| drop(writeln!(std::io::stderr().lock(), "{line}"))),
    };
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let socket = run.socket.display().to_string();
    let door = Door::bind(&run.socket, run.peer_uid).with_context(|| format!("can't make the socket {socket}"))?;
    let bridge = Bridge::new(settings).context("can't take care of what servers leave behind")?;
    serve(door, bridge, async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
    .await;
    Ok(())
}
