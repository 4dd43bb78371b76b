//! From a checked configuration to a snapshot.

use super::route::{KnownTargets, Route, Upstream};
use super::{ScopeNames, Snapshot};
use crate::audit::Redactor;
use crate::authenticate::{
    Addressed, Authenticator, AuthenticatorError, PROOF_ALGORITHMS, ProofMemory, Provider, Providers, TokenCache,
};
use crate::clock::Clock;
use crate::dial::socket_uri;
use crate::limiter::{Limiter, Stores};
use crate::session::{SessionKeys, SessionSealer, Sessions, Tasks};
use crate::upstream_identity::{Identities, IdentityError};
use bytes::Bytes;
use http::Uri;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tollward_policy::config::{
    AuthConfig, AuthServerMetadata, ProviderConfig, RouteConfig, SenderConstraintConfig, SenderConstraintMode,
    ServerRef, SidecarConfig,
};
use tollward_policy::endpoint::Endpoint;
use tollward_policy::limits::LimitSet;
use tollward_policy::rules::RuleSet;
use tollward_policy::scope::Catalogue;

/// Why a configuration that passed its checks can't be put into force here.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// A mounted file is missing or wrong.
    #[error("server {server}: {message}")]
    Session {
        /// The server.
        server: String,
        /// What is wrong.
        message: String,
    },
    /// A mounted file is missing or wrong.
    #[error("server {server}: {source}")]
    Identity {
        /// The server.
        server: String,
        /// What is wrong.
        source: IdentityError,
    },
    /// Checks of the configuration should have found it.
    #[error("server {server}: {message}")]
    Content {
        /// The server.
        server: String,
        /// What is wrong.
        message: String,
    },
}

/// What of a server's callers outlives a configuration.
type Kept = (Arc<Sessions>, Arc<Tasks>);

/// What outlives a configuration: keys of issuers, counts of limits, random session keys, names seen.
pub struct Parts {
    /// Keys of issuers.
    pub providers: Providers,
    /// Verified tokens.
    pub tokens: Arc<TokenCache>,
    /// DPoP proofs that were used.
    pub proofs: Arc<ProofMemory>,
    /// Identities for MCP servers.
    pub identities: Identities,
    /// Counts of limits.
    pub limiter: Arc<Limiter>,
    /// Stores that replicas share.
    pub stores: Arc<Stores>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Keys for sessions of servers that were given none, by uid: they live as long as the process.
    pub own_session_keys: std::sync::Mutex<HashMap<String, Arc<SessionKeys>>>,
    /// Sessions, streams and tasks, by uid.
    pub sessions: std::sync::Mutex<HashMap<String, Kept>>,
    /// Names seen, by uid.
    pub known: std::sync::Mutex<HashMap<String, Arc<KnownTargets>>>,
}

impl Parts {
    /// Compiles a configuration. Nothing is in force until the snapshot is accepted.
    pub fn compile(&self, config: &SidecarConfig, digest: String) -> Result<Snapshot, CompileError> {
        let mut routes = Vec::with_capacity(config.routes.len());
        for route in &config.routes {
            routes.push(Arc::new(self.route(route, &config.identity_providers)?));
        }
        Ok(Snapshot::new(digest, config.generation, config.process.http.clone(), routes))
    }

    fn route(&self, config: &RouteConfig, providers: &[ProviderConfig]) -> Result<Route, CompileError> {
        let name = format!("{}/{}", config.server.namespace, config.server.name);
        let content =
            |error: &dyn std::fmt::Display| CompileError::Content { server: name.clone(), message: error.to_string() };
        let endpoint = Endpoint::parse(&config.endpoint.url).map_err(|error| content(&error))?;
        let catalogue = Catalogue::compile(&config.scopes).map_err(|error| content(&error))?;
        let rules = RuleSet::compile(&config.rules, &catalogue).map_err(|error| content(&error))?;
        let limits = LimitSet::compile(&config.rate_limits).map_err(|error| content(&error))?;
        let limits = limits.shared_by(config.replicas);
        let (uid, namespace) = (&config.server.uid, &config.server.namespace);
        let limiter = self.limiter.route(uid, &limits).sharing(self.stores.route(namespace, uid, &limits));
        let session_keys =
            self.session_keys(config).map_err(|message| CompileError::Session { server: name.clone(), message })?;
        let authenticator = self.authenticator(config, providers, &endpoint, &session_keys);
        let authenticator = authenticator.map_err(|error| content(&error))?;
        let own: Vec<_> = authenticator.providers().cloned().collect();
        let scope_names = scope_names(&config.auth, &own);
        let sealer = SessionSealer::new(&session_keys, config.session.max_age_seconds);
        let sealer = sealer.map_err(|error| content(&error))?;
        let identity = self.identities.compile(config, &own);
        let identity = identity.map_err(|source| CompileError::Identity { server: name.clone(), source })?;
        let (sessions, tasks) = self.sessions(&config.server);
        Ok(Route {
            hosts: hosts(&endpoint, &config.endpoint.hosts),
            origins: origins(&endpoint, &config.endpoint.allowed_origins),
            metadata: metadata(config, &own, scope_names.first_prefix()),
            compat_provider: compat(&config.auth, &own),
            authenticator,
            initial_scopes: config.initial_scopes.clone(),
            scope_names,
            sealer,
            session_bounds: config.session.bounds,
            sessions,
            tasks,
            upstream: upstream(config).ok_or_else(|| content(&"upstream.url is no URL"))?,
            identity,
            redactor: Redactor::new(&config.audit),
            recorded_claims: config.audit.claims.clone(),
            known: self.known(&config.server),
            server: config.server.clone(),
            name,
            endpoint,
            catalogue,
            rules,
            limits,
            limiter,
        })
    }

    fn authenticator(
        &self,
        config: &RouteConfig,
        providers: &[ProviderConfig],
        endpoint: &Endpoint,
        keys: &SessionKeys,
    ) -> Result<Authenticator, AuthenticatorError> {
        let (hosts, server) = (&config.endpoint.hosts, &config.server.uid);
        let addressed = Addressed { endpoint, hosts, server, keys, proofs: &self.proofs };
        let (tokens, clock) = (self.tokens.clone(), self.clock.clone());
        Authenticator::new(&config.auth, providers, &self.providers, tokens, clock, &addressed)
    }

    /// Keys from files are read anew each time; random ones stay.
    fn session_keys(&self, config: &RouteConfig) -> Result<Arc<SessionKeys>, String> {
        let load = || SessionKeys::load(&config.session).map(Arc::new).map_err(|error| error.to_string());
        if !config.session.keys.is_empty() {
            return load();
        }
        let mut own = self.own_session_keys.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(keys) = own.get(&config.server.uid) {
            return Ok(keys.clone());
        }
        let keys = load()?;
        own.insert(config.server.uid.clone(), keys.clone());
        Ok(keys)
    }

    fn sessions(&self, server: &ServerRef) -> Kept {
        let mut sessions = self.sessions.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        sessions.entry(server.uid.clone()).or_default().clone()
    }

    fn known(&self, server: &ServerRef) -> Arc<KnownTargets> {
        let mut known = self.known.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        known.entry(server.uid.clone()).or_default().clone()
    }
}

/// Older clients can be shown one document, so there must be one provider.
fn compat(auth: &AuthConfig, providers: &[Arc<Provider>]) -> Option<Arc<Provider>> {
    match (auth, providers) {
        (AuthConfig::OAuth { auth_server_metadata: AuthServerMetadata::Compat, .. }, [only]) => Some(only.clone()),
        (AuthConfig::OAuth { .. } | AuthConfig::None {}, _) => None,
    }
}

fn scope_names(auth: &AuthConfig, providers: &[Arc<Provider>]) -> ScopeNames {
    let forms =
        providers.iter().map(|provider| (provider.config().name.as_str(), provider.config().profile.scope_form));
    match auth {
        AuthConfig::OAuth { scope_prefixes, .. } => ScopeNames::new(scope_prefixes, forms),
        AuthConfig::None {} => ScopeNames::new(&BTreeMap::new(), forms),
    }
}

/// The protected resource metadata (RFC 9728 section 2). Arrays without elements are left out.
fn metadata(config: &RouteConfig, providers: &[Arc<Provider>], prefix: &str) -> Option<Bytes> {
    if providers.is_empty() {
        return None;
    }
    let issuers: Vec<_> = providers.iter().map(|provider| provider.config().issuer.as_str()).collect();
    let mut document = json!({
        "resource": config.endpoint.url,
        "authorization_servers": issuers,
        "bearer_methods_supported": ["header"],
    });
    let members = document.as_object_mut()?;
    if !config.initial_scopes.is_empty() {
        let scopes: Vec<_> = config.initial_scopes.iter().map(|scope| format!("{prefix}{scope}")).collect();
        members.insert("scopes_supported".into(), json!(scopes));
    }
    if let Some(name) = &config.endpoint.display_name {
        members.insert("resource_name".into(), json!(name));
    }
    add_sender_constraint(&config.auth, members);
    Some(Bytes::from(document.to_string()))
}

/// What tokens may or must be bound to, in the words of RFC 9728 section 2. What is left out is false.
fn add_sender_constraint(auth: &AuthConfig, members: &mut Map<String, Value>) {
    let AuthConfig::OAuth { sender_constraint: Some(constraint), .. } = auth else {
        return;
    };
    let SenderConstraintConfig { mode, dpop, mutual_tls } = constraint;
    if dpop.is_some() {
        members.insert("dpop_signing_alg_values_supported".into(), json!(PROOF_ALGORITHMS));
        if *mode == SenderConstraintMode::Required && !mutual_tls {
            members.insert("dpop_bound_access_tokens_required".into(), json!(true));
        }
    }
    if *mutual_tls {
        members.insert("tls_client_certificate_bound_access_tokens".into(), json!(true));
    }
}

fn hosts(endpoint: &Endpoint, more: &[String]) -> HashSet<String> {
    let default_port = if endpoint.origin().starts_with("https:") { ":443" } else { ":80" };
    let own = endpoint.authority();
    let mut hosts: HashSet<String> = more.iter().map(|host| host.to_ascii_lowercase()).collect();
    hosts.insert(own.to_owned());
    if endpoint.origin().rsplit_once(':').is_none_or(|(_, port)| !port.bytes().all(|byte| byte.is_ascii_digit())) {
        hosts.insert(format!("{own}{default_port}"));
    }
    hosts
}

fn origins(endpoint: &Endpoint, more: &[String]) -> HashSet<String> {
    more.iter().cloned().chain([endpoint.origin().to_owned()]).collect()
}

fn upstream(config: &RouteConfig) -> Option<Upstream> {
    let uri: Uri = config.upstream.url.parse().ok()?;
    let authority = uri.authority()?.clone();
    let uri = match &config.upstream.socket {
        None => uri,
        Some(socket) => socket_uri(socket, uri.path())?,
    };
    let seconds = |seconds: u32| Duration::from_secs(u64::from(seconds));
    Some(Upstream {
        uri,
        authority,
        response_timeout: seconds(config.upstream.response_timeout_seconds),
        idle_timeout: seconds(config.upstream.idle_timeout_seconds),
    })
}
