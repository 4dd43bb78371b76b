//! Accepts connections within their bound and lets them end in their time. One task carries a connection from its first byte to the last,
//! so that its place is held for exactly as long.

use crate::listen;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Hands each connection to `handler` until `ending` is cancelled, then waits for them as long as `patience`.
pub(crate) async fn accept<F, R>(
    listener: TcpListener,
    most: u32,
    ending: CancellationToken,
    patience: Duration,
    handler: F,
) where
    F: Fn(TcpStream, SocketAddr) -> R,
    R: Future<Output = ()> + Send + 'static,
{
    let slots = Arc::new(Semaphore::new(most as usize));
    let mut tasks = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listen::next(&listener, &slots, &ending) => {
                let Some((stream, peer, slot)) = accepted else { break };
                if let Err(error) = listen::tune(&stream) {
                    tracing::debug!(%peer, %error, "a connection could not be tuned");
                }
                let carried = handler(stream, peer);
                tasks.spawn(async move {
                    carried.await;
                    drop(slot);
                });
            }
            Some(_) = tasks.join_next() => {}
        }
    }
    drop(listener);
    let all = async { while tasks.join_next().await.is_some() {} };
    if timeout(patience, all).await.is_err() {
        tracing::warn!("tunnels were still open when the time to drain was over");
    }
}
