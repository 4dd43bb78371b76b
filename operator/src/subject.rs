//! Whom a status and its events are about.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Resource;

/// An object of ours.
#[derive(Debug, Clone)]
pub struct Subject {
    /// What its events refer to.
    pub reference: ObjectReference,
}

impl Subject {
    /// An object of our kinds.
    pub fn of<K: Resource<DynamicType = ()>>(namespace: &str, name: &str, uid: Option<String>) -> Self {
        Self {
            reference: ObjectReference {
                api_version: Some(K::api_version(&()).into_owned()),
                kind: Some(K::kind(&()).into_owned()),
                namespace: Some(namespace.to_owned()),
                name: Some(name.to_owned()),
                uid,
                ..ObjectReference::default()
            },
        }
    }
}
