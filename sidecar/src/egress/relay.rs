//! The relay in a sidecar: what a server takes for its proxy. It listens on loopback, reads one request for a tunnel, and carries it to
//! the egress proxy by mutual TLS as this server. Nothing is judged here but the form: the proxy knows the lists and keeps the record.
//!
//! Without a proxy (`mode: Deny`) each request is refused with a sentence that says why, and recorded here. What can't be brought to the
//! proxy is recorded here too, so that each request has one record.

mod dial;

use super::accept::accept;
use super::admit::{self, HEAD_BYTES, HEAD_FIELDS};
use super::tunnel::{Carried, Patience, carry};
use crate::audit::Auditor;
use crate::denial::{Denial, refuse_tunnel};
use crate::listen::{Certificate, TlsError};
use crate::source::Source;
use crate::state::State;
use axum::body::Body;
use dial::{Dialled, Upstream};
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::{OnUpgrade, Upgraded, on};
use hyper_util::rt::{TokioIo, TokioTimer};
use opentelemetry::Context;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tollward_policy::config::{EgressRelay, EgressUpstream};
use tollward_policy::egress::Destination;
use tollward_policy::reason::Reason;

/// For the server's request.
const HEAD: Duration = Duration::from_secs(10);
/// For everything until the tunnel is there: the proxy looks up and dials meanwhile, and has a bound of its own.
const NEGOTIATION: Duration = Duration::from_mins(2);
/// The proxy's bounds count; these only end what the proxy has forgotten, for instance when its node is gone.
const PATIENCE: Patience = Patience { idle: Duration::from_hours(24), most: Duration::from_hours(168) };
/// What is told where nothing may go out.
const DENIED: &str = "This MCP server may connect nowhere: its spec.egress.mode is Deny.";

/// The relay of one server.
pub struct Relay {
    upstream: Option<Upstream>,
    auditor: Arc<Auditor>,
    state: Arc<State>,
    most: u32,
}

impl Relay {
    /// A relay as the configuration says, and the certificate that it shows, which is to be read again when it changes.
    pub fn new(
        config: &EgressRelay,
        auditor: Arc<Auditor>,
        state: Arc<State>,
    ) -> Result<(Self, Option<Arc<Certificate>>), TlsError> {
        let (upstream, certificate) = match &config.upstream {
            EgressUpstream::Deny {} => (None, None),
            EgressUpstream::Proxy { address, server_name, authority, certificate, private_key } => {
                let certificate = Certificate::load(certificate, private_key)?;
                let upstream = Upstream::new(address, server_name, authority, certificate.clone())?;
                (Some(upstream), Some(certificate))
            }
        };
        Ok((Self { upstream, auditor, state, most: config.max_connections }, certificate))
    }

    /// Serves until `ending` is cancelled, then lets tunnels end within `drain`.
    pub async fn serve(self, listener: TcpListener, ending: CancellationToken, drain: Duration) {
        let relay = Arc::new(self);
        let most = relay.most;
        accept(listener, most, ending, drain, |stream, peer| Arc::clone(&relay).connection(stream, peer)).await;
    }

    async fn connection(self: Arc<Self>, stream: TcpStream, peer: SocketAddr) {
        match timeout(NEGOTIATION, self.negotiate(stream, peer)).await {
            Ok(Some((upgrade, outside))) => {
                if let Ok(server) = upgrade.await {
                    let (server, outside) = (TokioIo::new(server), TokioIo::new(outside));
                    let ended = carry(server, outside, &[], PATIENCE, &Carried::begin()).await;
                    tracing::debug!(?ended, "a tunnel ended");
                }
            }
            Ok(None) => {}
            Err(_) => tracing::debug!("a request for a tunnel took too long"),
        }
    }

    /// The one request of the connection, answered, and both ends of the tunnel if there is one.
    async fn negotiate(&self, stream: TcpStream, peer: SocketAddr) -> Option<(OnUpgrade, Upgraded)> {
        let made = Mutex::new(None);
        let keep = &made;
        let service = service_fn(move |mut request: Request<Incoming>| async move {
            let upgrade = on(&mut request);
            let (response, outside) = self.answer(request, peer).await;
            let both = outside.map(|outside| (upgrade, outside));
            *keep.lock().unwrap_or_else(PoisonError::into_inner) = both;
            Ok::<_, Infallible>(response)
        });
        let connection = http1::Builder::new()
            .keep_alive(false)
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD)
            .max_buf_size(HEAD_BYTES)
            .max_headers(HEAD_FIELDS)
            .serve_connection(TokioIo::new(stream), service);
        if let Err(error) = connection.with_upgrades().await {
            tracing::debug!(%error, "a connection ended with an error");
        }
        made.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(&self, request: Request<Incoming>, peer: SocketAddr) -> (Response<Body>, Option<Upgraded>) {
        let (parts, _body) = request.into_parts();
        let dialled = match self.judge(&parts) {
            Ok((upstream, destination)) => upstream
                .open(&destination)
                .await
                .map_err(|error| Denial::new(Reason::EgressUnreachable).record(format!("the egress proxy: {error}"))),
            Err(denial) => Err(denial),
        };
        match dialled {
            Ok(Dialled::Tunnel(outside)) => (Response::default(), Some(outside)),
            // The proxy has recorded it.
            Ok(Dialled::Refused(response)) => (response, None),
            Err(denial) => {
                let mut trail = self.auditor.begin(&parts, &Source::direct(peer), Context::new());
                let asked = parts.uri.authority().map_or("", http::uri::Authority::as_str);
                trail.tunnels(asked);
                let snapshot = self.state.last_good();
                if let Some(route) = snapshot.routes().first() {
                    trail.routed(&route.server, &snapshot.digest);
                }
                let (response, length) = refuse_tunnel(&denial, trail.id());
                trail.refuse(&denial, length);
                (response, None)
            }
        }
    }

    fn judge(&self, parts: &http::request::Parts) -> Result<(&Upstream, Destination), Denial> {
        let destination = admit::destination(parts);
        let upstream = self.upstream.as_ref().ok_or_else(|| Denial::new(Reason::EgressNotAllowed).detail(DENIED))?;
        Ok((upstream, destination?))
    }
}
