//! Doubles of vendors' authorization servers: documents at the addresses where the vendor has them, and tokens of any form.
//!
//! What a server makes of one is what the control plane's own code expands its preset to: [`configured`] takes the way of a
//! resource in a cluster.

use crate::config::{ConfigFile, ENDPOINT};
use crate::issuer::Health;
use crate::key::Key;
use crate::loopback::{Loopback, answer, lock};
use crate::token::Token;
use crate::world::World;
use http::StatusCode;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use tollward_desired::{Inputs, InstallSettings, LocalPlace, Place, compile_config, validate};
use tollward_policy::config::{RouteConfig, SidecarConfig};

/// A vendor's authorization server.
pub struct Vendor {
    /// `http://127.0.0.1:PORT`, which stands where the vendor's host does.
    pub base: String,
    /// Signs its tokens: RS256, `vendor-key`.
    pub key: Arc<Key>,
    documents: Arc<Mutex<BTreeMap<String, Value>>>,
    _server: Loopback,
}

impl Vendor {
    /// Starts without documents.
    pub async fn start() -> Self {
        let documents: Arc<Mutex<BTreeMap<String, Value>>> = Arc::default();
        let shown = Arc::clone(&documents);
        let server = Loopback::start_at(Ipv4Addr::LOCALHOST.into(), move |request| {
            let found = lock(&shown).get(request.uri().path()).cloned();
            let status = if found.is_some() { StatusCode::OK } else { StatusCode::NOT_FOUND };
            async move { Ok(answer(status, "application/json", found.unwrap_or_default().to_string())) }
        })
        .await;
        let base = format!("http://{}", server.address());
        Self { base, key: Arc::new(Key::new("vendor-key", "RS256")), documents, _server: server }
    }

    /// Serves the metadata of `issuer` at these paths, and its keys at `keys`, each with what `more` adds to it or, by null, takes away.
    pub fn serve(&self, issuer: &str, metadata: &[&str], keys: &str, more: &Value) {
        let mut jwk = self.key.jwk();
        let members = jwk.as_object_mut().expect("a key is an object");
        for (name, value) in more.as_object().into_iter().flatten() {
            if value.is_null() {
                members.remove(name);
            } else {
                members.insert(name.clone(), value.clone());
            }
        }
        let mut documents = lock(&self.documents);
        for path in metadata {
            let document = json!({"issuer": issuer, "jwks_uri": format!("{}{keys}", self.base)});
            documents.insert((*path).to_owned(), document);
        }
        documents.insert(keys.to_owned(), json!({"keys": [jwk]}));
    }

    /// A token of the vendor. What its header and claims don't say is not in it, but `alg` and `kid`.
    pub fn token(&self, world: &World, header: &Value, claims: &Value) -> Token {
        Token::of(header, claims, &self.key, world.issuer.book())
            .with_header("alg", "RS256")
            .with_header("kid", self.key.id.as_str())
    }
}

/// A world whose server trusts a provider with that `spec.external`, by that `spec.auth`.
pub async fn world(external: &Value, auth: &Value) -> World {
    let mut configured = configured(external, auth);
    let change = move |config: &mut SidecarConfig, _: &ConfigFile| {
        let (own, wanted) = (config.routes.remove(0), configured.routes.remove(0));
        let route = RouteConfig {
            auth: wanted.auth,
            scopes: wanted.scopes,
            initial_scopes: wanted.initial_scopes,
            rules: wanted.rules,
            ..own
        };
        config.routes = vec![route];
        config.identity_providers = configured.identity_providers;
    };
    let world = World::cold(Health::Good, change).await;
    world.sidecar.ready().await;
    world
}

/// What the control plane makes of a server with one provider.
pub fn configured(external: &Value, auth: &Value) -> SidecarConfig {
    let object = |kind: &str, name: &str, spec: Value| {
        json!({
            "apiVersion": "tollward.dev/v1alpha1", "kind": kind, "spec": spec,
            "metadata": {"name": name, "namespace": "shop", "uid": "7d9f2c1e-0000-4000-8000-000000000001"},
        })
    };
    let server = object(
        "MCPServer",
        "catalog",
        json!({
            "source": {"type": "Workload", "workload": {"image": "catalog", "transport": {"port": 3000}}},
            "endpoint": {"url": ENDPOINT, "tls": {"mode": "Off"}}, "auth": auth,
        }),
    );
    let provider = object("IdentityProvider", "idp", json!({"type": "External", "external": external}));
    let mut install = InstallSettings::plain("image", "tollward-system");
    install.refresh.cooldown_seconds = 1;
    let inputs = Inputs {
        server: serde_json::from_value(server).expect("a server"),
        namespace_labels: BTreeMap::new(),
        providers: vec![serde_json::from_value(provider).expect("a provider")],
        policies: Vec::new(),
        siblings: Vec::new(),
        generation: 1,
        install,
    };
    let validated = validate(&inputs).unwrap_or_else(|findings| panic!("{findings:#?}"));
    let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    compile_config(&validated, &Place::Local(LocalPlace::loopback(nowhere, nowhere, "http://127.0.0.1:1/mcp")))
}
