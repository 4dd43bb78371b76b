//! Dials a store through the guard against server-side request forgery: a policy names it, and whoever may write policies must
//! not reach what the installer does not allow. `redis://` is judged as http is, `rediss://` as https.

use futures_util::future::BoxFuture;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::either::Either;
use tollward_netguard::{Connection, DialPolicy, Dialer, Resolve, Target, TrustRoots};
use tollward_policy::limits::StoreAddress;

/// Opens a connection to a store.
pub trait DialStore: Send + Sync {
    /// Dials, and with `rediss://` lets the store prove its name to these certificate authorities, or to the system's. Each
    /// step may take that long. The error says what is wrong.
    fn dial<'a>(
        &'a self,
        address: &'a StoreAddress,
        authorities: Option<Vec<u8>>,
        limit: Duration,
    ) -> BoxFuture<'a, Result<Connection, String>>;
}

/// Dials where the installer lets it.
pub struct GuardedDial {
    policy: DialPolicy,
    resolver: Arc<dyn Resolve>,
}

impl GuardedDial {
    /// Judges by this policy.
    pub fn new(policy: DialPolicy, resolver: Arc<dyn Resolve>) -> Self {
        Self { policy, resolver }
    }

    async fn open(
        &self,
        address: &StoreAddress,
        authorities: Option<Vec<u8>>,
        limit: Duration,
    ) -> Result<Connection, String> {
        let scheme = if address.tls() { "https" } else { "http" };
        let url = format!("{scheme}://{}:{}/", address.host(), address.port());
        let target = Target::parse(&url).map_err(|error| error.to_string())?;
        let trust = if address.tls() { trust(authorities).await? } else { TrustRoots::nobody().map_err(text)? };
        let dialer = Dialer::new(self.policy.clone(), Arc::clone(&self.resolver), &trust);
        let connection = dialer.connect(&target, limit).await.map_err(text)?;
        // Commands are small and each waits for its answer: none may be kept back for a fuller packet.
        let stream = match &connection {
            Either::Left(stream) => stream,
            Either::Right(stream) => stream.get_ref().0,
        };
        stream.set_nodelay(true).map_err(text)?;
        Ok(connection)
    }
}

impl DialStore for GuardedDial {
    fn dial<'a>(
        &'a self,
        address: &'a StoreAddress,
        authorities: Option<Vec<u8>>,
        limit: Duration,
    ) -> BoxFuture<'a, Result<Connection, String>> {
        Box::pin(self.open(address, authorities, limit))
    }
}

/// Files are read and parsed away from the threads that serve callers.
async fn trust(authorities: Option<Vec<u8>>) -> Result<TrustRoots, String> {
    let read = move || match authorities {
        Some(pem) => TrustRoots::only(&pem),
        None => TrustRoots::system(None),
    };
    let read = tokio::task::spawn_blocking(read).await.map_err(text)?;
    // A store speaks no HTTP, so that it can't agree to it.
    read.map(TrustRoots::without_protocols).map_err(text)
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
