//! The same policy at another place.

use super::{IssuerPlace, Place, UpstreamPlace, localize};
use crate::manifests::compile;
use std::collections::BTreeMap;
use tollward_policy::config::{AuthConfig, ListenerTls, Role, SidecarConfig, check};

const MANIFESTS: &str = "
apiVersion: tollward.dev/v1alpha1
kind: MCPServer
metadata: {name: catalog, namespace: shop}
spec:
  source:
    type: Workload
    workload: {image: catalog, transport: {port: 3000, path: /inner}}
  endpoint: {url: 'https://mcp.example.com/shop/mcp', hosts: ['mcp.internal:8443']}
  auth:
    mode: OAuth
    identityProviders: [{name: idp}]
    clients: {allow: [agent]}
    scopes: [{name: 'catalog:read', description: look products up}]
    initialScopes: ['catalog:read']
    rules: [{name: read, match: {tools: ['get_*']}, scopes: ['catalog:read']}]
---
apiVersion: tollward.dev/v1alpha1
kind: IdentityProvider
metadata: {name: idp, namespace: shop}
spec: {type: External, external: {issuer: 'https://idp.example.com', jwksURL: 'https://idp.example.com/keys'}}
";

fn local(upstream: UpstreamPlace, issuer: IssuerPlace) -> SidecarConfig {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("all.yaml"), MANIFESTS).unwrap();
    let compiled = compile(&[folder.path().to_owned()], None).unwrap();
    let public = "127.0.0.1:8080".parse().unwrap();
    localize(&compiled, &Place { public, upstream, issuer, secrets: BTreeMap::new() }).unwrap()
}

#[test]
fn the_policy_stays_and_the_addresses_change() {
    let config = local(UpstreamPlace::Port(4000), IssuerPlace::BuiltIn("http://127.0.0.1:8081".into()));
    assert_eq!(check(&config), []);
    let route = &config.routes[0];
    assert_eq!(route.endpoint.url, "http://127.0.0.1:8080/shop/mcp");
    assert_eq!(route.upstream.url, "http://127.0.0.1:4000/inner");
    assert_eq!(route.rules.len(), 1);
    assert_eq!(config.process.public.tls, ListenerTls::Off {});
    assert_eq!(config.process.role, Role::Sidecar);
    assert!(config.process.public.address.ip().is_loopback() && config.process.observe.ip().is_loopback());
    assert!(config.process.report.is_none());
}

#[test]
fn the_built_in_issuer_replaces_the_manifests_and_its_random_clients_may_call() {
    let config = local(UpstreamPlace::Port(4000), IssuerPlace::BuiltIn("http://127.0.0.1:8081".into()));
    assert_eq!(config.identity_providers.len(), 1);
    assert_eq!(config.identity_providers[0].issuer, "http://127.0.0.1:8081");
    let AuthConfig::OAuth { audiences, allowed_clients, .. } = &config.routes[0].auth else { panic!("OAuth") };
    assert_eq!(audiences, &["http://127.0.0.1:8080/shop/mcp"]);
    assert!(allowed_clients.is_empty());
}

#[test]
fn a_given_issuer_keeps_everything_else_of_the_manifests_provider() {
    let config = local(UpstreamPlace::Port(4000), IssuerPlace::Given("http://127.0.0.1:9000/realm".into()));
    assert_eq!(check(&config), []);
    let provider = &config.identity_providers[0];
    assert_eq!((provider.name.as_str(), provider.issuer.as_str()), ("shop/idp", "http://127.0.0.1:9000/realm"));
    assert_eq!(provider.jwks_url, None);
    let AuthConfig::OAuth { allowed_clients, .. } = &config.routes[0].auth else { panic!("OAuth") };
    assert_eq!(allowed_clients, &["agent"]);
}

#[test]
fn a_server_elsewhere_is_reached_as_a_relay() {
    let upstream = UpstreamPlace::Url("http://mcp.example.internal:3000/mcp".parse().unwrap());
    let config = local(upstream, IssuerPlace::BuiltIn("http://127.0.0.1:8081".into()));
    assert_eq!(check(&config), []);
    assert_eq!(config.process.role, Role::Relay);
}
