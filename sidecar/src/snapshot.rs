//! A configuration compiled for use: everything that a request needs, looked up once, never changed.
//!
//! A request holds one [`Snapshot`] from its first to its last stage, so that a reload in the middle can't mix two
//! policies.

mod compile;
mod route;
mod scopes;

pub use compile::{CompileError, Parts};
pub use route::{KnownTargets, Route, Upstream};
pub use scopes::ScopeNames;

use std::collections::HashMap;
use std::sync::Arc;
use tollward_policy::config::{ASSERTION_KEYS, HttpLimits};
use tollward_policy::endpoint::{RESOURCE_METADATA, SERVER_METADATA};

/// What a path on the public listener leads to.
#[derive(Debug, Clone)]
pub enum Destination {
    /// The MCP endpoint.
    Mcp(Arc<Route>),
    /// Its protected resource metadata.
    ResourceMetadata(Arc<Route>),
    /// The metadata of its one authorization server.
    ServerMetadata(Arc<Route>),
    /// The keys by which its MCP server verifies assertions. No client reads them, and no metadata names them.
    AssertionKeys(Arc<Route>),
}

/// A compiled configuration.
#[derive(Debug)]
pub struct Snapshot {
    /// Digest of the file.
    pub digest: String,
    /// Generation of the file.
    pub generation: i64,
    /// Bounds of a request.
    pub limits: HttpLimits,
    /// Counts the configurations of the process; set when one is put in force.
    pub(crate) version: u64,
    /// Whether clients are to be asked for a certificate.
    pub wants_certificates: bool,
    routes: Vec<Arc<Route>>,
    by_path: HashMap<String, Vec<Destination>>,
}

impl Snapshot {
    fn new(digest: String, generation: i64, limits: HttpLimits, routes: Vec<Arc<Route>>) -> Self {
        let mut by_path: HashMap<String, Vec<Destination>> = HashMap::new();
        for route in &routes {
            let mut add = |path: String, destination| by_path.entry(path).or_default().push(destination);
            add(route.endpoint.path().to_owned(), Destination::Mcp(route.clone()));
            add(route.endpoint.metadata_path(), Destination::ResourceMetadata(route.clone()));
            if route.identity.key_set().is_some() {
                add(format!("{ASSERTION_KEYS}{}", route.endpoint.path()), Destination::AssertionKeys(route.clone()));
            }
            // The root forms can speak for one endpoint of a host only.
            if routes.iter().filter(|other| other.endpoint.authority() == route.endpoint.authority()).count() == 1 {
                add(RESOURCE_METADATA.to_owned(), Destination::ResourceMetadata(route.clone()));
                if route.compat_provider.is_some() {
                    add(SERVER_METADATA.to_owned(), Destination::ServerMetadata(route.clone()));
                }
            }
        }
        let wants_certificates = routes.iter().any(|route| route.authenticator.accepts_certificates());
        Self { digest, generation, limits, version: 0, wants_certificates, routes, by_path }
    }

    /// The routes.
    pub fn routes(&self) -> &[Arc<Route>] {
        &self.routes
    }

    /// The route of the server with this uid.
    pub fn route(&self, uid: &str) -> Option<&Arc<Route>> {
        self.routes.iter().find(|route| route.server.uid == uid)
    }

    /// What a path may lead to, one per host. The path is compared byte by byte.
    pub fn at(&self, path: &str) -> &[Destination] {
        self.by_path.get(path).map(Vec::as_slice).unwrap_or_default()
    }
}

impl Destination {
    /// The route.
    pub fn route(&self) -> &Arc<Route> {
        match self {
            Self::Mcp(route)
            | Self::ResourceMetadata(route)
            | Self::ServerMetadata(route)
            | Self::AssertionKeys(route) => route,
        }
    }
}
