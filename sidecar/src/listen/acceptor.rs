//! Which TLS a new connection gets: clients are asked for a certificate only while somebody wants to see one, since browsers
//! bother people when a server asks.
//!
//! Two whole configurations rather than one that changes its mind: a session of one can't be resumed by the other, so that a
//! client that was not asked is asked once certificates are wanted.

use rustls::ServerConfig;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

/// Whether certificates are wanted now.
pub type Wanted = Arc<dyn Fn() -> bool + Send + Sync>;

/// TLS of a listener.
#[derive(Clone)]
pub struct Acceptor {
    usual: TlsAcceptor,
    asking: Option<(Wanted, TlsAcceptor)>,
}

impl Acceptor {
    /// The same for all connections.
    pub fn new(config: Arc<ServerConfig>) -> Self {
        Self { usual: TlsAcceptor::from(config), asking: None }
    }

    /// Another one that asks for a certificate, while certificates are wanted.
    #[must_use]
    pub fn asking(mut self, wanted: Wanted, config: Arc<ServerConfig>) -> Self {
        self.asking = Some((wanted, TlsAcceptor::from(config)));
        self
    }

    /// That of a new connection.
    pub(super) fn current(&self) -> TlsAcceptor {
        match &self.asking {
            Some((wanted, acceptor)) if wanted() => acceptor.clone(),
            Some(_) | None => self.usual.clone(),
        }
    }
}
