//! The built-in authorization server: Tollward's broker with a sign-in page that takes any name.
//!
//! When the manifests change the server's scopes, the broker is made anew in the same place. Registered clients and
//! consents stay; tokens do not, since they were signed by the former one.

use crate::arguments::UserClaim;
use anyhow::Context as _;
use axum::Router;
use axum::extract::Request;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;
use tollward_broker::{BrokerConfig, Claims, Parts, Resource, ScopeText, SignIn, Url};
use tollward_policy::config::RouteConfig;
use tower::ServiceExt as _;

/// Registrations in a minute; a test that registers in a loop must not be the first to notice.
const REGISTRATIONS: NonZeroU32 = NonZeroU32::MIN.saturating_add(599);
/// Longest text of a scope on the consent page.
const MAX_DESCRIPTION: usize = 200;

/// An address that is bound, so that the issuer is known, and not served yet.
pub(crate) struct Reserved {
    listener: TcpListener,
    issuer: String,
}

/// Who signs in, and for what besides the server itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct Audience {
    /// Claims of users.
    pub(crate) users: Vec<UserClaim>,
    /// Another resource that tokens are issued for, to show that they are worth nothing here.
    pub(crate) decoy: Option<String>,
}

/// The running broker.
pub(crate) struct BuiltIn {
    issuer: String,
    audience: Audience,
    parts: Parts,
    router: Arc<RwLock<Router>>,
    _serving: AbortOnDropHandle<()>,
}

impl Reserved {
    /// Binds the port.
    pub(crate) async fn bind(port: u16) -> anyhow::Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let listener = TcpListener::bind(address).await.with_context(|| {
            format!(
                "the built-in authorization server can't listen on {address}; choose another port with --broker-port"
            )
        })?;
        let issuer = format!("http://{}", listener.local_addr().context("can't read the broker's address")?);
        Ok(Self { listener, issuer })
    }

    /// The issuer identifier.
    pub(crate) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Serves, for this route.
    pub(crate) fn serve(self, route: &RouteConfig, audience: Audience) -> anyhow::Result<BuiltIn> {
        let Self { listener, issuer } = self;
        let parts = Parts::in_memory();
        let router = Arc::new(RwLock::new(router(&issuer, route, &audience, &parts)?));
        let current = router.clone();
        let app = Router::new().fallback(move |request: Request| {
            let router = current.read().unwrap_or_else(PoisonError::into_inner).clone();
            async move { router.oneshot(request).await }
        });
        let serving = tokio::spawn(async move {
            // It ends with this process only: it retries whatever goes wrong with a connection.
            let _ = axum::serve(listener, app).await;
        });
        Ok(BuiltIn { issuer, audience, parts, router, _serving: AbortOnDropHandle::new(serving) })
    }
}

impl BuiltIn {
    /// The issuer identifier.
    pub(crate) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Makes the broker anew for a route whose scopes changed.
    pub(crate) fn renew(&self, route: &RouteConfig) -> anyhow::Result<()> {
        let router = router(&self.issuer, route, &self.audience, &self.parts)?;
        *self.router.write().unwrap_or_else(PoisonError::into_inner) = router;
        Ok(())
    }
}

fn router(issuer: &str, route: &RouteConfig, audience: &Audience, parts: &Parts) -> anyhow::Result<Router> {
    let config = BrokerConfig {
        issuer: Url::parse(issuer).context("the broker's address is no URL")?,
        resources: resources(route, audience.decoy.as_deref())?,
        sign_in: SignIn::AnyName { claims: claims(&audience.users), default_claims: Claims::new() },
        token_lifetime: Duration::from_mins(5),
        refresh_lifetime: Duration::from_hours(8),
        client_idle_lifetime: Duration::from_hours(24),
        registrations_per_minute: REGISTRATIONS,
        private_use_schemes: ["cursor", "vscode", "vscode-insiders", "zed"].map(str::to_owned).to_vec(),
    };
    let broker = config.validate(parts.clone()).context("the built-in authorization server can't be set up")?;
    Ok(broker.router())
}

fn resources(route: &RouteConfig, decoy: Option<&str>) -> anyhow::Result<Vec<Resource>> {
    let scopes: Vec<_> = route
        .scopes
        .iter()
        .map(|scope| ScopeText {
            name: scope.name.as_str().to_owned(),
            description: scope.description.chars().take(MAX_DESCRIPTION).collect(),
        })
        .collect();
    let initial: Vec<_> = route.initial_scopes.iter().map(|scope| scope.as_str().to_owned()).collect();
    let resource = |url: &str, name: &str| -> anyhow::Result<Resource> {
        let url = Url::parse(url).context("the endpoint is no URL")?;
        Ok(Resource { url, name: name.to_owned(), scopes: scopes.clone(), default_scopes: initial.clone() })
    };
    let name = route.endpoint.display_name.as_deref().unwrap_or(&route.server.name);
    let mut resources = vec![resource(&route.endpoint.url, name)?];
    if let Some(decoy) = decoy {
        resources.push(resource(decoy, "Another server")?);
    }
    Ok(resources)
}

fn claims(users: &[UserClaim]) -> BTreeMap<String, Claims> {
    let mut claims: BTreeMap<String, Claims> = BTreeMap::new();
    for UserClaim { user, claim, value } in users {
        claims.entry(user.clone()).or_default().insert(claim.clone(), value.clone());
    }
    claims
}

#[cfg(test)]
mod tests;
