//! `namespace/name`, by which an identity provider is found.

use kube::ResourceExt as _;
use tollward_api::IdentityProvider;
use tollward_api::mcpserver::ProviderReference;

/// `namespace/name` of a provider.
pub(crate) fn key_of(provider: &IdentityProvider) -> String {
    format!("{}/{}", provider.namespace().unwrap_or_else(|| "default".into()), provider.name_any())
}

/// `namespace/name` of the resource that a name in a configuration stands for: one with several tenants has
/// `namespace/name/tenant` for each.
pub fn resource_of(name: &str) -> &str {
    let end = name.match_indices('/').nth(1).map_or(name.len(), |(end, _)| end);
    name.get(..end).unwrap_or(name)
}

/// `namespace/name` of what a reference of a server in this namespace means.
pub(crate) fn referenced_key(reference: &ProviderReference, namespace: &str) -> String {
    format!("{}/{}", reference.namespace.as_deref().unwrap_or(namespace), reference.name)
}
