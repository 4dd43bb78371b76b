//! What should exist because of a server that makes sense, keys included. Pure but for making keys when they are needed, and
//! for what is remembered of its replicas.

use super::keys::{self, Keys};
use crate::authority::CertificateError;
use crate::child::ChildKind;
use crate::context::Context;
use crate::judge::Judged;
use crate::sharing::Seen;
use serde_json::Value;
use std::num::NonZeroU32;
use tollward_desired::{Children, Configuration, Desired, Finding, Validated, desired};

/// What should exist.
pub(super) struct Wanted {
    pub(super) server: Validated,
    pub(super) children: Children,
    pub(super) configuration: Configuration,
    pub(super) keys: Keys,
}

/// Why nothing can be wanted.
pub(super) enum WantError {
    Findings(Vec<Finding>),
    Keys(CertificateError),
}

/// The configuration in force is kept as long as it says the same; a changed one has the next generation.
pub(super) fn want(judged: Judged, context: &Context) -> Result<Wanted, WantError> {
    let Judged { validated, next, in_force, sharing } = judged;
    let replicas = replicas(&validated, sharing, context);
    let (validated, next) = (validated.shared_by(replicas), next.shared_by(replicas));
    let same = desired(&validated).map_err(WantError::Findings)?;
    let kept = in_force.is_none_or(|digest| digest == same.configuration.digest());
    let (server, wanted) = if kept {
        (validated, same)
    } else {
        let changed = desired(&next).map_err(WantError::Findings)?;
        (next, changed)
    };
    let Desired { mut children, configuration } = wanted;
    let uid = server.identity().uid().to_owned();
    let epoch = keys::epoch(&context.authority, &uid, server.key_generation(), context.clock.now());
    let keys = keys::name(&mut children, &uid, epoch, &context.authority).map_err(WantError::Keys)?;
    Ok(Wanted { server, children, configuration, keys })
}

/// How many replicas share the server's limits: those that live, as far as it is said where that is decided.
fn replicas(server: &Validated, in_force: Option<NonZeroU32>, context: &Context) -> NonZeroU32 {
    let (identity, wanted) = (server.identity(), server.replicas());
    if server.rate_limits().is_empty() {
        context.sharing.forget(identity.uid());
        return wanted;
    }
    let in_force = in_force.unwrap_or(wanted);
    let now = context.clock.now();
    let deployment = tollward_api::owned::child_name(identity.name());
    let deployment = context.caches.child(ChildKind::Deployment, identity.namespace(), &deployment);
    let told = deployment.and_then(|object| object.data.pointer("/spec/replicas").and_then(Value::as_u64));
    // Pods that nobody asked for yet can't be counted.
    let untold = (told != Some(u64::from(wanted.get()))).then_some(wanted.get());
    let seen = Seen::of(&context.caches.pods_of(identity.namespace(), identity.uid()), untold, now);
    let replicas = context.sharing.settle(identity.uid(), in_force, seen, now);
    if replicas != in_force {
        tracing::info!(
            namespace = identity.namespace(),
            server = identity.name(),
            before = in_force.get(),
            after = replicas.get(),
            "other replicas share its limits"
        );
    }
    replicas
}
