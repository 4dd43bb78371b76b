//! Opens the connection: resolve once, judge every address, connect to the very address that was judged, then TLS by the
//! target's name. Nothing here decides; the verdict is the policy's.

use crate::policy::{Denied, DialPolicy, Judged};
use crate::resolve::{Resolve, ResolveError};
use crate::scheme::Scheme;
use crate::target::Target;
use crate::trust::TrustRoots;
use rustls::pki_types::{DnsName, ServerName};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::either::Either;

/// How many addresses of one answer are tried. All are judged.
const MAX_ATTEMPTS: usize = 8;

/// A connection to a judged address: plain for http, TLS for https.
pub type Connection = Either<TcpStream, Box<TlsStream<TcpStream>>>;

/// Why there is no connection. The texts are for the operator's log, not for whoever supplied the URL.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The guard's verdict.
    #[error("{target} is not dialled: {denied}")]
    Denied {
        /// Host and port.
        target: String,
        /// Which rule, and for which address.
        denied: Denied,
    },
    /// The name has no addresses.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// No address of the host takes a connection.
    #[error("{target} takes no connection, last tried {address}: {cause}")]
    Connect {
        /// Host and port.
        target: String,
        /// The last address tried.
        address: SocketAddr,
        /// What the system says, or that time ran out.
        cause: String,
    },
    /// The server speaks no TLS, or could not prove its name.
    #[error("TLS with {target} at {address} failed: {cause}")]
    Tls {
        /// Host and port.
        target: String,
        /// The address connected to.
        address: SocketAddr,
        /// What the TLS library says, or that time ran out.
        cause: String,
    },
}

/// Dials targets under one policy. Cheap to clone.
#[derive(Clone)]
pub struct Dialer {
    policy: Arc<DialPolicy>,
    resolver: Arc<dyn Resolve>,
    tls: TlsConnector,
}

impl Dialer {
    /// A dialer for one policy, resolver and set of certificate authorities.
    pub fn new(policy: DialPolicy, resolver: Arc<dyn Resolve>, trust: &TrustRoots) -> Self {
        Self { policy: Arc::new(policy), resolver, tls: TlsConnector::from(trust.configuration()) }
    }

    /// Connects without TLS, whatever the scheme: for tunnels, whose ends speak TLS with each other. The scheme is judged
    /// all the same.
    ///
    /// `limit` bounds the lookup and each attempt to connect, not their sum.
    pub async fn tcp(&self, target: &Target, limit: Duration) -> Result<TcpStream, DialError> {
        let judged = self.judge(target, limit).await?;
        connect_judged(target, &judged, limit).await.map(|(stream, _)| stream)
    }

    /// Connects as the scheme says. With https the server has proved the target's name when this returns.
    ///
    /// `limit` bounds the lookup, each attempt to connect and the TLS handshake, not their sum.
    pub async fn connect(&self, target: &Target, limit: Duration) -> Result<Connection, DialError> {
        let judged = self.judge(target, limit).await?;
        let (stream, address) = connect_judged(target, &judged, limit).await?;
        match target.scheme() {
            Scheme::Http => Ok(Either::Left(stream)),
            Scheme::Https => self.handshake(target, stream, address, limit).await.map(Either::Right),
        }
    }

    async fn judge(&self, target: &Target, limit: Duration) -> Result<Judged, DialError> {
        let denied = |denied| DialError::Denied { target: target.host_and_port(), denied };
        self.policy.judge_scheme(target.scheme()).map_err(denied)?;
        let addresses = match target.address() {
            Some(address) => vec![address],
            None => timeout(limit, self.resolver.resolve(target.host()))
                .await
                .map_err(|_| ResolveError::Timeout { name: target.host().to_owned(), limit })??,
        };
        if addresses.is_empty() {
            return Err(DialError::Resolve(ResolveError::NoAddresses { name: target.host().to_owned() }));
        }
        self.policy.judge_all(target.scheme(), &addresses, target.port()).map_err(denied)
    }

    async fn handshake(
        &self,
        target: &Target,
        stream: TcpStream,
        address: SocketAddr,
        limit: Duration,
    ) -> Result<Box<TlsStream<TcpStream>>, DialError> {
        let failed = |cause: String| DialError::Tls { target: target.host_and_port(), address, cause };
        let name = server_name(target).map_err(&failed)?;
        match timeout(limit, self.tls.connect(name, stream)).await {
            Ok(Ok(stream)) => Ok(Box::new(stream)),
            Ok(Err(error)) => Err(failed(error.to_string())),
            Err(_) => Err(failed(format!("no handshake within {limit:?}"))),
        }
    }
}

async fn connect_judged(
    target: &Target,
    judged: &Judged,
    limit: Duration,
) -> Result<(TcpStream, SocketAddr), DialError> {
    let mut last = ResolveError::NoAddresses { name: target.host().to_owned() }.into();
    for address in judged.addresses().iter().copied().take(MAX_ATTEMPTS) {
        let cause = match timeout(limit, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok((stream, address)),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no connection within {limit:?}"),
        };
        last = DialError::Connect { target: target.host_and_port(), address, cause };
    }
    Err(last)
}

fn server_name(target: &Target) -> Result<ServerName<'static>, String> {
    match target.address() {
        Some(address) => Ok(ServerName::IpAddress(address.into())),
        None => DnsName::try_from(target.host().to_owned())
            .map(ServerName::DnsName)
            .map_err(|error| format!("no name that a certificate could carry: {error}")),
    }
}
