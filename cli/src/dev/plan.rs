//! From what the operator would deploy to what runs on this machine: same scopes, rules, limits and audit; other
//! addresses, no certificates, and an authorization server within reach. No input or output.

use crate::manifests::{Compiled, Refused};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use tollward_desired::LocalPlace;
use tollward_policy::config::{
    Algorithm, AuthConfig, ClaimNames, ProviderConfig, RefreshConfig, RouteConfig, SidecarConfig, TokenProfile,
    TokenType, UpstreamIdentity,
};
use url::Url;

/// Where the MCP Inspector's page is served, which is what most people try a server with.
const INSPECTOR_PORT: u16 = 6274;
/// Seconds that requests in flight get at the end: somebody waits at a terminal.
const DRAIN_SECONDS: u32 = 2;
/// Name of the built-in authorization server in the configuration.
const BUILT_IN: &str = "dev/built-in";

/// Where things are on this machine.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// Where clients connect.
    pub(crate) public: SocketAddr,
    /// Where the MCP server is.
    pub(crate) upstream: UpstreamPlace,
    /// Whose tokens count.
    pub(crate) issuer: IssuerPlace,
    /// Folders that stand for Secrets.
    pub(crate) secrets: BTreeMap<String, PathBuf>,
}

/// Where the MCP server is.
#[derive(Debug, Clone)]
pub(crate) enum UpstreamPlace {
    /// Started here, at the path that the manifest says.
    Port(u16),
    /// Wherever the user says.
    Url(Url),
}

/// Whose tokens count.
#[derive(Debug, Clone)]
pub(crate) enum IssuerPlace {
    /// Those of the built-in authorization server.
    BuiltIn(String),
    /// Those of the manifest's provider, at this issuer.
    Given(String),
    /// Nobody's: the manifest asks for no tokens.
    Nobody,
}

/// Why a server can't run here.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlanError {
    /// The operator's code refuses it at this machine's address.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The operator's code made something else than one route.
    #[error("the manifests lead to {0} servers; choose one with --server")]
    Routes(usize),
    /// Several providers and one `--issuer`.
    #[error("--issuer needs a server with exactly one identity provider; `{server}` has {count}")]
    Providers {
        /// The server.
        server: String,
        /// How many it has.
        count: usize,
    },
    /// The built-in authorization server has nothing to give in exchange.
    #[error("`{0}` exchanges tokens, which the built-in authorization server does not; name another with --issuer")]
    Exchange(String),
    /// A URL that can't be read.
    #[error("`{0}` is no URL")]
    Url(String),
}

/// The configuration with this machine's addresses.
pub(crate) fn localize(compiled: &Compiled, place: &Place) -> Result<SidecarConfig, PlanError> {
    let declared = only(compiled.declared())?;
    let url = format!("http://{}{}", place.public, path(&declared.endpoint.url)?);
    let upstream = match &place.upstream {
        UpstreamPlace::Port(port) => format!("http://127.0.0.1:{port}{}", path(&declared.upstream.url)?),
        UpstreamPlace::Url(url) => url.to_string(),
    };
    let observe = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let secrets = place.secrets.clone();
    let local = LocalPlace { secrets, ..LocalPlace::loopback(place.public, observe, upstream) };
    let mut config = compiled.at(&url, local)?;
    config.process.drain_seconds = DRAIN_SECONDS;
    adapt(config, place)
}

/// What the operator's code can't know: names of this machine, and whose tokens count here.
fn adapt(mut config: SidecarConfig, place: &Place) -> Result<SidecarConfig, PlanError> {
    let count = config.routes.len();
    let [route] = config.routes.as_mut_slice() else {
        return Err(PlanError::Routes(count));
    };
    route.endpoint.hosts.push(format!("localhost:{}", place.public.port()));
    for host in ["localhost", "127.0.0.1"] {
        route.endpoint.allowed_origins.push(format!("http://{host}:{INSPECTOR_PORT}"));
    }
    config.identity_providers = trust(route, &config.identity_providers, &place.issuer)?;
    Ok(config)
}

fn only(config: &SidecarConfig) -> Result<&RouteConfig, PlanError> {
    match config.routes.as_slice() {
        [route] => Ok(route),
        several => Err(PlanError::Routes(several.len())),
    }
}

fn path(url: &str) -> Result<String, PlanError> {
    Url::parse(url).map(|url| url.path().to_owned()).map_err(|_| PlanError::Url(url.to_owned()))
}

/// Points the route at the authorization server of this machine, and returns it as the configuration knows it.
fn trust(
    route: &mut RouteConfig,
    declared: &[ProviderConfig],
    issuer: &IssuerPlace,
) -> Result<Vec<ProviderConfig>, PlanError> {
    let AuthConfig::OAuth {
        providers,
        audiences,
        allowed_clients,
        allowed_client_hosts,
        scope_prefixes,
        auth_server_metadata: _,
        sender_constraint,
    } = &mut route.auth
    else {
        return Ok(Vec::new());
    };
    match issuer {
        IssuerPlace::Nobody => Ok(declared.to_vec()),
        IssuerPlace::BuiltIn(_) if matches!(route.upstream.identity, UpstreamIdentity::TokenExchange { .. }) => {
            Err(PlanError::Exchange(route.server.name.clone()))
        }
        IssuerPlace::BuiltIn(issuer) => {
            *providers = vec![BUILT_IN.to_owned()];
            *audiences = vec![route.endpoint.url.clone()];
            // Clients register here and get random ids, so that a list of ids would refuse all of them.
            allowed_clients.clear();
            allowed_client_hosts.clear();
            scope_prefixes.clear();
            // Its tokens are bound to nobody.
            *sender_constraint = None;
            Ok(vec![built_in(issuer)])
        }
        IssuerPlace::Given(issuer) => match declared {
            [provider] => Ok(vec![ProviderConfig {
                issuer: issuer.clone(),
                jwks_url: None,
                token_url: None,
                ca_file: None,
                ..provider.clone()
            }]),
            several => Err(PlanError::Providers { server: route.server.name.clone(), count: several.len() }),
        },
    }
}

/// The built-in authorization server as the data plane sees it. The cooldown is short, since its key changes when the
/// scopes in the manifests do.
fn built_in(issuer: &str) -> ProviderConfig {
    let only = |name: &str| vec![name.to_owned()];
    ProviderConfig {
        name: BUILT_IN.to_owned(),
        issuer: issuer.to_owned(),
        jwks_url: None,
        token_url: None,
        ca_file: None,
        algorithms: vec![Algorithm::ES256],
        token_types: vec![TokenType::AccessToken],
        claims: ClaimNames {
            scopes: only("scope"),
            client: only("client_id"),
            subject: "sub".to_owned(),
            token_id: only("jti"),
            groups: only("groups"),
            roles: only("roles"),
        },
        profile: TokenProfile::generic(),
        leeway_seconds: 5,
        max_lifetime_seconds: Some(300),
        refresh: RefreshConfig { interval_seconds: 300, cooldown_seconds: 1, max_stale_seconds: 600 },
        // Entries are about the subjects and clients of the declared providers, who are nobody here.
        deny: Vec::new(),
        introspection: None,
    }
}

#[cfg(test)]
mod tests;
