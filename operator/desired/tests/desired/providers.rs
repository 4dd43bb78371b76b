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

const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";
const OTHER: &str = "fa15d692-e9c7-4460-a743-29f2956fd429";
const APP: &str = "6e74172b-be56-4843-9ff4-e66a39bb12e3";

/// The example with a provider of that preset and issuer, and an audience that any of them can issue tokens for.
fn preset(preset: &str, issuer: &str, more: &Value) -> Inputs {
    let mut external = json!({"preset": preset, "issuer": issuer});
    external.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
    let mut inputs = with("/spec/auth/audience", json!({"value": APP}));
    inputs.server = change(&inputs.server, "/spec/auth/clients", json!({"allow": ["agent"]}));
    inputs.providers[0] = change(&inputs.providers[0], "/spec/external", external);
    inputs
}

#[test]
fn every_preset_expands_to_what_the_data_plane_can_read() {
    let mut rows = Vec::new();
    for (vendor, issuer) in [
        ("Generic", "https://idp.example".to_owned()),
        ("Auth0", "https://shop.eu.auth0.com/".to_owned()),
        ("Okta", "https://shop.okta.com/oauth2/default".to_owned()),
        ("Entra", format!("https://login.microsoftonline.com/{TENANT}/v2.0")),
        ("Entra", format!("https://sts.windows.net/{TENANT}/")),
        ("Keycloak", "https://sso.example/realms/shop".to_owned()),
        ("Cognito", "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab1".to_owned()),
        ("Google", "https://accounts.google.com".to_owned()),
    ] {
        let desired = build(&preset(vendor, &issuer, &json!({})));
        let config = &desired.configuration.config().identity_providers[0];
        let mut row = serde_json::to_value(config).unwrap();
        for field in ["name", "leewaySeconds", "refresh"] {
            row.as_object_mut().unwrap().remove(field);
        }
        rows.push(row);
    }
    insta::assert_json_snapshot!(rows);
}

#[test]
fn several_tenants_are_several_issuers_with_one_name_each() {
    let template = "https://login.microsoftonline.com/{tenantid}/v2.0";
    let mut inputs = preset("Entra", template, &json!({"tenants": [TENANT, OTHER]}));
    inputs.server = change(
        &inputs.server,
        "/spec/auth/identityProviders",
        json!([{"name": "catalog-idp", "scopePrefix": "api://shop/"}]),
    );
    let desired = build(&inputs);
    let config = desired.configuration.config();
    let providers: Vec<_> = config.identity_providers.iter().map(|it| (it.name.as_str(), it.issuer.as_str())).collect();
    let [one, two] = [TENANT, OTHER].map(|id| (format!("shop/catalog-idp/{id}"), template.replace("{tenantid}", id)));
    assert_eq!(providers, [(one.0.as_str(), one.1.as_str()), (two.0.as_str(), two.1.as_str())]);
    let route = serde_json::to_value(&config.routes[0].auth).unwrap();
    assert_eq!(route["providers"], json!([one.0, two.0]));
    assert_eq!(route["scopePrefixes"], json!({one.0: "api://shop/", two.0: "api://shop/"}));
    for (config, tenant) in config.identity_providers.iter().zip([TENANT, OTHER]) {
        let tid = config.profile.marks.iter().find(|mark| mark.name == "tid").unwrap();
        assert_eq!(tid.values, [tenant], "a token must be of the tenant whose issuer it has");
        let of_other = |issuer: &String| !issuer.contains(tenant) && !issuer.contains("{tenantid}");
        assert!(!config.profile.key_issuers.iter().any(of_other), "keys of another tenant are no use");
    }
}

#[test]
fn a_vendors_traps_are_told_before_the_first_call() {
    let entra = format!("https://login.microsoftonline.com/{TENANT}/v2.0");
    for (inputs, reason, expected) in [
        (preset("Okta", "https://shop.okta.com", &json!({})), Reason::InvalidProvider, "custom authorization server"),
        (preset("Auth0", "https://shop.auth0.com", &json!({})), Reason::InvalidProvider, "end with a slash"),
        (
            preset("Entra", "https://login.microsoftonline.com/common/v2.0", &json!({})),
            Reason::InvalidProvider,
            "list them in spec.external.tenants",
        ),
        (preset("Keycloak", "https://sso.example", &json!({})), Reason::InvalidProvider, "/realms/REALM"),
        (
            Inputs { server: catalog().server, ..preset("Entra", &entra, &json!({})) },
            Reason::Invalid,
            "the client id of the API's app registration",
        ),
        (
            Inputs {
                server: change(
                    &with("/spec/auth/audience", json!({"value": "1-x.apps.googleusercontent.com"})).server,
                    "/spec/auth/clients",
                    json!({"allow": ["1"]}),
                ),
                ..preset("Google", "https://accounts.google.com", &json!({}))
            },
            Reason::Invalid,
            "ID token of somebody's sign-in",
        ),
    ] {
        refused(&inputs, reason, expected);
    }
    let mut open = preset("Google", "https://accounts.google.com", &json!({}));
    open.server = change(&open.server, "/spec/auth/clients", json!({"allowHosts": ["claude.ai"]}));
    refused(&open, Reason::Invalid, "whoever has an account at Google");
    let version_1 = preset("Entra", &format!("https://sts.windows.net/{TENANT}/"), &json!({}));
    assert!(
        validate(&Inputs { server: catalog().server, ..version_1 }).is_ok(),
        "version 1.0 may have a URI as audience"
    );
}

/// Whoever has an account there gets a token for any audience: the issuer counts, not which preset was chosen.
#[test]
fn an_issuer_that_signs_for_everybody_needs_a_list_of_clients_under_every_preset() {
    for (issuer, expected) in [
        ("https://accounts.google.com", "whoever has an account at Google"),
        ("https://token.actions.githubusercontent.com", "whoever has an account at GitHub"),
        ("https://gitlab.com", "whoever has an account at GitLab"),
    ] {
        let mut inputs = preset("Generic", issuer, &json!({"claims": {"client": ["sub"]}}));
        assert!(validate(&inputs).is_ok(), "{issuer}: with a list");
        for clients in [json!({"allowHosts": ["claude.ai"]}), Value::Null] {
            inputs.server = change(&inputs.server, "/spec/auth/clients", clients);
            refused(&inputs, Reason::Invalid, expected);
        }
    }
    let mut sign_in = preset("Generic", "https://accounts.google.com", &json!({}));
    let audience = json!({"value": "1-x.apps.googleusercontent.com"});
    sign_in.server = change(&sign_in.server, "/spec/auth/audience", audience);
    refused(&sign_in, Reason::Invalid, "ID token of somebody's sign-in");
}

#[test]
fn guids_are_compared_as_entra_writes_them_in_tokens() {
    let issuer = format!("https://login.microsoftonline.com/{TENANT}/v2.0");
    let entra = || preset("Entra", &issuer, &json!({}));
    let with = |path: &str, value: Value| {
        let inputs = entra();
        Inputs { server: change(&inputs.server, path, value), ..inputs }
    };
    refused(&with("/spec/auth/audience", json!({"value": APP.to_uppercase()})), Reason::Invalid, "in lower case");
    refused(&with("/spec/auth/clients", json!({"allow": [APP.to_uppercase()]})), Reason::Invalid, "in lower case");
    let deny = json!([{"name": "a", "subject": OTHER.to_uppercase(), "client": APP.to_uppercase(), "tokenId": "uTi"}]);
    for (preset, subject, client) in
        [("Entra", OTHER.to_owned(), APP.to_owned()), ("Generic", OTHER.to_uppercase(), APP.to_uppercase())]
    {
        let mut inputs = entra();
        inputs.providers[0] = change(&inputs.providers[0], "/spec/external/preset", json!(preset));
        inputs.providers[0] = change(&inputs.providers[0], "/spec/deny", deny.clone());
        let denied = build(&inputs).configuration.config().identity_providers[0].deny[0].clone();
        assert_eq!((denied.subject, denied.client), (Some(subject), Some(client)), "{preset}");
        assert_eq!(denied.token_id.as_deref(), Some("uTi"), "ids of tokens have case");
    }
}

#[test]
fn clients_are_allowed_by_id_and_by_the_host_of_their_document() {
    let auth = |clients: Value| {
        let desired = build(&with("/spec/auth/clients", clients));
        serde_json::to_value(&desired.configuration.config().routes[0].auth).unwrap()
    };
    assert_eq!(auth(json!({"allowHosts": ["claude.ai"]}))["allowedClientHosts"], json!(["claude.ai"]));
    let both = auth(json!({"allow": ["agent"], "allowHosts": ["localhost:8080"]}));
    assert_eq!((&both["allowedClients"], &both["allowedClientHosts"]), (&json!(["agent"]), &json!(["localhost:8080"])));
    refused(&with("/spec/auth/clients", json!({})), Reason::Invalid, "name at least one client");
    for host in ["https://claude.ai", "Claude.ai", "*.claude.ai", "claude.ai:443", "claude.ai/"] {
        refused(&with("/spec/auth/clients", json!({"allowHosts": [host]})), Reason::Invalid, "no host name");
    }
}

#[test]
fn a_prefix_can_not_break_out_of_a_challenge() {
    for prefix in ["", "a b", "a\"", "api://\r\n"] {
        let references = json!([{"name": "catalog-idp", "scopePrefix": prefix}]);
        refused(&with("/spec/auth/identityProviders", references), Reason::Invalid, "scopePrefix");
    }
}
