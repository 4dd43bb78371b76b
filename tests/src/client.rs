//! A client without manners of its own: one connection for each request unless asked otherwise, over HTTP/1.1 or HTTP/2,
//! in plain text or TLS, and bytes on a bare socket for what no library would send.

pub mod frames;
mod opened;
mod raw;
mod tls;

pub use opened::{Opened, Reply};
pub use raw::exchange;
pub use tls::{TlsFailure, Trust};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::net::SocketAddr;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_util::task::AbortOnDropHandle;

/// A version of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2.
    Http2,
}

impl Wire {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Http1, Self::Http2];
}

/// An open connection, for several requests one after the other.
pub struct Connection {
    sender: Sender,
    task: AbortOnDropHandle<()>,
}

enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl Connection {
    /// Connects in plain text.
    pub async fn plain(wire: Wire, address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("the listener is there");
        // Or the second of two frames waits for the first to be acknowledged, which takes the other end its 40 ms.
        stream.set_nodelay(true).expect("an open socket");
        Self::over(wire, stream).await
    }

    /// Connects by TLS.
    pub async fn tls(wire: Wire, address: SocketAddr, name: &str, trust: &Trust) -> Result<Self, TlsFailure> {
        Ok(Self::over(wire, tls::connect(wire, address, name, trust).await?).await)
    }

    async fn over(wire: Wire, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Self {
        let stream = TokioIo::new(stream);
        match wire {
            Wire::Http1 => {
                let (sender, connection) = http1::handshake(stream).await.expect("a handshake of HTTP/1.1");
                Self { sender: Sender::Http1(sender), task: driven(connection) }
            }
            Wire::Http2 => {
                let mut builder = http2::Builder::new(TokioExecutor::new());
                builder.timer(TokioTimer::new());
                let (sender, connection) = builder.handshake(stream).await.expect("a handshake of HTTP/2");
                Self { sender: Sender::Http2(sender), task: driven(connection) }
            }
        }
    }

    /// Sends a request and gives the head of the answer. Dropping the future or the answer leaves the connection open.
    pub async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Opened, hyper::Error> {
        let response = match &mut self.sender {
            Sender::Http1(sender) => {
                sender.ready().await?;
                sender.send_request(request).await?
            }
            Sender::Http2(sender) => {
                sender.ready().await?;
                sender.send_request(request).await?
            }
        };
        Ok(Opened::new(response))
    }

    /// Sends a request on this connection alone: dropping the answer closes it.
    pub async fn send_only(mut self, request: Request<Full<Bytes>>) -> Result<Opened, hyper::Error> {
        let opened = self.send(request).await?;
        Ok(opened.holding(self))
    }

    /// Returns once the other end has closed the connection.
    pub async fn closed(self) {
        // An aborted or failed connection is closed too.
        let _ = self.task.await;
    }
}

fn driven(connection: impl Future<Output = hyper::Result<()>> + Send + 'static) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(async move {
        // How a connection ends is seen by whoever waits for an answer on it.
        let _ = connection.await;
    }))
}
