//! Streamable HTTP: puts the MCP server on a socket.
//!
//! rmcp speaks both protocol eras on one endpoint: the stateless 2026-07-28 revision, and the older revisions with a
//! session that starts with `initialize`. This file owns the path, the `Host` rule and a stop that ends in bounded time.

use std::future::IntoFuture as _;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::server::Catalog;
use crate::shop::Shop;

/// Path of the MCP endpoint.
pub const PATH: &str = "/mcp";

/// How long open requests may go on after a stop was asked for. Clients hold event streams open for as long as they
/// live, so that a stop without a limit would wait for them.
const DRAIN: Duration = Duration::from_secs(5);

/// Serves `shop` on `listener` until `shutdown` is cancelled, then lets open requests finish.
///
/// `allowed_hosts` are the `Host` header values answered besides loopback; others get 403, which keeps a browser page
/// from reaching the server by a name of its own.
pub async fn serve(
    listener: TcpListener,
    shop: Shop,
    allowed_hosts: Vec<String>,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let catalog = Catalog::new(Arc::new(shop));
    let mut config = StreamableHttpServerConfig::default().with_cancellation_token(shutdown.child_token());
    config.allowed_hosts.extend(allowed_hosts);
    let service =
        StreamableHttpService::new(move || Ok(catalog.clone()), Arc::new(LocalSessionManager::default()), config);
    let router = axum::Router::new().nest_service(PATH, service);

    let serving =
        axum::serve(listener, router).with_graceful_shutdown(shutdown.clone().cancelled_owned()).into_future();
    tokio::select! {
        outcome = serving => outcome.context("the HTTP server failed"),
        () = drained(&shutdown) => Ok(()),
    }
}

/// Ends when the time for open requests is over.
async fn drained(shutdown: &CancellationToken) {
    shutdown.cancelled().await;
    tokio::time::sleep(DRAIN).await;
}
