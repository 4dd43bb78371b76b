//! Revocations for a server of which nothing new can be made or written: its specification is refused, and what runs stays as it
//! was accepted last. Whom its providers deny reaches it all the same, and its replicas are asked whether they enforce it.

use super::apply;
use super::conclude::{Outcome, Replica};
use super::observe::Asking;
use crate::cache::Server;
use crate::child::controller;
use crate::context::Context;
use kube::core::DynamicObject;
use kube::{Resource as _, ResourceExt as _};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use tollward_desired::{Denied, DeniedProvider, denied};
use tollward_policy::digest;

/// How long replicas are asked. They are told first.
const DEADLINE: Duration = Duration::from_mins(1);

/// What is in force of such a server.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    /// Digest of the configuration that it keeps; `None` if there is none of its own.
    pub(super) digest: Option<String>,
    /// Whose tokens that accepts; `None` if nobody can say.
    pub(super) providers: Option<Vec<DeniedProvider>>,
    /// The pods.
    pub(super) replicas: Vec<Replica>,
    /// Whether this look changed the configuration.
    pub(super) is_news: bool,
    /// Whether it could be changed where it had to be.
    pub(super) is_carried: bool,
}

impl Kept {
    /// Whether every replica has what is kept, as far as there is anything.
    pub(super) fn is_enforced(&self) -> bool {
        let Some(digest) = self.digest.as_deref() else { return true };
        self.replicas.iter().all(|replica| replica.digest() == Some(digest))
    }
}

/// Brings the lists into the configuration in force, and asks who enforces it. `None` for a server of which all was written:
/// that has them.
pub(super) async fn carry(server: &Server, outcome: &Outcome, context: &Context) -> Option<Kept> {
    match outcome {
        Outcome::Unreadable(_) | Outcome::Refused(_) | Outcome::Unwritten(_) => {}
        Outcome::Written(_) => return None,
    }
    let (namespace, name) = (server.namespace().unwrap_or_default(), server.name_any());
    let uid = server.meta().uid.clone().unwrap_or_default();
    let in_force = context.caches.configuration(&namespace, &name);
    let mut kept = match in_force.filter(|(live, _)| controller(live) == Some(&uid)) {
        Some((live, text)) => rewrite(&live, &text, &uid, context).await,
        None => Kept { digest: None, providers: None, replicas: Vec::new(), is_news: false, is_carried: true },
    };
    let digest = kept.digest.clone().unwrap_or_default();
    let asking = Asking { namespace: &namespace, name: &name, uid: &uid, digest: &digest, news: kept.is_news, context };
    let asked = async { if kept.digest.is_some() { Some(asking.all().await) } else { None } };
    kept.replicas = timeout(DEADLINE, asked).await.ok().flatten().unwrap_or_else(|| asking.none());
    Some(kept)
}

/// Without replicas yet.
async fn rewrite(live: &Arc<DynamicObject>, text: &str, uid: &str, context: &Context) -> Kept {
    let as_it_is = Kept {
        digest: Some(digest::of(text.as_bytes())),
        providers: None,
        replicas: Vec::new(),
        is_news: false,
        is_carried: true,
    };
    let (next, providers) = match denied(text, &context.caches.readable_providers()) {
        None => return as_it_is,
        Some(Denied { next: None, providers }) => return Kept { providers: Some(providers), ..as_it_is },
        Some(Denied { next: Some(next), providers }) => (next, providers),
    };
    let configuration = live.name_any();
    if let Err(error) = apply::rewrite(live, &next, uid, context).await {
        tracing::error!(configuration, %error, "a revocation could not be written for a server that is not accepted");
        return Kept { is_carried: false, ..as_it_is };
    }
    tracing::info!(configuration, "whom providers deny was written for a server that is not accepted");
    Kept { digest: Some(next.digest().to_owned()), providers: Some(providers), is_news: true, ..as_it_is }
}
