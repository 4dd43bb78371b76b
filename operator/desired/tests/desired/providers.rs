//! Whose tokens are accepted: references, permissions and presets.

use crate::fixture::{build, catalog, change, refused, with};
use serde_json::{Value, json};
use tollward_api::condition::ConditionReason as Reason;
use tollward_desired::{Inputs, Subject, validate};

/// The example with its provider in another namespace that allows what is given.
fn elsewhere(allowed: Value) -> Inputs {
    let mut inputs = with("/spec/auth/identityProviders", json!([{"name": "catalog-idp", "namespace": "identity"}]));
    inputs.providers[0].metadata.namespace = Some("identity".into());
    inputs.providers[0] = change(&inputs.providers[0], "/spec/allowedNamespaces", allowed);
    inputs
}

fn provider(path: &str, value: Value) -> Inputs {
    let mut inputs = catalog();
    inputs.providers[0] = change(&inputs.providers[0], path, value);
    inputs
}

#[test]
fn a_missing_provider_and_one_of_a_foreign_namespace_are_not_resolved() {
    let missing = "spec.auth.identityProviders[0]: IdentityProvider `shop/catalog-idp` does not exist";
    refused(&Inputs { providers: vec![], ..catalog() }, Reason::TargetNotFound, missing);
    let mut foreign = catalog();
    foreign.providers[0].metadata.namespace = Some("identity".into());
    refused(&foreign, Reason::TargetNotFound, missing);
}

#[test]
fn a_provider_decides_which_namespaces_may_refer_to_it() {
    let none = "spec.auth.identityProviders[0]: IdentityProvider `identity/catalog-idp` does not allow servers of \
                namespace `shop`";
    for allowed in [
        json!(null),
        json!({"from": "Same"}),
        json!({"from": "Selector"}),
        json!({"from": "Selector", "selector": {"matchLabels": {"team": "bank"}}}),
        json!({"from": "All", "selector": {}}),
    ] {
        refused(&elsewhere(allowed), Reason::NotReferenceable, none);
    }
    for allowed in [json!({"from": "All"}), json!({"from": "Selector", "selector": {"matchLabels": {"team": "shop"}}})]
    {
        assert!(validate(&elsewhere(allowed)).is_ok());
    }
}

#[test]
fn a_provider_that_can_not_be_enforced_is_a_finding_about_it() {
    for (path, value, expected) in [
        ("/spec/external", json!(null), "spec.external must be set"),
        ("/spec/external/issuer", json!("idp"), "issuer must be an absolute"),
        ("/spec/external/issuer", json!("https://u:p@idp.example.com"), "issuer must be an absolute"),
        ("/spec/external/issuer", json!("ldap://idp.example.com"), "issuer must be an absolute"),
        ("/spec/external/jwksURL", json!("file:///etc/passwd"), "jwksURL must be an absolute"),
        ("/spec/external/leeway", json!("2m"), "at most 60s"),
        ("/spec/external/maxTokenLifetime", json!("0s"), "from 1s"),
        ("/spec/external/caConfigMap", json!({"name": "ca", "key": "../../etc/shadow"}), "no file name"),
        ("/spec/external/caConfigMap", json!({"name": "x-tollward"}), "an object of Tollward"),
    ] {
        let inputs = provider(path, value);
        refused(&inputs, Reason::InvalidProvider, expected);
        let findings = validate(&inputs).unwrap_err();
        assert!(findings.iter().any(|finding| finding.subject == Subject::Provider("shop/catalog-idp".into())));
        let own: Vec<_> = findings.iter().filter(|finding| finding.subject == Subject::Server).collect();
        assert_eq!(own.len(), 1, "{own:?}");
        let place = "spec.auth.identityProviders[0]: IdentityProvider `shop/catalog-idp` is not valid";
        assert!(own[0].message.starts_with(place), "{own:?}");
    }
}

#[test]
fn whom_a_provider_denies_reaches_the_data_plane_whole_and_in_seconds() {
    let entries = json!([
        {"name": "laptop", "reason": "stolen", "subject": "ada", "client": "desktop", "tokenId": "t-1"},
        {"name": "breach", "issuedBefore": "2027-01-15T08:00:00.000000001Z", "until": "2027-01-15T09:00:00+01:00"},
    ]);
    let desired = build(&provider("/spec/deny", entries));
    let deny = serde_json::to_value(&desired.configuration.config().identity_providers[0].deny).unwrap();
    let expected = json!([
        {"name": "laptop", "subject": "ada", "client": "desktop", "tokenId": "t-1"},
        {"name": "breach", "issuedBefore": 1_800_000_001, "until": 1_800_000_000},
    ]);
    assert_eq!(deny, expected, "reasons are for people; times are rounded up");
    assert!(!desired.configuration.text().contains("stolen"));
}

#[test]
fn one_wrong_entry_refuses_the_whole_list() {
    let many: Vec<_> = (0..1000).map(|number| json!({"name": format!("e{number}"), "subject": "x"})).collect();
    let long: Vec<_> =
        (0..500).map(|number| json!({"name": format!("e{number}"), "subject": "x".repeat(1000)})).collect();
    for (entries, expected) in [
        (json!([{"name": "a"}]), "spec.deny[a] must set subject, client, tokenId or issuedBefore"),
        (json!([{"name": "", "subject": "x"}]), "the name `` is empty"),
        (
            json!([{"name": "a", "subject": "x"}, {"name": "a", "subject": "y"}]),
            "the name `a` is empty or stands twice",
        ),
        (json!([{"name": "a", "subject": "x\u{2003}"}]), "spec.deny[a]: subject"),
        (json!([{"name": "a", "client": ""}]), "spec.deny[a]: subject"),
        (json!([{"name": "a", "tokenId": "x".repeat(1025)}]), "spec.deny[a]: subject"),
        (json!(many), "1001 entries, at most 1000"),
        (json!(long), "at most 400000 fit"),
    ] {
        let mut entries = entries;
        entries.as_array_mut().unwrap().push(json!({"name": "good", "subject": "eve"}));
        refused(&provider("/spec/deny", entries), Reason::InvalidProvider, expected);
    }
}

#[test]
fn two_providers_of_one_issuer_and_one_named_twice_are_refused() {
    let mut inputs = with("/spec/auth/identityProviders", json!([{"name": "catalog-idp"}, {"name": "other"}]));
    inputs.providers.push(change(&inputs.providers[0], "/metadata/name", json!("other")));
    refused(&inputs, Reason::Invalid, "have the same issuer");
    let twice = with("/spec/auth/identityProviders", json!([{"name": "catalog-idp"}, {"name": "catalog-idp"}]));
    refused(&twice, Reason::Invalid, "names `shop/catalog-idp` twice");
}

#[test]
fn overrides_win_over_the_preset_field_by_field() {
    let claims = json!({"client": ["app"]});
    let mut inputs = provider("/spec/external/claims", claims);
    inputs.providers[0] = change(&inputs.providers[0], "/spec/external/algorithms", json!(["EdDSA"]));
    let config = serde_json::to_value(&build(&inputs).configuration.config().identity_providers[0]).unwrap();
    assert_eq!(config["algorithms"], json!(["EdDSA"]));
    assert_eq!(config["tokenTypes"], json!(["at+jwt", "JWT"]));
    assert_eq!(config["claims"]["client"], json!(["app"]));
    assert_eq!(config["claims"]["scopes"], json!(["scope", "scp"]));
}
