//! Everything that is in a namespace, of whatever kind the API server knows.

use kube::api::ListParams;
use kube::core::DynamicObject;
use kube::discovery::{Discovery, Scope, verbs};
use kube::{Api, Client, ResourceExt as _};
use std::collections::BTreeMap;

/// What tells whether an object was replaced or changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its unique id.
    pub uid: String,
    /// The version of its specification: the generation where its kind has one, since a status changes without a writer.
    pub version: String,
    /// Who writes it.
    pub manager: String,
}

/// The objects of a namespace, by `Kind/name`. Events are left out: they record what was.
pub async fn inventory(client: &Client, namespace: &str) -> BTreeMap<String, Object> {
    let discovery = Discovery::new(client.clone()).run().await.expect("the API server says what it knows");
    let mut found = BTreeMap::new();
    for (resource, capabilities) in discovery.groups().flat_map(kube::discovery::ApiGroup::recommended_resources) {
        let listed = capabilities.scope == Scope::Namespaced && capabilities.supports_operation(verbs::LIST);
        if !listed || resource.kind == "Event" {
            continue;
        }
        let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource);
        let objects = api.list(&ListParams::default()).await;
        let objects = objects.unwrap_or_else(|error| panic!("{} can't be listed: {error}", resource.plural));
        for object in objects {
            let manager = object.labels().get("app.kubernetes.io/managed-by").cloned().unwrap_or_default();
            let version = object.metadata.generation.map_or_else(
                || object.resource_version().unwrap_or_default(),
                |generation| format!("generation {generation}"),
            );
            let uid = object.uid().unwrap_or_default();
            found.insert(format!("{}/{}", resource.kind, object.name_any()), Object { uid, version, manager });
        }
    }
    found
}
