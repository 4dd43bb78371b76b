//! An HTTP server on a loopback port for the doubles. It ends, with all its connections, when it is dropped.

use axum::body::Body;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;

/// The connection is cut instead of answering.
#[derive(Debug)]
pub struct Cut;

impl std::fmt::Display for Cut {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("the connection is cut")
    }
}

impl std::error::Error for Cut {}

type Answering = futures_util::future::BoxFuture<'static, Result<Response<Body>, Cut>>;
type Handler = Arc<dyn Fn(Request<Incoming>) -> Answering + Send + Sync>;

/// A running server.
pub struct Loopback {
    address: SocketAddr,
    handler: Handler,
    task: Mutex<Option<AbortOnDropHandle<()>>>,
}

impl Loopback {
    /// Starts on a free port.
    pub async fn start<F, R>(handler: F) -> Self
    where
        F: Fn(Request<Incoming>) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Response<Body>, Cut>> + Send + 'static,
    {
        Self::start_at(Ipv4Addr::LOCALHOST.into(), handler).await
    }

    /// Starts on a free port of another address of this machine, for callers in network namespaces of their own.
    pub async fn start_at<F, R>(address: IpAddr, handler: F) -> Self
    where
        F: Fn(Request<Incoming>) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Response<Body>, Cut>> + Send + 'static,
    {
        let listener = TcpListener::bind((address, 0)).await.expect("a free port of an address of this machine");
        let address = listener.local_addr().expect("a bound socket has an address");
        let handler: Handler = Arc::new(move |request| Box::pin(handler(request)));
        let task = serve(listener, Arc::clone(&handler));
        Self { address, handler, task: Mutex::new(Some(task)) }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes the port and every connection.
    pub fn stop(&self) {
        lock(&self.task).take();
    }

    /// Listens again, on the same port.
    pub async fn resume(&self) {
        let listener = TcpListener::bind(self.address).await.expect("the port is still free");
        let task = serve(listener, Arc::clone(&self.handler));
        *lock(&self.task) = Some(task);
    }
}

/// A whole answer of that status and media type.
pub(crate) fn answer(status: StatusCode, media: &'static str, body: String) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media));
    response
}

/// What a double remembers, also after a test failed that held it.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(listener: TcpListener, handler: Handler) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            let handler = Arc::clone(&handler);
            connections.spawn(async move {
                let service = service_fn(move |request| handler(request));
                // A cut connection is what a test asked for.
                let _ = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
            });
        }
    }))
}
