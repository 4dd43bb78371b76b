//! Writes a status: one server-side apply of the subresource, for the object that was seen.

use crate::context::{Context, FIELD_MANAGER};
use crate::subject::Subject;
use k8s_openapi::NamespaceResourceScope;
use kube::api::{Patch, PatchParams};
use kube::core::{ApiResource, DynamicObject};
use kube::{Api, Resource};
use serde::Serialize;
use serde_json::json;

/// Writes it. False if that failed, which was logged. Objects that went away meanwhile count as written.
pub async fn write<K>(subject: &Subject, status: &impl Serialize, context: &Context) -> bool
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    let reference = &subject.reference;
    let namespace = reference.namespace.as_deref().unwrap_or_default();
    let name = reference.name.as_deref().unwrap_or_default();
    // Dynamic, since the answer may hold what this operator can't read.
    let resource = ApiResource::erase::<K>(&());
    let api: Api<DynamicObject> = Api::namespaced_with(context.client.clone(), namespace, &resource);
    let patch = json!({
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        // A new object of the same name must not get the status of the old one.
        "metadata": {"name": name, "uid": reference.uid},
        "status": status,
    });
    let parameters = PatchParams::apply(FIELD_MANAGER).force();
    match api.patch_status(name, &parameters, &Patch::Apply(&patch)).await {
        Ok(_) => true,
        Err(kube::Error::Api(answer)) if matches!(answer.code, 404 | 409) => true,
        Err(error) => {
            tracing::warn!(kind = resource.kind, namespace, name, %error, "a status could not be written; this is tried again");
            false
        }
    }
}
