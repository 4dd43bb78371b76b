//! One MCP server, compiled.

use super::ScopeNames;
use crate::audit::Redactor;
use crate::authenticate::{Authenticator, Provider};
use crate::limiter::RouteLimiter;
use crate::session::{SessionSealer, Sessions, Tasks};
use crate::upstream_identity::UpstreamIdentity;
use bytes::Bytes;
use http::Uri;
use http::uri::Authority;
use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tollward_policy::config::{ServerRef, SessionBounds};
use tollward_policy::endpoint::Endpoint;
use tollward_policy::limits::LimitSet;
use tollward_policy::operation::Target;
use tollward_policy::rules::RuleSet;
use tollward_policy::scope::{Catalogue, ScopeName};

/// Most names of a server's own lists that are remembered.
const MAX_KNOWN: usize = 2_000;

/// One MCP server, compiled.
pub struct Route {
    /// Which object.
    pub server: ServerRef,
    /// `namespace/name`.
    pub name: String,
    /// The public URL.
    pub endpoint: Endpoint,
    /// Authorities that Host may name, in lower case.
    pub hosts: HashSet<String>,
    /// Origins of browser pages that may call.
    pub origins: HashSet<String>,
    /// Says who calls.
    pub authenticator: Authenticator,
    /// The one provider whose metadata older clients are shown.
    pub compat_provider: Option<Arc<Provider>>,
    /// Scopes of the first challenge.
    pub initial_scopes: Vec<ScopeName>,
    /// What they are called at the providers.
    pub scope_names: ScopeNames,
    /// Declared scopes.
    pub catalogue: Catalogue,
    /// Who may do what.
    pub rules: RuleSet,
    /// How often.
    pub limits: LimitSet,
    /// The counts.
    pub limiter: RouteLimiter,
    /// Seals session ids.
    pub sealer: SessionSealer,
    /// How many sessions and streams there may be.
    pub session_bounds: SessionBounds,
    /// How many there are.
    pub sessions: Arc<Sessions>,
    /// Whose tasks are.
    pub tasks: Arc<Tasks>,
    /// The MCP server behind.
    pub upstream: Upstream,
    /// As whom calls go there.
    pub identity: UpstreamIdentity,
    /// The protected resource metadata document; `None` for `auth.mode: None`.
    pub metadata: Option<Bytes>,
    /// What of the arguments is recorded.
    pub redactor: Redactor,
    /// Claims that are recorded.
    pub recorded_claims: Vec<String>,
    /// Names that the server's own lists showed.
    pub known: Arc<KnownTargets>,
}

/// The MCP server behind.
#[derive(Debug, Clone)]
pub struct Upstream {
    /// Its endpoint.
    pub uri: Uri,
    /// What Host says there.
    pub authority: Authority,
    /// Until the head of the answer.
    pub response_timeout: Duration,
    /// Pause of an answer.
    pub idle_timeout: Duration,
}

/// Names that the server itself listed, bounded. They tell invented names apart from real ones, in limits and metrics.
#[derive(Debug, Default)]
pub struct KnownTargets(RwLock<HashSet<String>>);

impl Route {
    /// Scopes of the first challenge and where the metadata is.
    pub fn metadata_url(&self) -> String {
        self.endpoint.metadata_url()
    }

    /// True if the target's name is one that rules or the server's lists name.
    pub fn knows(&self, target: &Target) -> bool {
        target.name().is_none_or(|name| self.known.contains(name)) || self.rules.names(target)
    }
}

impl std::fmt::Debug for Route {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Route")
            .field("name", &self.name)
            .field("endpoint", &self.endpoint.as_str())
            .finish_non_exhaustive()
    }
}

impl KnownTargets {
    /// Remembers names.
    pub fn add(&self, names: impl IntoIterator<Item = String>) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for name in names {
            if known.len() >= MAX_KNOWN {
                break;
            }
            known.insert(name);
        }
    }

    /// True if the name was listed.
    pub fn contains(&self, name: &str) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).contains(name)
    }

    /// All names, sorted, for the report.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = self.0.read().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect();
        names.sort();
        names
    }
}
