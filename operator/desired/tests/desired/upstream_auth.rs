//! As whom the server behind is called: what is mounted, what stands in the configuration, and what is refused.

use crate::fixture::{build, catalog, change, refused, relay, with};
use serde_json::{Value, json};
use tollward_api::condition::ConditionReason as Reason;
use tollward_desired::{Desired, Inputs, KeyEntry, LocalPlace, Place, configuration, validate};
use tollward_policy::config::UpstreamIdentity;

const PLACE: &str = "/spec/upstreamAuth";

fn credential() -> Value {
    json!({"type": "Credential", "credential": {"scheme": "Bearer", "secretName": "crm", "actAs": "Shared"}})
}

fn exchange() -> Value {
    let client = json!({"id": "tollward", "secretName": "exchange", "authentication": "Post"});
    json!({"type": "TokenExchange", "tokenExchange": {"client": client, "audience": "catalog-internal", "scopes": ["a", "b"]}})
}

fn within(mut value: Value, field: &str, to: Value) -> Value {
    let kind = if value["type"] == "Credential" { "credential" } else { "tokenExchange" };
    value[kind][field] = to;
    value
}

fn identity(desired: &Desired) -> Value {
    serde_json::to_value(&desired.configuration.config().routes[0].upstream.identity).unwrap()
}

/// Volumes, mounts of the sidecar, and mounts of the server.
fn mounted(desired: &Desired) -> (Value, Value, Value) {
    let pod = serde_json::to_value(&desired.children.deployment.spec.template.spec).unwrap();
    let find = |list: &Value| {
        let found = list.as_array().and_then(|all| all.iter().find(|one| one["name"] == "tollward-upstream").cloned());
        found.unwrap_or_default()
    };
    let sidecar = &pod["initContainers"][0];
    (find(&pod["volumes"]), find(&sidecar["volumeMounts"]), find(&pod["containers"][0]["volumeMounts"]))
}

fn variables(desired: &Desired) -> Vec<(String, String)> {
    let pod = serde_json::to_value(&desired.children.deployment.spec.template.spec).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let all = pod["containers"][0]["env"].as_array().cloned().unwrap_or_default();
    let told = all.iter().filter(|it| text(&it["name"]).starts_with("TOLLWARD_"));
    told.map(|it| (text(&it["name"]), text(&it["value"]))).collect()
}

#[test]
fn a_server_that_says_nothing_gets_to_see_nothing() {
    let desired = build(&catalog());
    assert!(desired.configuration.config().routes[0].upstream.identity.is_none());
    assert!(!desired.configuration.text().contains("\"identity\":"), "a configuration without one does not change");
    assert_eq!(desired.configuration.text(), build(&with(PLACE, json!({"type": "None"}))).configuration.text());
    assert!(variables(&desired).is_empty());
}

#[test]
fn an_assertion_has_keys_of_its_own_and_the_server_is_told_how_to_verify_it() {
    let desired = build(&with(PLACE, json!({"type": "SignedAssertion"})));
    let keys = json!({
        "privateKey": "/etc/tollward/keys/assertion.key",
        "neighbours": ["/etc/tollward/keys/assertion-earlier.pub", "/etc/tollward/keys/assertion-later.pub"],
    });
    let uid = "7d9f2c1e-0000-4000-8000-000000000001";
    assert_eq!(identity(&desired), json!({"type": "SignedAssertion", "audience": uid, "keys": keys}));
    let entries = &desired.children.keys.entries;
    assert!(entries.iter().any(|entry| matches!(entry, KeyEntry::Assertion { .. })), "{entries:?}");
    assert!(!build(&catalog()).children.keys.entries.iter().any(|entry| matches!(entry, KeyEntry::Assertion { .. })));
    let told: Vec<_> = variables(&desired);
    let expected = [
        ("TOLLWARD_ASSERTION_ISSUER", "https://catalog-tollward.shop.svc/mcp"),
        ("TOLLWARD_ASSERTION_AUDIENCE", uid),
        ("TOLLWARD_ASSERTION_KEYS_URL", "http://127.0.0.1:64431/assertion-keys/shop/catalog"),
    ];
    assert_eq!(told, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[test]
fn a_credential_is_mounted_in_the_sidecar_alone_and_never_in_the_config_map() {
    let desired = build(&with(PLACE, credential()));
    let form = json!({"scheme": "Bearer", "token": "/etc/tollward/upstream/crm/credential.catalog"});
    assert_eq!(identity(&desired), json!({"type": "Credential", "form": form}));
    let (volume, mount, servers) = mounted(&desired);
    let items = json!([{"key": "credential.catalog", "path": "credential.catalog"}]);
    assert_eq!(volume["secret"], json!({"secretName": "crm", "defaultMode": 0o440, "items": items}));
    assert_eq!((&mount["mountPath"], &mount["readOnly"]), (&json!("/etc/tollward/upstream/crm"), &json!(true)));
    assert_eq!(servers, Value::Null);
    let basic = build(&with(PLACE, within(credential(), "scheme", json!("Basic"))));
    assert_eq!(mounted(&basic).0["secret"]["items"][1]["key"], "credential.catalog.password");
    let other = build(&with(PLACE, within(credential(), "secretName", json!("erp"))));
    assert_ne!(
        mounted(&other).1["mountPath"],
        mount["mountPath"],
        "a process of before finds no folder, not another's secret"
    );
}

#[test]
fn an_exchange_names_its_client_and_target_and_the_provider_its_token_endpoint() {
    let mut inputs = with(PLACE, exchange());
    inputs.providers[0] =
        change(&inputs.providers[0], "/spec/external/tokenURL", json!("https://idp.example.com/token"));
    let desired = build(&inputs);
    let client = json!({"id": "tollward", "secret": "/etc/tollward/upstream/exchange/exchange.catalog.shop.catalog-idp", "authentication": "Post"});
    let expected = json!({
        "type": "TokenExchange", "client": client, "audience": "catalog-internal", "scopes": ["a", "b"], "maxLifetimeSeconds": 3600,
    });
    assert_eq!(identity(&desired), expected);
    let config = desired.configuration.config();
    assert_eq!(config.identity_providers[0].token_url.as_deref(), Some("https://idp.example.com/token"));
}

#[test]
fn an_identity_that_is_too_powerful_or_can_not_be_had_is_refused() {
    let reason = Reason::InvalidUpstreamAuth;
    let endpoint = json!("https://catalog-tollward.shop.svc/mcp");
    for (value, expected) in [
        (json!({"type": "Credential"}), "and nothing else"),
        (json!({"type": "None", "signedAssertion": {}}), "and nothing else"),
        (
            json!({"type": "SignedAssertion", "signedAssertion": {"audience": endpoint}}),
            "callers' tokens are issued for",
        ),
        (within(exchange(), "audience", endpoint.clone()), "callers' tokens are issued for"),
        (within(exchange(), "resource", endpoint), "callers' tokens are issued for"),
        (within(credential(), "actAs", json!(null)), "write actAs: Shared"),
        (within(credential(), "actAs", json!("User")), "needs the broker"),
        (within(credential(), "secretName", json!("catalog-tollward")), "belongs to Tollward"),
        (within(credential(), "secretName", json!("../keys")), "no Secret"),
        (within(credential(), "header", json!("X-Api-Key")), "set header only"),
        (
            json!({"type": "Credential", "credential": {"scheme": "Header", "header": "Host", "secretName": "crm", "actAs": "Shared"}}),
            "may not stand in `Host`",
        ),
    ] {
        refused(&with(PLACE, value), reason, expected);
    }
    let mut anonymous = with(PLACE, json!({"type": "SignedAssertion"}));
    anonymous.server = change(&anonymous.server, "/spec/auth", json!({"mode": "None"}));
    refused(&anonymous, reason, "needs auth.mode OAuth");
    let mut unknown = with(PLACE, exchange());
    unknown.providers[0] =
        change(&unknown.providers[0], "/spec/external/jwksURL", json!("https://idp.example.com/keys"));
    refused(&unknown, reason, "set tokenURL as well");
    let mut variable = with(PLACE, json!({"type": "SignedAssertion"}));
    let lie = json!([{"name": "TOLLWARD_ASSERTION_KEYS_URL", "value": "http://evil.example"}]);
    variable.server = change(&variable.server, "/spec/source/workload/env", lie);
    refused(&variable, Reason::InvalidWorkload, "such names are reserved");
}

/// Who may write `MCPServer`s need not be somebody who may read Secrets, and says where a Secret's content goes.
#[test]
fn a_server_gets_no_secret_but_one_that_was_made_for_it() {
    let keys = |inputs: &Inputs| {
        let items = mounted(&build(inputs)).0["secret"]["items"].clone();
        items.as_array().unwrap().iter().map(|item| item["key"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    for scheme in ["Bearer", "Header"] {
        let mut spec = within(credential(), "scheme", json!(scheme));
        if scheme == "Header" {
            spec = within(spec, "header", json!("X-Api-Key"));
        }
        assert_eq!(keys(&with(PLACE, spec)), ["credential.catalog"], "{scheme}");
    }
    let basic = with(PLACE, within(credential(), "scheme", json!("Basic")));
    assert_eq!(keys(&basic), ["credential.catalog.username", "credential.catalog.password"]);
    let mut behind = relay();
    behind.server = change(&behind.server, PLACE, credential());
    let name = behind.server.metadata.name.clone().unwrap();
    assert_eq!(keys(&behind), [format!("credential.{name}")], "whatever is behind");
}

/// A client's secret goes to the provider, and lets the server get tokens of its callers: both are meant, or neither.
#[test]
fn a_client_s_secret_is_shown_to_no_provider_and_for_no_server_but_those_that_it_was_made_for() {
    let mut inputs = with(PLACE, exchange());
    let elsewhere = json!([{"name": "catalog-idp", "namespace": "identity"}]);
    inputs.server = change(&inputs.server, "/spec/auth/identityProviders", elsewhere);
    inputs.providers[0].metadata.namespace = Some("identity".into());
    inputs.providers[0] = change(&inputs.providers[0], "/spec/allowedNamespaces", json!({"from": "All"}));
    let items = mounted(&build(&inputs)).0["secret"]["items"].clone();
    let key = "exchange.catalog.identity.catalog-idp";
    assert_eq!(items, json!([{"key": key, "path": key}]));
    let long = "p".repeat(240);
    inputs.server =
        change(&inputs.server, "/spec/auth/identityProviders", json!([{"name": long, "namespace": "identity"}]));
    inputs.providers[0].metadata.name = Some(long);
    refused(&inputs, Reason::InvalidUpstreamAuth, "more than 253 characters; choose shorter names");
}

#[test]
fn only_another_secret_rolls_the_pods() {
    let template = |value: Value| build(&with(PLACE, value)).children.deployment.spec.template;
    assert_eq!(template(exchange()), template(within(exchange(), "audience", json!("other"))));
    assert_ne!(template(credential()), template(within(credential(), "secretName", json!("erp"))));
}

#[test]
fn a_relay_has_the_same_identity_and_no_container_to_tell() {
    let mut inputs = relay();
    inputs.server =
        change(&inputs.server, PLACE, json!({"type": "SignedAssertion", "signedAssertion": {"audience": "legacy"}}));
    assert_eq!(identity(&build(&inputs))["audience"], "legacy");
}

fn local(inputs: &Inputs, secrets: &[(&str, &str)]) -> Result<UpstreamIdentity, String> {
    let at = |port: u16| std::net::SocketAddr::from(([127, 0, 0, 1], port));
    let secrets = secrets.iter().map(|(name, folder)| ((*name).to_owned(), folder.into())).collect();
    let place = LocalPlace { secrets, ..LocalPlace::loopback(at(8080), at(0), "http://127.0.0.1:3000/mcp") };
    let made = configuration(&validate(inputs).unwrap(), &Place::Local(place));
    let first = |findings: Vec<tollward_desired::Finding>| findings[0].message.clone();
    made.map(|made| made.config().routes[0].upstream.identity.clone()).map_err(first)
}

#[test]
fn on_this_machine_a_folder_stands_for_a_secret_and_keys_are_made_on_the_spot() {
    let error = local(&with(PLACE, credential()), &[]).unwrap_err();
    assert!(error.contains("--secret crm=FOLDER") && error.contains("credential.catalog"), "{error}");
    let found = local(&with(PLACE, credential()), &[("crm", "secrets/crm")]).unwrap();
    let found = serde_json::to_value(found).unwrap();
    assert_eq!(found["form"], json!({"scheme": "Bearer", "token": "secrets/crm/credential.catalog"}));
    let assertion = local(&with(PLACE, json!({"type": "SignedAssertion"})), &[]).unwrap();
    assert!(matches!(assertion, UpstreamIdentity::SignedAssertion { keys: None, .. }), "{assertion:?}");
}
