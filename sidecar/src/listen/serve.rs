//! The accept loop: bounded, patient with nobody, graceful at the end.

use super::abandoned::Abandoned;
use super::acceptor::Acceptor;
use super::linger::Lingering;
use super::peer::Peer;
use super::proxies::Proxies;
use crate::thumbprint::Thumbprint;
use axum::body::Body;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use socket2::{SockRef, TcpKeepalive};
use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tollward_policy::config::HttpLimits;

/// Time for a TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Pause after the system refused a connection, for instance for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Silence after which the other end is asked whether it is still there.
const KEEP_ALIVE: Duration = Duration::from_mins(1);

/// Bounds of a listener.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// Open connections.
    pub connections: usize,
    /// Time for the head of a request.
    pub header_timeout: Duration,
    /// Bytes of a head.
    pub header_bytes: u32,
    /// Fields of a head.
    pub headers: u16,
    /// Streams of an HTTP/2 connection.
    pub streams: u32,
    /// Time for open connections after the end has begun.
    pub drain: Duration,
}

impl Bounds {
    /// Those of the configuration.
    pub fn new(limits: &HttpLimits, drain: Duration) -> Self {
        Self {
            connections: limits.max_connections as usize,
            header_timeout: Duration::from_secs(u64::from(limits.header_timeout_seconds)),
            header_bytes: limits.max_header_bytes,
            headers: limits.max_headers,
            streams: limits.max_streams_per_connection,
            drain,
        }
    }
}

/// Serves until `ending` is cancelled, then lets open connections end within their time.
pub async fn serve<F, R>(
    listener: TcpListener,
    tls: Option<Acceptor>,
    proxies: Arc<Proxies>,
    bounds: Bounds,
    ending: CancellationToken,
    handler: F,
) where
    F: Fn(Request<Incoming>, Arc<Peer>) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Response<Body>> + Send + 'static,
{
    let slots = Arc::new(Semaphore::new(bounds.connections));
    let connections = Connections {
        builder: builder(&bounds),
        acceptor: tls,
        proxies,
        graceful: GracefulShutdown::new(),
        patience: bounds.header_timeout,
    };
    while let Some((stream, peer, slot)) = next(&listener, &slots, &ending).await {
        connections.spawn(stream, peer, slot, handler.clone());
    }
    drop(listener);
    let Connections { graceful, builder: _, acceptor: _, proxies: _, patience: _ } = connections;
    if tokio::time::timeout(bounds.drain, graceful.shutdown()).await.is_err() {
        tracing::warn!("connections were still open when the time to drain was over");
    }
}

/// The next connection, once there is a slot for it; `None` at the end.
pub(crate) async fn next(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
    ending: &CancellationToken,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    loop {
        let slot = tokio::select! {
            biased;
            () = ending.cancelled() => return None,
            slot = slots.clone().acquire_owned() => slot.ok()?,
        };
        let accepted = tokio::select! {
            biased;
            () = ending.cancelled() => return None,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => return Some((stream, peer, slot)),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

struct Connections {
    builder: Builder<TokioExecutor>,
    acceptor: Option<Acceptor>,
    proxies: Arc<Proxies>,
    graceful: GracefulShutdown,
    /// Time for the first request.
    patience: Duration,
}

impl Connections {
    fn spawn<F, R>(&self, stream: TcpStream, peer: SocketAddr, slot: OwnedSemaphorePermit, handler: F)
    where
        F: Fn(Request<Incoming>, Arc<Peer>) -> R + Clone + Send + Sync + 'static,
        R: Future<Output = Response<Body>> + Send + 'static,
    {
        let (builder, watcher, acceptor) =
            (self.builder.clone(), self.graceful.watcher(), self.acceptor.as_ref().map(Acceptor::current));
        let (patience, proxies) = (self.patience, self.proxies.clone());
        if let Err(error) = tune(&stream) {
            tracing::debug!(%peer, %error, "a connection could not be tuned");
        }
        tokio::spawn(async move {
            match acceptor {
                None => {
                    let peer = Peer { address: peer, certificate: None, proxy: proxies.at(peer, None) };
                    connection(builder, watcher, patience, stream, peer, handler).await;
                }
                Some(acceptor) => match tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
                    Ok(Ok(stream)) => {
                        let chain = stream.get_ref().1.peer_certificates();
                        let certificate = chain.and_then(<[_]>::first).map(|leaf| Thumbprint::of(leaf));
                        let peer = Peer { address: peer, certificate, proxy: proxies.at(peer, chain) };
                        connection(builder, watcher, patience, stream, peer, handler).await;
                    }
                    Ok(Err(error)) => tracing::debug!(%peer, %error, "a TLS handshake failed"),
                    Err(_) => tracing::debug!(%peer, "a TLS handshake took too long"),
                },
            }
            drop(slot);
        });
    }
}

/// Answers are small and written whole, so they are sent without delay; a client that vanished without a word is found.
pub(crate) fn tune(stream: &TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new().with_time(KEEP_ALIVE).with_interval(KEEP_ALIVE / 4);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}

async fn connection<S, F, R>(
    builder: Builder<TokioExecutor>,
    watcher: Watcher,
    patience: Duration,
    stream: S,
    peer: Peer,
    handler: F,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    F: Fn(Request<Incoming>, Arc<Peer>) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Response<Body>> + Send + 'static,
{
    let (address, peer) = (peer.address, Arc::new(peer));
    let first = CancellationToken::new();
    let seen = first.clone();
    let abandoned = Abandoned::default();
    let requests = abandoned.clone();
    let service = service_fn(move |request| {
        seen.cancel();
        let (answer, pending) = (handler(request, peer.clone()), requests.begin());
        async move {
            let answer = answer.await;
            pending.answered();
            Ok::<_, Infallible>(answer)
        }
    });
    let served = builder.serve_connection(TokioIo::new(Lingering::new(stream)), service).into_owned();
    tokio::select! {
        served = watcher.watch(served) => {
            if let Err(error) = served {
                tracing::debug!(peer = %address, %error, "a connection ended with an error");
            }
        }
        () = silence(patience, first) => tracing::debug!(peer = %address, "a connection made no request in time"),
        () = abandoned.too_many() => tracing::info!(peer = %address, "a connection reset its requests on and on"),
    }
}

/// Ends if no first request comes in time. The library's own timer starts only once it knows the HTTP version.
async fn silence(patience: Duration, first: CancellationToken) {
    if tokio::time::timeout(patience, first.cancelled()).await.is_ok() {
        std::future::pending::<()>().await;
    }
}

fn builder(bounds: &Bounds) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    // The library's least read buffer.
    let buffer = (bounds.header_bytes as usize + 8 * 1024).max(16 * 1024);
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.header_timeout)
        .max_headers(usize::from(bounds.headers))
        .max_buf_size(buffer);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(bounds.streams)
        .max_header_list_size(bounds.header_bytes)
        .max_pending_accept_reset_streams(20)
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(20));
    builder
}
