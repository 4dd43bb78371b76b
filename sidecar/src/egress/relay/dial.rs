//! The way from a sidecar to the egress proxy: its one address, mutual TLS, and a request for a tunnel that says nothing but where to.

use crate::denial::PROXY_STATUS;
use crate::listen::{Certificate, TlsError, servers_of};
use axum::body::Body;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::upgrade::{Upgraded, on};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tollward_policy::egress::Destination;

/// To connect to the proxy, and for its handshake.
const CONNECT: Duration = Duration::from_secs(5);
/// For the proxy's answer: it looks up and dials several addresses meanwhile.
const ANSWER: Duration = Duration::from_secs(90);
/// Most bytes of a refusal that are passed on.
const REFUSAL: usize = 8 * 1024;

/// The egress proxy.
pub(super) struct Upstream {
    address: String,
    name: ServerName<'static>,
    tls: TlsConnector,
}

/// What the proxy made of a request.
pub(super) enum Dialled {
    /// A tunnel.
    Tunnel(Upgraded),
    /// A refusal, ready to be passed on.
    Refused(Response<Body>),
}

/// Why the proxy could not be asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum DialError {
    #[error("can't be connected to at {0}: {1}")]
    Connect(String, std::io::Error),
    #[error("does not answer at {0} in time")]
    Late(String),
    #[error("no HTTP: {0}")]
    Http(#[from] hyper::Error),
    #[error("can't be asked: {0}")]
    Request(#[from] http::Error),
}

impl Upstream {
    /// The proxy at this address, which must prove this name to that authority.
    pub(super) fn new(
        address: &str,
        name: &str,
        authority: &Path,
        certificate: Arc<Certificate>,
    ) -> Result<Self, TlsError> {
        let wrong = |_| TlsError::File {
            path: authority.to_owned(),
            message: format!("egress.upstream.serverName `{name}` is no DNS name"),
        };
        let name_of = ServerName::try_from(name.to_owned()).map_err(wrong)?;
        Ok(Self {
            address: address.to_owned(),
            name: name_of,
            tls: TlsConnector::from(servers_of(authority, certificate)?),
        })
    }

    /// Asks for a tunnel.
    pub(super) async fn open(&self, destination: &Destination) -> Result<Dialled, DialError> {
        let late = |_| DialError::Late(self.address.clone());
        let connected = async {
            let stream = TcpStream::connect(&*self.address).await?;
            crate::listen::tune(&stream)?;
            self.tls.connect(self.name.clone(), stream).await
        };
        let stream = timeout(CONNECT, connected).await.map_err(late)?;
        let stream = stream.map_err(|error| DialError::Connect(self.address.clone(), error))?;
        timeout(ANSWER, ask(TokioIo::new(stream), destination)).await.map_err(late)?
    }
}

async fn ask(
    stream: TokioIo<tokio_rustls::client::TlsStream<TcpStream>>,
    destination: &Destination,
) -> Result<Dialled, DialError> {
    let (mut sender, connection) = http1::handshake(stream).await?;
    let authority = destination.to_string();
    let uri = Uri::builder().authority(authority.as_str()).build()?;
    let request =
        Request::builder().method(Method::CONNECT).uri(uri).header(HOST, authority).body(Empty::<Bytes>::new())?;
    let exchange = async move {
        let response = sender.send_request(request).await?;
        if response.status() == StatusCode::OK {
            return Ok(Dialled::Tunnel(on(response).await?));
        }
        Ok(Dialled::Refused(passed_on(response).await))
    };
    // The connection is driven beside the exchange; it is done when it has handed the tunnel over.
    let (exchanged, driven) = tokio::join!(exchange, connection.with_upgrades());
    if let Err(error) = driven {
        tracing::debug!(%error, "a connection to the egress proxy ended with an error");
    }
    exchanged
}

/// The proxy's refusal: its status, its sentence, and nothing else.
async fn passed_on(response: Response<Incoming>) -> Response<Body> {
    let (parts, body) = response.into_parts();
    let text = Limited::new(body, REFUSAL).collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let mut answer = Response::new(Body::from(text));
    // A tunnel is only what was read as one.
    *answer.status_mut() = if parts.status.is_client_error() || parts.status.is_server_error() {
        parts.status
    } else {
        StatusCode::BAD_GATEWAY
    };
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    if let Some(status) = parts.headers.get(PROXY_STATUS) {
        answer.headers_mut().insert(PROXY_STATUS, status.clone());
    }
    answer
}
