//! `tollward dev`: the data plane of production, on this machine, in front of an MCP server that the user starts.
//!
//! Flow: compile the manifests with the operator's own code -> [`stack`] puts the built-in broker, the MCP server and the
//! data plane up -> [`summary`] says where -> [`watch`] keeps the policy current -> the walk-through, a signal or the end
//! of the MCP server ends it -> everything is drained and the MCP server's processes are gone.
//!
//! It listens on loopback only, and starts no command that does not stand on the command line.

mod broker;
mod config_file;
mod confined;
mod free_port;
mod plan;
mod records;
mod server;
mod stack;
mod summary;
mod watch;

use crate::arguments::DevArguments;
use crate::check;
use crate::manifests::{self, Compiled};
use crate::screen::{Screen, Tone};
use crate::walkthrough::{self, Client, Passage};
use anyhow::Context as _;
use stack::Stack;
use std::process::ExitCode;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// How a session ended.
enum Ended {
    /// By a signal.
    Signalled,
    /// The walk-through was played; whether every answer was as described.
    Played(bool),
}

/// Runs until a signal, the end of the walk-through, or the end of the MCP server.
pub(crate) fn run(arguments: DevArguments, screen: &Arc<Screen>) -> anyhow::Result<ExitCode> {
    anyhow::ensure!(
        arguments.upstream.is_some() || !arguments.server_command.is_empty(),
        "which MCP server? Add its command after two dashes, for instance `-- node server.js`, or --upstream URL"
    );
    for secret in &arguments.secrets {
        anyhow::ensure!(
            secret.folder.is_dir(),
            "--secret {}: {} is no folder; make one with a file for each key",
            secret.name,
            secret.folder.display()
        );
    }
    let compiled = match manifests::compile(&arguments.files.filename, arguments.server.as_deref()) {
        Ok(compiled) => compiled,
        Err(refused) => return Ok(check::refuse(&refused, screen)),
    };
    check::print_notices(&compiled.notices, screen);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("can't start the runtime")?;
    let outcome = runtime.block_on(session(arguments, &compiled, screen));
    // Threads that still wait for something must not hold up the end.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    outcome
}

async fn session(arguments: DevArguments, compiled: &Compiled, screen: &Arc<Screen>) -> anyhow::Result<ExitCode> {
    let stop = signals()?;
    let stack = tokio::select! {
        () = stop.cancelled() => return Ok(ExitCode::SUCCESS),
        stack = Stack::start(&arguments, compiled, screen) => stack?,
    };
    let ended = tokio::select! {
        () = stop.cancelled() => Ok(Ended::Signalled),
        fault = stack.server_ended() => Err(fault),
        ended = serve(&arguments, &stack, screen) => ended,
    };
    if matches!(ended, Ok(Ended::Signalled)) {
        screen.gap();
        screen.line(&screen.paint(Tone::Quiet, "stopping: requests in flight may end"));
    }
    stack.stop().await;
    Ok(match ended? {
        Ended::Signalled | Ended::Played(true) => ExitCode::SUCCESS,
        Ended::Played(false) => ExitCode::FAILURE,
    })
}

/// Plays the walk-through if it was asked for; otherwise serves for ever.
async fn serve(arguments: &DevArguments, stack: &Stack, screen: &Arc<Screen>) -> anyhow::Result<Ended> {
    if let Some(scene) = stack.scene() {
        let as_described = walkthrough::play(scene, Client::new(Passage::local()?), screen).await?;
        if !(as_described && arguments.stay) {
            return Ok(Ended::Played(as_described));
        }
    }
    // First: whoever reads the summary may call at once, and that call has its line too.
    stack.show_records();
    summary::print(&stack.facts, screen);
    match watch::run(&arguments.files.filename, arguments.server.as_deref(), stack, screen).await {}
}

/// Cancelled by the first SIGINT (Ctrl-C), SIGTERM, or SIGHUP (the terminal was closed).
fn signals() -> anyhow::Result<CancellationToken> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context("can't listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("can't listen for SIGINT")?;
    let mut hang_up = signal(SignalKind::hangup()).context("can't listen for SIGHUP")?;
    let stop = CancellationToken::new();
    let signalled = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hang_up.recv() => {}
        }
        signalled.cancel();
    });
    Ok(stop)
}
