//! Asking providers about tokens: what is refused, and which Secret is mounted where.

use crate::fixture::{build, catalog, change, refused, with};
use serde_json::{Value, json};
use tollward_api::condition::ConditionReason as Reason;
use tollward_desired::{Inputs, Subject, validate};

fn introspection() -> Value {
    json!({"client": {"id": "tollward", "secret": {"name": "idp-introspection"}}})
}

fn asking() -> Inputs {
    changed("", introspection())
}

/// The example whose provider has introspection, with a value at a pointer below it.
fn changed(path: &str, value: Value) -> Inputs {
    let mut inputs = catalog();
    let place = "/spec/external/introspection";
    inputs.providers[0] = change(&inputs.providers[0], place, introspection());
    inputs.providers[0] = change(&inputs.providers[0], &format!("{place}{path}"), value);
    inputs
}

#[test]
fn the_secret_is_mounted_by_the_kubelet_in_the_sidecar_only_and_stands_in_nothing_else() {
    let desired = build(&asking());
    let config = serde_json::to_value(desired.configuration.config()).unwrap();
    let expected = json!({
        "tokens": "Opaque",
        "client": {
            "id": "tollward", "authentication": "Basic",
            "secretFile": "/etc/tollward/introspection/0/introspection.shop.catalog-idp",
        },
        "cacheSeconds": 30,
    });
    assert_eq!(config["identityProviders"][0]["introspection"], expected);
    let pod = serde_json::to_value(desired.children.deployment.spec.template.spec.unwrap()).unwrap();
    let named = |list: &Value| {
        let find = |entry: &&Value| entry["name"] == "tollward-introspection-0";
        list.as_array().unwrap().iter().find(find).cloned()
    };
    let volume = json!({
        "name": "tollward-introspection-0",
        "secret": {
            "secretName": "idp-introspection", "defaultMode": 0o440,
            "items": [{"key": "introspection.shop.catalog-idp", "path": "introspection.shop.catalog-idp"}],
        },
    });
    assert_eq!(named(&pod["volumes"]), Some(volume));
    let mount =
        json!({"name": "tollward-introspection-0", "mountPath": "/etc/tollward/introspection/0", "readOnly": true});
    assert_eq!(named(&pod["initContainers"][0]["volumeMounts"]), Some(mount));
    assert_eq!(named(&pod["containers"][0]["volumeMounts"]), None);
}

#[test]
fn a_change_of_the_secret_s_name_rolls_the_pods_and_a_change_of_the_cache_does_not() {
    let template = |inputs: &Inputs| serde_json::to_value(&build(inputs).children.deployment.spec.template).unwrap();
    assert_eq!(template(&asking()), template(&changed("/cacheTTL", json!("5m"))));
    assert_ne!(template(&asking()), template(&changed("/client/secret/name", json!("other"))));
}

#[test]
fn introspection_that_can_not_be_enforced_is_a_finding_about_the_provider() {
    for (path, value, expected) in [
        ("/endpointURL", json!("file:///etc/passwd"), "introspection.endpointURL must be an absolute"),
        ("/endpointURL", json!("https://user:secret@idp.example"), "introspection.endpointURL must be an absolute"),
        ("/client/id", json!(""), "client.id must have 1 to 512"),
        ("/client/id", json!("a\nb"), "client.id must have 1 to 512"),
        ("/client/secret/name", json!("catalog-tollward"), "not Tollward's own"),
        ("/cacheTTL", json!("301s"), "at most 5m"),
    ] {
        let inputs = changed(path, value);
        refused(&inputs, Reason::InvalidProvider, expected);
        let findings = validate(&inputs).unwrap_err();
        assert!(findings.iter().any(|finding| finding.subject == Subject::Provider("shop/catalog-idp".into())));
    }
}

#[test]
fn two_providers_that_would_be_asked_about_one_token_are_refused() {
    let mut inputs = asking();
    inputs.server =
        change(&inputs.server, "/spec/auth/identityProviders", json!([{"name": "catalog-idp"}, {"name": "other"}]));
    let other = change(&inputs.providers[0], "/metadata/name", json!("other"));
    inputs.providers.push(change(&other, "/spec/external/issuer", json!("https://other.example.com")));
    refused(&inputs, Reason::Invalid, "`shop/catalog-idp` and `shop/other` have introspection");
    inputs.providers[1] = change(&inputs.providers[1], "/spec/external/introspection", json!(null));
    assert!(validate(&inputs).is_ok());
}

#[test]
fn a_provider_gets_no_secret_but_one_that_was_made_for_it() {
    let mut inputs = with("/spec/auth/identityProviders", json!([{"name": "catalog-idp", "namespace": "identity"}]));
    inputs.providers[0].metadata.namespace = Some("identity".into());
    inputs.providers[0] = change(&inputs.providers[0], "/spec/allowedNamespaces", json!({"from": "All"}));
    inputs.providers[0] = change(&inputs.providers[0], "/spec/external/introspection", introspection());
    let pod = serde_json::to_value(build(&inputs).children.deployment.spec.template.spec.unwrap()).unwrap();
    let volumes = pod["volumes"].as_array().unwrap();
    let mounted = volumes.iter().find(|volume| volume["name"] == "tollward-introspection-0").unwrap();
    let key = "introspection.identity.catalog-idp";
    assert_eq!(mounted["secret"]["items"], json!([{"key": key, "path": key}]), "whatever else the Secret holds");
}
