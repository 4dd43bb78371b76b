//! Who of several operators writes. One leads; the others keep their caches warm and wait.
//!
//! Every write is an idempotent server-side apply, so two leaders for a moment do no harm beyond needless writes. A leader
//! that lost its lease ends its process: what it had in mind is gone with it.

use futures_util::future::BoxFuture;
use kube::Client;
use kube_lease_manager::{LeaseManagerBuilder, LeaseManagerError};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Name of the lease.
pub const LEASE: &str = "tollward-operator";
/// Seconds after which a lease that was not renewed is free.
const DURATION: u64 = 15;
/// Seconds before its end in which it is renewed; also by how much clocks may differ.
const GRACE: u64 = 5;

/// Why there is no leadership.
#[derive(Debug, thiserror::Error)]
pub enum LeadershipError {
    /// The lease can't be used.
    #[error("can't use the lease {LEASE}; check the operator's rights on leases in its own namespace")]
    Lease(#[from] LeaseManagerError),
    /// The task that renews it ended.
    #[error("the task that renews the lease {LEASE} ended")]
    Ended,
}

/// Leads or waits.
pub trait Leadership: Send {
    /// Returns once this process leads.
    fn acquired(&mut self) -> BoxFuture<'_, Result<(), LeadershipError>>;
    /// Returns once it leads no more.
    fn lost(&mut self) -> BoxFuture<'_, ()>;
    /// Lets another process lead.
    fn release(self: Box<Self>) -> BoxFuture<'static, ()>;
}

/// The only operator of an installation.
#[derive(Debug)]
pub struct Alone;

impl Leadership for Alone {
    fn acquired(&mut self) -> BoxFuture<'_, Result<(), LeadershipError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn lost(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::pending())
    }

    fn release(self: Box<Self>) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// One of several, by a lease in the operator's namespace.
pub struct ByLease {
    leads: watch::Receiver<bool>,
    renewing: JoinHandle<Result<kube_lease_manager::LeaseManager, LeaseManagerError>>,
}

impl ByLease {
    /// Joins the election under a name that is unique among the operators.
    pub async fn join(client: Client, namespace: &str, identity: &str) -> Result<Self, LeadershipError> {
        let manager = LeaseManagerBuilder::new(client, LEASE)
            .with_namespace(namespace)
            .with_identity(identity)
            .with_duration(DURATION)
            .with_grace(GRACE)
            .build()
            .await?;
        let (leads, renewing) = manager.watch().await;
        Ok(Self { leads, renewing })
    }
}

impl Leadership for ByLease {
    fn acquired(&mut self) -> BoxFuture<'_, Result<(), LeadershipError>> {
        Box::pin(async {
            let leads = self.leads.wait_for(|leads| *leads).await;
            leads.map(drop).map_err(|_| LeadershipError::Ended)
        })
    }

    fn lost(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            // A task that ended renews nothing, which is a loss as well.
            drop(self.leads.wait_for(|leads| !*leads).await);
        })
    }

    fn release(self: Box<Self>) -> BoxFuture<'static, ()> {
        let Self { leads, renewing } = *self;
        drop(leads);
        Box::pin(async {
            match renewing.await {
                Ok(Ok(_)) => tracing::info!("the lease was released"),
                Ok(Err(error)) => tracing::warn!(%error, "the lease could not be released; it ends by itself"),
                Err(error) => tracing::warn!(%error, "the task that renews the lease failed"),
            }
        })
    }
}
