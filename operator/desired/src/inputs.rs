//! Everything that a server's desired state depends on, gathered by whoever has a client or files.

use crate::install::InstallSettings;
use crate::issuers::issuers_of;
use crate::provider_key::{key_of, referenced_key};
use crate::public_url::public_url;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt as _;
use std::collections::{BTreeMap, BTreeSet};
use tollward_api::mcpserver::{AudienceSharing, AuthMode, AuthSpec, DeclaredScope};
use tollward_api::{IdentityProvider, MCPServer, RateLimitPolicy};
use tollward_policy::rules::Action;

/// What one server's desired state depends on.
#[derive(Debug, Clone)]
pub struct Inputs {
    /// The server.
    pub server: MCPServer,
    /// Labels of the server's namespace, for providers that select namespaces.
    pub namespace_labels: BTreeMap<String, String>,
    /// The providers that it refers to, as far as they exist. A reference without one is a finding.
    pub providers: Vec<IdentityProvider>,
    /// The policies of its namespace. Those that do not name the server are ignored.
    pub policies: Vec<RateLimitPolicy>,
    /// Other servers, as far as they may collide with this one.
    pub siblings: Vec<Sibling>,
    /// Grows with every change of anything above.
    pub generation: i64,
    /// Settings of the installation.
    pub install: InstallSettings,
}

/// What matters of another server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sibling {
    /// `namespace/name`.
    pub name: String,
    /// When it was made; the older of two keeps what both want.
    pub created: Option<Time>,
    /// Its public URL.
    pub endpoint: String,
    /// The audience that it accepts, if it asks for tokens.
    pub audience: Option<String>,
    /// The issuers whose tokens it accepts.
    pub issuers: BTreeSet<String>,
    /// Whether it may share its audience.
    pub shares: bool,
    /// The scopes that it declares, by their names and as they may stand in tokens, with what clients put before them.
    pub scopes: BTreeSet<String>,
    /// Whether some rule allows calls without any scope.
    pub allows_without_scope: bool,
}

impl Sibling {
    /// What matters of a server. Providers that it does not refer to are ignored.
    pub fn of(server: &MCPServer, providers: &[IdentityProvider], install: &InstallSettings) -> Self {
        let namespace = server.namespace().unwrap_or_else(|| "default".into());
        let endpoint = public_url(server, &namespace, install);
        let auth = &server.spec.auth;
        let named = auth.audience.as_ref().map_or_else(|| endpoint.clone(), |audience| audience.value.clone());
        let wanted: BTreeSet<_> =
            auth.identity_providers.iter().map(|reference| referenced_key(reference, &namespace)).collect();
        let issuers = providers
            .iter()
            .filter(|provider| wanted.contains(&key_of(provider)))
            .filter_map(|provider| provider.spec.external.as_ref())
            .flat_map(issuers_of)
            .collect();
        Self {
            name: format!("{namespace}/{}", server.name_any()),
            created: server.metadata.creation_timestamp.clone(),
            endpoint,
            audience: (auth.mode == AuthMode::OAuth).then_some(named),
            issuers,
            shares: auth.audience.as_ref().is_some_and(|audience| audience.shared == AudienceSharing::Acknowledged),
            scopes: scopes(auth),
            allows_without_scope: auth.rules.iter().any(|rule| rule.action == Action::Allow && rule.scopes.is_empty()),
        }
    }

    /// True if this one keeps what both want: it is older, or first by name.
    pub(crate) fn precedes(&self, other: &Self) -> bool {
        let age = |sibling: &Self| (sibling.created.is_none(), sibling.created.clone());
        (age(self), &self.name) < (age(other), &other.name)
    }
}

fn scopes(auth: &AuthSpec) -> BTreeSet<String> {
    let prefixes = auth.identity_providers.iter().filter_map(|reference| reference.scope_prefix.as_deref());
    let prefixes: Vec<_> = std::iter::once("").chain(prefixes).collect();
    let named =
        |scope: &DeclaredScope| prefixes.iter().map(|prefix| format!("{prefix}{}", scope.name)).collect::<Vec<_>>();
    auth.scopes.iter().flat_map(named).collect()
}
