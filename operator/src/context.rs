//! What every reconcile may use. Nothing here is decided by a tenant's resource.

use crate::authority::Authority;
use crate::backoff::Attempts;
use crate::cache::{Caches, Queues};
use crate::clock::SharedClock;
use crate::discovery::Discoveries;
use crate::events::Events;
use crate::metrics::Metrics;
use crate::report::{ReportBook, ReportSource};
use crate::retiring::Retiring;
use crate::sharing::Sharing;
use kube::Client;
use std::sync::Arc;
use tollward_desired::InstallSettings;

/// The field manager of everything that the operator writes.
pub const FIELD_MANAGER: &str = "tollward-operator";

/// What every reconcile may use.
pub struct Context {
    /// Writes.
    pub client: Client,
    /// Reads.
    pub caches: Caches,
    /// Asks for further reconciles.
    pub queues: Arc<Queues>,
    /// The installer's settings.
    pub install: InstallSettings,
    /// Keys and certificates.
    pub authority: Arc<Authority>,
    /// Asks sidecars what they enforce.
    pub reports: Arc<dyn ReportSource>,
    /// Keys that pods still roll away from.
    pub retiring: Retiring,
    /// How many replicas share the limits of each server.
    pub sharing: Sharing,
    /// What they answered last.
    pub book: ReportBook,
    /// Asks issuers for their metadata.
    pub discoveries: Discoveries,
    /// Time.
    pub clock: SharedClock,
    /// Failures in a row.
    pub attempts: Attempts,
    /// Events for `kubectl describe`.
    pub events: Events,
    /// Metrics and spans.
    pub metrics: Metrics,
}

impl Context {
    /// Forgets what is remembered of objects that are gone: most are deleted without any reconcile that sees it.
    pub fn forget_gone(&self) {
        let live = self.caches.uids();
        self.retiring.retain(&live);
        self.sharing.retain(&live);
        self.discoveries.retain(&live);
        self.attempts.retain(&live);
        for provider in self.book.retain(&live) {
            if let Some((namespace, name)) = provider.split_once('/') {
                self.queues.providers.push(namespace, name);
            }
        }
    }
}
