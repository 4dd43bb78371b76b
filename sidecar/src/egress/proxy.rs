//! One connection of a server's sidecar to the egress proxy, from the handshake to the tunnel's end. Reads as the sentence in
//! [`crate::egress`]; each connection carries one tunnel, or one refusal.

use super::admit::{self, HEAD_BYTES, HEAD_FIELDS};
use super::hello::{self, HelloError, UNRECOGNIZED_NAME};
use super::identity::identity_of;
use super::lists::Lists;
use super::meters::Meters;
use super::places::{Place, Places};
use super::tunnel::{Carried, Patience, carry};
use crate::audit::{Auditor, Ended, Trail};
use crate::authenticate::Withdrawn;
use crate::denial::{Denial, refuse_tunnel};
use crate::source::Source;
use axum::body::Body;
use http::{Request, Response, Version};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::{OnUpgrade, on};
use hyper_util::rt::{TokioIo, TokioTimer};
use opentelemetry::Context;
use std::convert::Infallible;
use std::future::pending;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tollward_netguard::{Dialer, Target};
use tollward_policy::egress::{Destination, EgressIdentity};
use tollward_policy::reason::Reason;

/// Attempts to connect and the lookup before them, each as long as the bound says: netguard tries eight addresses at most.
const STEPS_OF_A_DIAL: u32 = 9;
/// How long a client may take to hear why its tunnel is shut.
const LAST_WORD: Duration = Duration::from_secs(1);

/// What all connections share.
pub(crate) struct Proxy {
    pub(crate) lists: Arc<Lists>,
    pub(crate) auditor: Auditor,
    pub(crate) dialer: Dialer,
    pub(crate) places: Arc<Places>,
    pub(crate) meters: Meters,
    pub(crate) acceptor: TlsAcceptor,
    pub(crate) bounds: Bounds,
    pub(crate) ending: CancellationToken,
}

/// How long the parts of a connection may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// The handshake, the request, and the first message in the tunnel, each.
    pub(crate) head: Duration,
    /// The lookup and each attempt to connect.
    pub(crate) connect: Duration,
    /// The tunnel.
    pub(crate) patience: Patience,
    /// The tunnel, once the process is to end.
    pub(crate) drain: Duration,
}

/// Who asks, from which address, and whether there is room for it.
struct Asker {
    identity: EgressIdentity,
    peer: SocketAddr,
    place: Option<Place>,
}

/// A tunnel that was permitted and whose other end is connected.
struct Made {
    upgrade: OnUpgrade,
    outside: TcpStream,
    trail: Trail,
    destination: Destination,
    versions: watch::Receiver<u64>,
}

impl Proxy {
    /// Serves a connection until its end.
    pub(crate) async fn serve(self: Arc<Self>, stream: TcpStream, peer: SocketAddr) {
        let stream = match timeout(self.bounds.head, self.acceptor.accept(stream)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                return tracing::debug!(%peer, %error, "a TLS handshake failed");
            }
            Err(_) => return tracing::debug!(%peer, "a TLS handshake took too long"),
        };
        let leaf = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
        let Some(identity) = leaf.and_then(identity_of) else { return };
        let asker = Asker { place: self.places.take(identity.uid()), identity, peer };
        let most = self.bounds.head * 2 + self.bounds.connect * STEPS_OF_A_DIAL;
        match timeout(most, self.negotiate(stream, &asker)).await {
            Ok(Some(made)) => self.run(made, &asker).await,
            Ok(None) => {}
            Err(_) => tracing::debug!(%peer, "a request for a tunnel took too long"),
        }
    }

    /// The one request of the connection, answered.
    async fn negotiate(&self, stream: TlsStream<TcpStream>, asker: &Asker) -> Option<Made> {
        let made = Mutex::new(None);
        let keep = &made;
        let service = service_fn(move |request| async move {
            let (response, tunnel) = self.answer(request, asker).await;
            *keep.lock().unwrap_or_else(PoisonError::into_inner) = tunnel;
            Ok::<_, Infallible>(response)
        });
        let connection = http1::Builder::new()
            .keep_alive(false)
            .timer(TokioTimer::new())
            .header_read_timeout(self.bounds.head)
            .max_buf_size(HEAD_BYTES)
            .max_headers(HEAD_FIELDS)
            .serve_connection(TokioIo::new(stream), service);
        if let Err(error) = connection.with_upgrades().await {
            tracing::debug!(peer = %asker.peer, %error, "a connection ended with an error");
        }
        made.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(&self, mut request: Request<Incoming>, asker: &Asker) -> (Response<Body>, Option<Made>) {
        let upgrade = on(&mut request);
        let (parts, _body) = request.into_parts();
        let mut trail = self.auditor.begin(&parts, &Source::direct(asker.peer), Context::new());
        match self.open(&parts, asker, &mut trail).await {
            Ok((destination, outside, versions)) => {
                (Response::default(), Some(Made { upgrade, outside, trail, destination, versions }))
            }
            Err(denial) => {
                let (response, length) = refuse_tunnel(&denial, trail.id());
                trail.refuse(&denial, length);
                (response, None)
            }
        }
    }

    /// Judges the request, and connects where it may lead.
    async fn open(
        &self,
        parts: &http::request::Parts,
        asker: &Asker,
        trail: &mut Trail,
    ) -> Result<(Destination, TcpStream, watch::Receiver<u64>), Denial> {
        trail.tunnels(parts.uri.authority().map_or("", http::uri::Authority::as_str));
        // From before the lists are looked at, so that no change of them goes unnoticed.
        let versions = self.lists.versions();
        let lists = self.lists.last_good();
        if let Some(server) = lists.server(&asker.identity) {
            trail.routed(server, &lists.digest);
        }
        if parts.version != Version::HTTP_11 {
            return Err(Denial::new(Reason::RequestMalformed).record(format!("{:?} is not served", parts.version)));
        }
        let destination = admit::destination(parts)?;
        if asker.place.is_none() {
            return Err(Denial::new(Reason::ConcurrencyLimited));
        }
        let entry = self.lists.current()?.permits(&asker.identity, &destination)?;
        let outside = self.dial(&destination).await?;
        if let Ok(address) = outside.peer_addr() {
            trail.dialled(address);
        }
        trail.intend(Some(&entry), &[]).map_err(|error| {
            tracing::error!(%error, "a tunnel was refused since its record can't be stored");
            Denial::new(Reason::AuditUnavailable)
        })?;
        Ok((destination, outside, versions))
    }

    /// Whatever keeps it from being connected to, the asker is told the same.
    async fn dial(&self, destination: &Destination) -> Result<TcpStream, Denial> {
        let unreachable = |error: String| Denial::new(Reason::EgressUnreachable).record(error);
        let target =
            Target::parse(&format!("https://{destination}/")).map_err(|error| unreachable(error.to_string()))?;
        self.dialer.tcp(&target, self.bounds.connect).await.map_err(|error| unreachable(error.to_string()))
    }

    /// The tunnel until its end.
    async fn run(&self, made: Made, asker: &Asker) {
        let Made { upgrade, outside, mut trail, destination, versions } = made;
        let _open = self.meters.open();
        // Its record says that the client is gone, as for every trail that is dropped.
        let Ok(upgraded) = upgrade.await else { return };
        let mut client = TokioIo::new(upgraded);
        let read = timeout(self.bounds.head, hello::read(&mut client, destination.host())).await;
        let first = match read.unwrap_or(Err(HelloError::Late)) {
            Ok(first) => first,
            Err(HelloError::Ended | HelloError::Broke(_)) => return,
            Err(error) => {
                trail.shut(&Denial::new(Reason::EgressNameMismatch).record(error.to_string()));
                let word = async {
                    client.write_all(&UNRECOGNIZED_NAME).await?;
                    client.shutdown().await
                };
                if !matches!(timeout(LAST_WORD, word).await, Ok(Ok(()))) {
                    tracing::debug!(peer = %asker.peer, "a client did not hear why its tunnel is shut");
                }
                return;
            }
        };
        let carried = Carried::begin();
        let ended = tokio::select! {
            ended = carry(client, outside, &first, self.bounds.patience, &carried) => ended,
            reason = self.forbidden(asker, &destination, versions) => {
                trail.withdraw(&Withdrawn { reason, entry: None });
                Ended::Revoked
            }
            () = self.drained() => Ended::Draining,
        };
        self.meters.carried(&carried);
        trail.carried(ended, carried.up(), carried.down());
    }

    /// Returns once new lists no longer permit what earlier ones did.
    async fn forbidden(&self, asker: &Asker, destination: &Destination, mut versions: watch::Receiver<u64>) -> Reason {
        while versions.changed().await.is_ok() {
            if let Err(denial) = self.lists.last_good().permits(&asker.identity, destination) {
                return denial.reason;
            }
        }
        pending().await
    }

    /// Returns once the process is to end and the time for it is over.
    async fn drained(&self) {
        self.ending.cancelled().await;
        sleep(self.bounds.drain).await;
    }
}
