//! Identity providers.

use crate::judge::{accepts, refuses, with};
use crate::objects::provider;
use serde_json::json;
use tollward_api::IdentityProvider;

#[test]
fn an_entry_that_denies_says_whom_and_can_match() {
    let entry = |entry: serde_json::Value| ("/spec/deny", json!([entry]));
    let time = "2026-11-23T12:00:00Z";
    accepts::<IdentityProvider>(
        "IdentityProvider",
        &provider(),
        &[
            ("/spec/deny", json!([])),
            entry(json!({"name": "a", "subject": "ada"})),
            entry(json!({"name": "a", "client": "https://client.example/metadata.json"})),
            entry(json!({"name": "a", "tokenId": "x"})),
            entry(json!({"name": "a", "issuedBefore": time})),
            entry(
                json!({"name": "a", "subject": "Ada Lovelace ä", "client": "c", "tokenId": "t", "issuedBefore": time,
                "until": "2027-11-23T12:00:00.5+01:00", "reason": "her laptop was stolen"}),
            ),
            ("/spec/deny", json!([{"name": "a", "subject": "ada"}, {"name": "b", "subject": "ada"}])),
        ],
    );
    let nobody = "deny entry `a` must set subject, client, tokenId or issuedBefore";
    refuses::<IdentityProvider>(
        "IdentityProvider",
        &provider(),
        &[
            entry(json!({"name": "a"})).with(nobody),
            entry(json!({"name": "a", "until": time, "reason": "everybody"})).with(nobody),
            entry(json!({"name": "a", "subject": " ada"})).with("deny.subject must have no outer spaces"),
            entry(json!({"name": "a", "client": "ada\n"})).with("deny.client must have no outer spaces"),
            entry(json!({"name": "a", "tokenId": "x\u{7}y"})).with("deny.tokenId must have no outer spaces"),
        ],
    );
}

/// A change with what its refusal says.
trait With<'a> {
    fn with(self, message: &'a str) -> (&'a str, serde_json::Value, &'a str);
}

impl<'a> With<'a> for (&'a str, serde_json::Value) {
    fn with(self, message: &'a str) -> (&'a str, serde_json::Value, &'a str) {
        (self.0, self.1, message)
    }
}

#[test]
fn a_provider_has_what_its_type_says() {
    accepts::<IdentityProvider>(
        "IdentityProvider",
        &provider(),
        &[
            ("/spec/allowedNamespaces", json!(null)),
            ("/spec/allowedNamespaces", json!({"from": "All"})),
            ("/spec/external/issuer", json!("http://127.0.0.1:8080/realms/x")),
            ("/spec/external/leeway", json!("0s")),
            ("/spec/external/maxTokenLifetime", json!("1h")),
            ("/spec/external/preset", json!("Keycloak")),
        ],
    );
    refuses::<IdentityProvider>(
        "IdentityProvider",
        &provider(),
        &[
            ("/spec/external", json!(null), "spec.external must be set if spec.type is External"),
            ("/spec/external/issuer", json!("idp.example.com"), "external.issuer must be an absolute"),
            ("/spec/external/issuer", json!("https://idp.example.com?x"), "external.issuer must be an absolute"),
            ("/spec/external/issuer", json!("https://u:p@idp.example.com"), "external.issuer must be an absolute"),
            ("/spec/external/jwksURL", json!("file:///etc/passwd"), "external.jwksURL must be an absolute"),
            ("/spec/external/leeway", json!("61s"), "at most 60s"),
            ("/spec/external/maxTokenLifetime", json!("0s"), "from 1s to 8760h"),
            ("/spec/external/caConfigMap/name", json!("x-tollward"), "belongs to Tollward"),
            ("/spec/allowedNamespaces", json!({"from": "Selector"}), "allowedNamespaces.selector must be set"),
            ("/spec/allowedNamespaces", json!({"from": "All", "selector": {}}), "and only then"),
        ],
    );
}

#[test]
fn a_provider_is_asked_about_tokens_by_a_client_with_a_secret() {
    let introspection = json!({"client": {"id": "tollward", "secret": {"name": "idp-introspection"}}});
    let asking = with(provider(), "/spec/external/introspection", introspection);
    accepts::<IdentityProvider>(
        "IdentityProvider",
        &asking,
        &[
            ("/spec/external/introspection/tokens", json!("All")),
            ("/spec/external/introspection/endpointURL", json!("https://idp.example.com/introspect?tenant=a")),
            ("/spec/external/introspection/client/authentication", json!("Post")),
            ("/spec/external/introspection/cacheTTL", json!("0s")),
            ("/spec/external/introspection/cacheTTL", json!("5m")),
        ],
    );
    refuses::<IdentityProvider>(
        "IdentityProvider",
        &asking,
        &[
            ("/spec/external/introspection/endpointURL", json!("introspect"), "introspection.endpointURL must be"),
            ("/spec/external/introspection/client/secret/name", json!("x-tollward"), "belongs to Tollward"),
            ("/spec/external/introspection/cacheTTL", json!("301s"), "at most 5m"),
        ],
    );
}

#[test]
fn tenants_are_listed_where_the_issuer_has_a_place_for_them() {
    let template = "https://login.microsoftonline.com/{tenantid}/v2.0";
    let tenants = json!(["72f988bf-86f1-41af-91ab-2d7cd011db47", "fa15d692-e9c7-4460-a743-29f2956fd429"]);
    let entra = |more: serde_json::Value| {
        let mut external = json!({"preset": "Entra", "issuer": template, "tenants": tenants});
        external.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
        external
    };
    accepts::<IdentityProvider>("IdentityProvider", &provider(), &[("/spec/external", entra(json!({})))]);
    refuses::<IdentityProvider>(
        "IdentityProvider",
        &provider(),
        &[
            ("/spec/external", entra(json!({"preset": "Generic"})), "external.tenants is for preset Entra"),
            (
                "/spec/external",
                entra(json!({"issuer": "https://login.microsoftonline.com/common/v2.0"})),
                "give both, or neither",
            ),
            ("/spec/external", json!({"preset": "Entra", "issuer": template}), "give both, or neither"),
            ("/spec/external", entra(json!({"jwksURL": "https://idp.example/keys"})), "keys of its own"),
            ("/spec/external", entra(json!({"tenants": ["contoso.com"]})), "GUIDs in lower case"),
        ],
    );
}
