//! Revocations for a server of which nothing new can be made or written: its specification is refused, and what runs stays as it
//! was accepted last. Whom its providers deny reaches it all the same.

use super::apply;
use super::conclude::Outcome;
use super::observe;
use crate::cache::Server;
use crate::child::controller;
use crate::context::Context;
use kube::{Resource as _, ResourceExt as _};
use tollward_api::IdentityProvider;
use tollward_desired::denied;

/// Brings the lists into the configuration in force. False if that failed and has to be tried again.
pub(super) async fn carry(server: &Server, outcome: &Outcome, context: &Context) -> bool {
    match outcome {
        Outcome::Unreadable(_) | Outcome::Refused(_) | Outcome::Unwritten(_) => {}
        // It has them.
        Outcome::Written(_) => return true,
    }
    let (namespace, uid) = (server.namespace().unwrap_or_default(), server.meta().uid.clone().unwrap_or_default());
    let Some((live, text)) = context.caches.configuration(&namespace, &server.name_any()) else {
        return true;
    };
    if controller(&live) != Some(&uid) {
        return true;
    }
    let Some(next) = denied(&text, &providers(context)) else {
        return true;
    };
    if let Err(error) = apply::rewrite(&live, &next, &uid, context).await {
        tracing::error!(server = server.name_any(), %error, "a revocation could not be written for a server that is not accepted");
        return false;
    }
    tracing::info!(server = server.name_any(), "whom providers deny was written for a server that is not accepted");
    for pod in context.caches.pods_of(&namespace, &uid) {
        observe::tell(context, &namespace, &pod.name_any(), next.digest()).await;
    }
    true
}

fn providers(context: &Context) -> Vec<IdentityProvider> {
    context.caches.providers.state().iter().filter_map(|provider| provider.0.as_ref().ok().cloned()).collect()
}
