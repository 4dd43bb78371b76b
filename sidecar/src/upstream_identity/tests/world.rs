//! A route with a caller, and a token endpoint that says what a test tells it to.

use crate::authenticate::{Document, Fetch, FetchFailure, Form, Provider, Providers};
use crate::clock::Clock;
use crate::upstream_identity::{
    Ask, Identities, IdentityError, IdentityFailure, Presented, TokenEndpoint, TokenRequest, UpstreamIdentity,
};
use futures_util::future::BoxFuture;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Map, Value, json};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;
use tollward_policy::config::{RouteConfig, SidecarConfig};
use tollward_policy::principal::{Membership, Principal, TokenPrincipal};
use tollward_policy::scope::Catalogue;

pub(super) const NOW: i64 = 1_800_000_000;
pub(super) const ISSUER: &str = "https://idp.example";
pub(super) const TOKEN_URL: &str = "https://idp.example/token";
pub(super) const ENDPOINT: &str = "https://mcp.example/mcp";

/// What an endpoint was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) url: String,
    pub(super) client: (String, String),
    pub(super) form: Vec<(String, String)>,
}

/// A token endpoint that answers the same to everybody, once it is let.
pub(super) struct Endpoint {
    pub(super) asked: Mutex<Vec<Asked>>,
    pub(super) answer: Mutex<Result<Document, FetchFailure>>,
    /// Each exchange takes one.
    pub(super) turns: Semaphore,
}

impl Endpoint {
    pub(super) fn new() -> Arc<Self> {
        let answer = Mutex::new(Ok(document(200, &good())));
        Arc::new(Self { asked: Mutex::default(), answer, turns: Semaphore::new(Semaphore::MAX_PERMITS) })
    }

    pub(super) fn count(&self) -> usize {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    pub(super) fn answers(&self, status: u16, body: &Value) {
        *self.answer.lock().unwrap() = Ok(document(status, body));
    }

    pub(super) fn is_down(&self) {
        let failure = FetchFailure { detail: "no connection".into(), public: "no" };
        *self.answer.lock().unwrap() = Err(failure);
    }
}

impl TokenEndpoint for Endpoint {
    fn exchange<'a>(&'a self, request: &'a TokenRequest<'a>) -> BoxFuture<'a, Result<Document, FetchFailure>> {
        Box::pin(async move {
            let form = request.form().iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            let client = (request.client.to_owned(), request.secret.to_owned());
            self.asked.lock().unwrap().push(Asked { url: request.url.to_owned(), client, form });
            self.turns.acquire().await.unwrap().forget();
            self.answer.lock().unwrap().clone()
        })
    }
}

pub(super) fn document(status: u16, body: &Value) -> Document {
    Document {
        status: StatusCode::from_u16(status).unwrap(),
        content_type: Some("application/json".to_owned()),
        cache_control: None,
        body: body.to_string().into(),
    }
}

pub(super) fn good() -> Value {
    json!({
        "access_token": "token-for-the-server", "token_type": "Bearer", "expires_in": 300,
        "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
    })
}

/// Nothing answers.
struct Nowhere;

impl Fetch for Nowhere {
    fn post_form<'a>(
        &'a self,
        _: &'a str,
        _: Form<'a>,
        _: Option<&'a Path>,
    ) -> BoxFuture<'a, Result<Document, FetchFailure>> {
        Box::pin(std::future::pending())
    }

    fn get<'a>(&'a self, _: &'a str, _: Option<&'a Path>) -> BoxFuture<'a, Result<Document, FetchFailure>> {
        Box::pin(std::future::pending())
    }
}

struct Fixed;

impl Clock for Fixed {
    fn unix_nanos(&self) -> i128 {
        i128::from(NOW) * 1_000_000_000
    }
}

/// A route's identity, and everything that it is asked with.
pub(super) struct World {
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) identities: Identities,
    providers: Providers,
    pub(super) catalogue: Catalogue,
}

impl World {
    pub(super) fn new() -> Self {
        let endpoint = Endpoint::new();
        let scopes = json!([
            {"name": "mcp:write", "description": "w", "implies": ["mcp:read"]}, {"name": "mcp:read", "description": "r"},
            {"name": "mcp:audit", "description": "a"},
        ]);
        Self {
            identities: Identities::new(endpoint.clone()),
            endpoint,
            providers: Providers::new(Arc::new(Nowhere), Arc::new(Fixed)),
            catalogue: Catalogue::compile(&serde_json::from_value::<Vec<_>>(scopes).unwrap()).unwrap(),
        }
    }

    /// Compiles an identity for a route with so many providers.
    pub(super) fn compile(&self, identity: &Value, providers: usize) -> Result<UpstreamIdentity, IdentityError> {
        let (route, providers) = self.route(identity, providers);
        self.identities.compile(&route, &providers)
    }

    pub(super) fn route(&self, identity: &Value, providers: usize) -> (RouteConfig, Vec<Arc<Provider>>) {
        let config = config(identity, providers);
        let providers = config.identity_providers.iter().map(|config| self.providers.get_or_start(config)).collect();
        (config.routes[0].clone(), providers)
    }

    /// What a caller's call shows.
    pub(super) async fn present(
        &self,
        identity: &UpstreamIdentity,
        caller: &Caller,
        now: i64,
    ) -> Result<Option<Presented>, IdentityFailure> {
        let held = self.catalogue.held(["mcp:write", "other"]);
        let ask = Ask {
            principal: &caller.principal,
            held: &held,
            catalogue: &self.catalogue,
            method: "tools/call",
            id: "request-1",
            headers: &caller.headers,
            now,
        };
        identity.present(&ask).await
    }
}

/// A caller with a token.
pub(super) struct Caller {
    pub(super) principal: Principal,
    pub(super) headers: HeaderMap,
}

impl Caller {
    pub(super) fn new(subject: &str, token: &str, provider: &str) -> Self {
        let principal = Principal::Token(Arc::new(TokenPrincipal {
            provider: provider.into(),
            issuer: ISSUER.into(),
            subject: subject.into(),
            client: Some("desk".into()),
            token_id: Some("t-1".into()),
            scopes: vec!["mcp:write".into(), "other".into()],
            expires_at: NOW + 3600,
            groups: Membership::Unknown,
            roles: Membership::Unknown,
            claims: Map::new(),
        }));
        let value = HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
        Self { principal, headers: HeaderMap::from_iter([(AUTHORIZATION, value)]) }
    }

    pub(super) fn alice() -> Self {
        Self::new("alice", "alices-token", "shop/idp-0")
    }
}

/// The header that was made.
pub(super) fn header(presented: &Presented) -> (String, String) {
    let mut headers = HeaderMap::new();
    presented.put(&mut headers);
    let (name, value) = headers.iter().next().unwrap();
    assert!(value.is_sensitive(), "{name}");
    (name.to_string(), value.to_str().unwrap().to_owned())
}

fn config(identity: &Value, providers: usize) -> SidecarConfig {
    let provider = |number: usize| {
        json!({
            "name": format!("shop/idp-{number}"), "issuer": format!("https://idp-{number}.example"), "algorithms": ["ES256"],
            "jwksUrl": "https://idp.example/keys", "tokenUrl": TOKEN_URL, "tokenTypes": ["at+jwt"],
            "claims": {"scopes": ["scope"], "client": ["client_id"], "subject": "sub", "tokenId": ["jti"]}, "leewaySeconds": 0,
            "refresh": {"intervalSeconds": 300, "cooldownSeconds": 30, "maxStaleSeconds": 86_400},
        })
    };
    let http = json!({
        "maxBodyBytes": 65_536, "maxHeaderBytes": 32_768, "maxHeaders": 100, "headerTimeoutSeconds": 10,
        "bodyTimeoutSeconds": 10, "maxConnections": 10, "maxInFlight": 10, "maxStreamsPerConnection": 10,
    });
    let upstream = json!({
        "url": "http://127.0.0.1:1/mcp", "connectTimeoutSeconds": 2, "responseTimeoutSeconds": 20, "idleTimeoutSeconds": 60,
        "identity": identity,
    });
    let names: Vec<_> = (0..providers).map(|number| format!("shop/idp-{number}")).collect();
    let config = json!({
        "version": 1, "minReader": 1, "generation": 1,
        "process": {
            "role": "Sidecar", "public": {"address": "127.0.0.1:0", "tls": {"mode": "Off"}}, "observe": "127.0.0.1:0",
            "http": http, "dial": {}, "drainSeconds": 1,
        },
        "identityProviders": (0..providers).map(provider).collect::<Vec<_>>(),
        "routes": [{
            "server": {"namespace": "shop", "name": "catalog", "uid": "u1"}, "endpoint": {"url": ENDPOINT}, "upstream": upstream,
            "auth": {"mode": "OAuth", "providers": names, "audiences": [ENDPOINT], "authServerMetadata": "Off"},
            "scopes": [], "initialScopes": [], "rules": [], "rateLimits": [],
            "session": {"maxAgeSeconds": 3600}, "audit": {"arguments": "None", "maxArgumentBytes": 0},
        }],
    });
    tollward_policy::config::load(config.to_string().as_bytes()).unwrap()
}
