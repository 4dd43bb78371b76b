//! The `catalog` program: reads its settings from the environment, says where it listens, serves until it is told to
//! stop. Everything else is in the library.

use std::io::Write as _;

use anyhow::Context as _;
use catalog::{http, settings::Settings, shop::Shop};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let settings = Settings::read(|name| std::env::var(name).ok())?;
    let listener = TcpListener::bind((settings.host.as_str(), settings.port))
        .await
        .with_context(|| format!("cannot listen on {}:{}; set HOST and PORT", settings.host, settings.port))?;
    let stop = stop_on_signal()?;
    announce(&listener)?;
    http::serve(listener, Shop::stocked(), settings.allowed_hosts, stop).await
}

/// One line on standard output, so that whoever started the program with `PORT=0` learns the address.
fn announce(listener: &TcpListener) -> anyhow::Result<()> {
    let address = listener.local_addr().context("cannot read the address that was bound")?;
    let mut output = std::io::stdout().lock();
    writeln!(output, "listening on http://{address}/mcp").context("cannot write to standard output")?;
    output.flush().context("cannot write to standard output")
}

/// Cancelled by the first SIGTERM (Kubernetes) or SIGINT (a terminal).
fn stop_on_signal() -> anyhow::Result<CancellationToken> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let stop = CancellationToken::new();
    let signalled = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        signalled.cancel();
    });
    Ok(stop)
}
