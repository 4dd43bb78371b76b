//! What stands in front of the catalog in these tests, and how its records are read.

use serde_json::{Value, json};
use std::net::SocketAddr;
use tollward_policy::config::SidecarConfig;
use tollward_sidecar::audit::Record;
use tollward_tests::real::guarded::{Guard, Guarded, free_address};
use tollward_tests::real::keycloak::Keycloak;
use tollward_tests::real::server::Server;
use tollward_tests::vendor::configured;

pub(crate) fn guard(issuer: &str) -> Guard {
    let rule = |name: &str, tools: Value, scope: &str| {
        json!({
            "name": name, "match": {"tools": tools}, "action": "Allow", "scopes": [scope], "onMissingScope": "Challenge"
        })
    };
    Guard {
        host: "127.0.0.1",
        issuer: Some(issuer.to_owned()),
        audience: None,
        scopes: json!([
            {"name": "mcp:catalog-read", "description": "Look at products"},
            {"name": "mcp:cart-write", "description": "Put products into the cart"},
        ]),
        initial_scopes: json!(["mcp:catalog-read"]),
        rules: json!([
            rule("read", json!(["search_products", "get_product"]), "mcp:catalog-read"),
            rule("cart", json!(["add_to_cart"]), "mcp:cart-write"),
        ]),
        hosts: Vec::new(),
    }
}

/// What the control plane makes of preset Keycloak.
pub(crate) fn preset(config: &mut SidecarConfig) {
    let issuer = config.identity_providers.remove(0).issuer;
    let auth = json!({"mode": "OAuth", "identityProviders": [{"name": "idp"}]});
    config.identity_providers = configured(&json!({"preset": "Keycloak", "issuer": issuer}), &auth).identity_providers;
}

pub(crate) fn text(answer: &Value, member: &str) -> String {
    answer[member].as_str().map_or_else(|| format!("no {member}"), str::to_owned)
}

pub(crate) async fn calls(guarded: &Guarded, tool: &str) -> Vec<Record> {
    let is_call = |record: &Record| record.call.as_ref().is_some_and(|call| call.target.as_deref() == Some(tool));
    guarded.records().await.into_iter().filter(is_call).collect()
}

/// The catalog behind the data plane, with a realm of its own.
pub(crate) async fn guarded_catalog(change: impl Fn(&mut SidecarConfig)) -> (Keycloak, Guarded) {
    let address = free_address();
    let keycloak = Keycloak::start(&guard("").url(address.port())).await;
    guarded(keycloak, address, change).await
}

/// The same with the experimental features of Keycloak.
pub(crate) async fn experimental_catalog(change: impl Fn(&mut SidecarConfig)) -> (Keycloak, Guarded) {
    let address = free_address();
    let keycloak = Keycloak::start_experimental(&guard("").url(address.port())).await;
    guarded(keycloak, address, change).await
}

async fn guarded(keycloak: Keycloak, address: SocketAddr, change: impl Fn(&mut SidecarConfig)) -> (Keycloak, Guarded) {
    let change = |config: &mut SidecarConfig| {
        preset(config);
        change(config);
    };
    let guarded = guard(&keycloak.issuer).start_at(address, Server::catalog(), change).await;
    (keycloak, guarded.expect("the port is free"))
}
