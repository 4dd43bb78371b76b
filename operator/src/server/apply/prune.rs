//! Removes objects that the server controls and that should exist no more, for instance the disruption budget of a server
//! that went down to one replica.
//!
//! Only what carries the server's unique id as its controller is removed, and only in the version that was seen.

use super::{ApplyError, Place};
use crate::child::ChildKind;
use kube::ResourceExt as _;
use kube::api::{DeleteParams, Preconditions};

pub(super) async fn prune(place: &Place<'_>, wanted: &[(ChildKind, &str)]) -> Result<(), ApplyError> {
    // Exposure goes first: the other way round than things are made.
    for kind in ChildKind::ALL.into_iter().rev() {
        for object in place.context.caches.controlled(kind, place.namespace, place.uid) {
            let name = object.name_any();
            if wanted.contains(&(kind, name.as_str())) || object.metadata.deletion_timestamp.is_some() {
                continue;
            }
            let mut parameters = DeleteParams::background();
            parameters.preconditions =
                Some(Preconditions { uid: object.uid(), resource_version: object.resource_version() });
            match place.api(kind).delete(&name, &parameters).await {
                Ok(_) => tracing::info!(kind = kind.name(), name, "removed what is no longer wanted"),
                Err(kube::Error::Api(status)) if status.code == 404 => {}
                Err(error) => return Err(ApplyError::of(&format!("{} {name}", kind.name()), error)),
            }
        }
    }
    Ok(())
}
