//! Reconciles one `IdentityProvider`.
//!
//! # Flow
//! [`crate::judge`] (whether it makes sense, pure) -> [`crate::discovery`] (what its issuer says, fetched apart from reconciling and kept) ->
//! [`usable`] (whether its keys can verify anything, pure) -> what the sidecars that use it report -> [`conclude`] (conditions, pure) -> status.
//!
//! Sidecars fetch keys themselves and never ask the operator: this check is for people, who see a typing error in a minute
//! instead of in the first refused call.

mod conclude;
mod usable;

use crate::backoff;
use crate::cache::Provider;
use crate::condition::merge;
use crate::context::Context;
use crate::discovery::{IntrospectionQuestion, Question};
use crate::judge::judge_provider;
use crate::status;
use crate::subject::Subject;
use kube::{Resource as _, ResourceExt as _};
use std::sync::Arc;
use std::time::Duration;
use tollward_api::IdentityProvider;
use tollward_api::identityprovider::IdentityProviderStatus;
use tollward_desired::issuers_of;

/// Looks at one provider. `None` if there is nothing to come back for.
pub async fn reconcile(provider: Arc<Provider>, context: Arc<Context>) -> (Option<Duration>, &'static str) {
    let uid = provider.uid().unwrap_or_default();
    if provider.meta().deletion_timestamp.is_some() {
        return (None, "deleted");
    }
    let (namespace, name) = (provider.namespace().unwrap_or_default(), provider.name_any());
    let (verdicts, found, result) = match &provider.0 {
        Err(invalid) => (conclude::unreadable(&invalid.error), IdentityProviderStatus::default(), "unreadable"),
        Ok(readable) => {
            let findings = judge_provider(readable, &context.install);
            let external = readable.spec.external.as_ref();
            let looked = external.filter(|_| findings.is_empty()).map(|external| {
                let question = Question {
                    namespace: namespace.clone(),
                    issuers: issuers_of(external),
                    jwks_url: external.jwks_url.clone(),
                    authority: external.ca_config_map.clone(),
                    introspection: external.introspection.as_ref().map(|wanted| IntrospectionQuestion {
                        endpoint_url: wanted.endpoint_url.clone(),
                        authentication: wanted.client.authentication,
                    }),
                };
                usable::judged(context.discoveries.look(&uid, &name, question), external)
            });
            let reports = context.book.about(&format!("{namespace}/{name}"));
            let verdicts = conclude::verdicts(&findings, looked.as_ref(), &reports);
            let result = if findings.is_empty() { "done" } else { "refused" };
            (verdicts, conclude::found(external, looked), result)
        }
    };
    let before = provider.0.as_ref().ok().and_then(|provider| provider.status.clone()).unwrap_or_default();
    let generation = provider.meta().generation;
    let after = IdentityProviderStatus {
        observed_generation: generation,
        conditions: merge(&before.conditions, &verdicts, generation, context.clock.now()),
        ..found
    };
    let subject = Subject::of::<IdentityProvider>(&namespace, &name, Some(uid.clone()));
    if after != before {
        if !status::write::<IdentityProvider>(&subject, &after, &context).await {
            return (Some(context.attempts.failed(&uid)), "failed");
        }
        context.events.tell(&subject, &before.conditions, &after.conditions).await;
    }
    context.attempts.forget(&uid);
    let resync = backoff::resync(&uid, 0);
    // Whoever waits for an answer is pushed once it is there.
    let due = context.discoveries.due(&uid).filter(|due| !due.is_zero());
    (Some(due.map_or(resync, |due| due.min(resync))), result)
}
