//! The example on this machine, as `tollward dev` runs it.

use crate::fixture::{catalog, change, relay};
use tollward_desired::{Inputs, LocalPlace, Place, configuration, serve_at, validate};
use tollward_policy::config::{ListenerTls, Role, load};

fn local(inputs: Inputs, upstream: &str) -> tollward_desired::Configuration {
    let url = "http://127.0.0.1:8080/mcp";
    let inputs = Inputs { server: serve_at(inputs.server, url), ..inputs };
    let place = LocalPlace::loopback("127.0.0.1:8080".parse().unwrap(), "127.0.0.1:0".parse().unwrap(), upstream);
    configuration(&validate(&inputs).unwrap(), &Place::Local(place)).unwrap()
}

#[test]
fn a_local_configuration_needs_no_mounted_file_and_dials_loopback() {
    let written = local(catalog(), "http://127.0.0.1:3000/mcp");
    let config = load(written.text().as_bytes()).unwrap();
    assert!(!written.text().contains("/etc/tollward"), "{}", written.text());
    assert_eq!(config.process.role, Role::Sidecar);
    assert_eq!(config.process.public.tls, ListenerTls::Off {});
    assert_eq!(config.process.public.address.to_string(), "127.0.0.1:8080");
    assert_eq!(config.routes[0].endpoint.url, "http://127.0.0.1:8080/mcp");
    assert_eq!(config.routes[0].upstream.url, "http://127.0.0.1:3000/mcp");
    let allowed: Vec<_> = config.process.dial.allow.iter().map(|one| one.cidr.to_string()).collect();
    assert_eq!(allowed, ["127.0.0.0/8", "127.0.0.0/8", "::1/128", "::1/128"]);
    assert_eq!(config.routes[0].endpoint.hosts, Vec::<String>::new());
}

#[test]
fn tokens_of_a_local_server_are_for_its_local_url() {
    let written = local(catalog(), "http://127.0.0.1:3000/mcp");
    let auth = serde_json::to_value(&written.config().routes[0].auth).unwrap();
    assert_eq!(auth["audiences"][0], "http://127.0.0.1:8080/mcp");
}

#[test]
fn an_upstream_elsewhere_makes_it_a_relay() {
    assert_eq!(local(relay(), "http://catalog.test:3000/mcp").config().process.role, Role::Relay);
}

#[test]
fn a_local_server_asks_for_no_certificates_since_it_has_no_tls() {
    let constraint = |methods: serde_json::Value| {
        let mut inputs = catalog();
        let value = serde_json::json!({"mode": "Required", "methods": methods});
        inputs.server = change(&inputs.server, "/spec/auth/senderConstraint", value);
        let written = local(inputs, "http://127.0.0.1:3000/mcp");
        serde_json::to_value(&written.config().routes[0].auth).unwrap()["senderConstraint"].clone()
    };
    let dpop = serde_json::json!({"mode": "Required", "dpop": {"nonce": "Off", "proofMaxAgeSeconds": 60}});
    assert_eq!(constraint(serde_json::json!(["DPoP", "MutualTLS"])), dpop);
    assert_eq!(constraint(serde_json::json!(["MutualTLS"])), serde_json::Value::Null);
}
