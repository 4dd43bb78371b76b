//! What is refused, although an API server with older definitions let it through.

use crate::fixture::{catalog, change, refused, relay, with};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::{Value, json};
use tollward_api::condition::{ConditionReason as Reason, ConditionType};
use tollward_desired::{Inputs, Sibling, validate};

fn table(rows: Vec<(&str, Value, Reason, &str)>) {
    for (path, value, reason, expected) in rows {
        refused(&with(path, value), reason, expected);
    }
}

#[test]
fn a_workload_that_reaches_for_the_sidecar_is_refused() {
    let place = "/spec/source/workload";
    let key = json!({"name": "catalog-tollward", "key": "session-0.key"});
    for (field, value, expected) in [
        ("transport", json!({"port": 64431}), "Tollward's own"),
        ("transport", json!({"port": 0}), "not a port"),
        ("transport", json!({"port": 3000, "path": "mcp"}), "must start with /"),
        ("runAsUser", json!(64420), "not a user id"),
        ("runAsUser", json!(0), "not a user id"),
        ("image", json!("--privileged"), "not an image"),
        ("replicas", json!(1000), "0 to 100"),
        ("resources", json!({"limits": {"memory": "128Qi"}}), "resources.limits.memory: `128Qi` is no amount"),
        ("resources", json!({"requests": {"cpu": "a lot"}}), "resources.requests.cpu: `a lot` is no amount"),
        ("resources", json!({"requests": {"cpu": ""}}), "`` is no amount"),
        ("env", json!([{"name": "HOST", "value": "0.0.0.0"}]), "HOST is set by Tollward"),
        ("env", json!([{"name": "A", "value": "x"}, {"name": "A", "value": "y"}]), "A is set twice"),
        ("env", json!([{"name": "A"}]), "one value or one reference"),
        ("env", json!([{"name": "A", "valueFrom": {"secretKeyRef": key}}]), "`catalog-tollward` belongs"),
        ("envFrom", json!([{"secretRef": {"name": "catalog-tollward"}}]), "`catalog-tollward` belongs"),
        ("volumes", json!([{"name": "tollward-keys", "emptyDir": {}}]), "`tollward-keys` belongs"),
        ("volumes", json!([{"name": "x", "secret": {"secretName": "other-tollward"}}]), "`other-tollward` belongs"),
        ("volumes", json!([{"name": "x", "emptyDir": {"sizeLimit": "1Gig"}}]), "sizeLimit: `1Gig` is no amount"),
        ("volumes", json!([{"name": "x"}]), "one of configMap"),
        ("volumeMounts", json!([{"name": "tollward-keys", "mountPath": "/keys"}]), "`tollward-keys` belongs"),
        ("volumeMounts", json!([{"name": "x", "mountPath": "/x"}]), "not declared"),
        ("podOptions", json!({"labels": {"tollward.dev/server-uid": "other"}}), "is set by Tollward"),
        ("podOptions", json!({"imagePullSecrets": [{"name": "x-tollward"}]}), "`x-tollward` belongs"),
    ] {
        refused(&with(&format!("{place}/{field}"), value), Reason::InvalidWorkload, expected);
    }
    refused(&with("/spec/source/type", json!("Service")), Reason::InvalidWorkload, "and nothing else");
    let mut own = relay();
    own.server = change(&own.server, "/spec/source/service/name", json!("catalog-tollward"));
    refused(&own, Reason::InvalidWorkload, "belongs to Tollward");
}

#[test]
fn amounts_of_resources_are_those_of_kubernetes() {
    for amount in ["1", "0.5", ".5", "5.", "250m", "64Mi", "1G", "1E", "1e3", "1E3", "1e-3", "12Ei", "100n", "+1"] {
        let resources = json!({"limits": {"cpu": amount}});
        validate(&with("/spec/source/workload/resources", resources))
            .unwrap_or_else(|error| panic!("{amount}: {error:?}"));
    }
    for amount in ["1Qi", "1mi", "1 G", "1.2.3", ".", "-1", "1e", "1ee3", "1e+", "inf", "NaN", "Mi", "1MiB"] {
        let resources = json!({"limits": {"cpu": amount}});
        refused(&with("/spec/source/workload/resources", resources), Reason::InvalidWorkload, "is no amount");
    }
}

#[test]
fn an_endpoint_that_can_not_be_served_is_refused() {
    let reason = Reason::InvalidEndpoint;
    table(vec![
        ("/spec/endpoint/url", json!("https://mcp.example.com:443/mcp"), reason, "normal form"),
        ("/spec/endpoint/url", json!("https://mcp.example.com/mcp/"), reason, "trailing slash"),
        ("/spec/endpoint/url", json!("http://mcp.example.com/mcp"), reason, "must use https"),
        ("/spec/endpoint/hosts", json!(["a/b"]), reason, "`a/b` is not host"),
        ("/spec/endpoint/hosts", json!(["A.example"]), reason, "`A.example`"),
        ("/spec/endpoint/allowedOrigins", json!(["*"]), reason, "no wildcard"),
        ("/spec/endpoint/allowedOrigins", json!(["null"]), reason, "`null`"),
        ("/spec/endpoint/tls", json!({"mode": "Secret"}), reason, "secretName must be set"),
        ("/spec/endpoint/tls", json!({"mode": "Secret", "secretName": "x-tollward"}), reason, "belongs to Tollward"),
    ]);
}

#[test]
fn authorization_that_would_be_looser_than_it_reads_is_refused() {
    table(vec![
        ("/spec/auth/identityProviders", json!([]), Reason::Invalid, "at least one"),
        ("/spec/auth/clients", json!({"allow": []}), Reason::Invalid, "name at least one client"),
        ("/spec/auth/audience", json!({"value": ""}), Reason::Invalid, "must not be empty"),
        ("/spec/auth/mode", json!("None"), Reason::Invalid, "checks no tokens"),
        (
            "/spec/auth/senderConstraint",
            json!({"mode": "Required", "methods": []}),
            Reason::Invalid,
            "at least one of DPoP and MutualTLS",
        ),
        (
            "/spec/auth/senderConstraint",
            json!({"mode": "Required", "methods": ["MutualTLS"], "dpop": {}}),
            Reason::Invalid,
            "methods must name DPoP",
        ),
        (
            "/spec/auth/senderConstraint",
            json!({"mode": "Required", "methods": ["DPoP"], "dpop": {"proofMaxAge": "1h"}}),
            Reason::Invalid,
            "from 5s to 5m",
        ),
        ("/spec/auth/rules/0/match", json!({}), Reason::InvalidRule, "nothing in particular"),
        ("/spec/auth/rules/0/match", json!({"tools": [""]}), Reason::InvalidRule, "must not be empty"),
        ("/spec/auth/rules/0/action", json!("Deny"), Reason::InvalidRule, "can't require scopes"),
        ("/spec/auth/rules/0/name", json!("cart"), Reason::InvalidRule, "declared twice"),
        (
            "/spec/auth/rules/0/condition",
            json!("args.amount <= 100 &&\n arg.fee < 1"),
            Reason::InvalidRule,
            "rule `read`: condition: line 2, column 2: `arg` is not known",
        ),
        (
            "/spec/auth/scopes/2",
            json!({"name": "offline_access", "description": "a"}),
            Reason::InvalidScope,
            "`offline_access` asks for a refresh token",
        ),
        ("/spec/auth/rules/0/match", json!({"resources": ["a://{+b}"]}), Reason::InvalidRule, "opens a variable"),
        (
            "/spec/auth/rules/0/scopes",
            json!(["mcp:other"]),
            Reason::InvalidRule,
            "`mcp:other` is used but not declared",
        ),
        ("/spec/session", json!({"maxAge": "1s"}), Reason::Invalid, "from 1m to 720h"),
        ("/spec/session", json!({"maxAge": "soon"}), Reason::Invalid, "is no duration"),
        ("/spec/audit", json!({"redact": ["email"]}), Reason::Invalid, "not a JSON pointer"),
    ]);
}

#[test]
fn bounds_of_sessions_and_streams_are_numbers_that_can_be_counted_to() {
    table(vec![
        ("/spec/session", json!({"maxSessions": 0}), Reason::Invalid, "spec.session.maxSessions must be from 1"),
        ("/spec/session", json!({"maxStreamsPerClient": -1}), Reason::Invalid, "spec.session.maxStreamsPerClient must"),
    ]);
}

#[test]
fn certificates_can_not_be_asked_for_without_tls() {
    let mut inputs =
        with("/spec/endpoint", json!({"url": "http://mcp.example.com/catalog/mcp", "tls": {"mode": "Off"}}));
    assert!(validate(&inputs).is_ok());
    let constraint = json!({"mode": "Optional", "methods": ["DPoP", "MutualTLS"]});
    inputs.server = change(&inputs.server, "/spec/auth/senderConstraint", constraint);
    refused(&inputs, Reason::Invalid, "MutualTLS needs an endpoint with TLS");
}

#[test]
fn scopes_that_grant_everything_are_refused_under_any_name() {
    let scope = |name: &str, implies: &[&str]| json!({"name": name, "description": "d", "implies": implies});
    let base = ["mcp:catalog-read", "mcp:cart-write", "mcp:checkout"];
    let mut scopes: Vec<_> = base.iter().map(|name| scope(name, &[])).collect();
    scopes.push(scope("mcp:boss", &base));
    table(vec![
        ("/spec/auth/scopes/2/name", json!("mcp:*"), Reason::OmnibusScope, "`mcp:*` is a wildcard"),
        ("/spec/auth/scopes/2/name", json!("mcp:ADMIN"), Reason::OmnibusScope, "`mcp:ADMIN` is an omnibus name"),
        ("/spec/auth/scopes/2/name", json!("a b"), Reason::InvalidScope, "RFC 6749"),
        ("/spec/auth/scopes/1/implies", json!(["mcp:all"]), Reason::OmnibusScope, "`mcp:all`"),
        ("/spec/auth/scopes/0/implies", json!(["mcp:cart-write"]), Reason::InvalidScope, "implies itself"),
        ("/spec/auth/initialScopes", json!(["mcp:pay"]), Reason::InvalidScope, "`mcp:pay`"),
        ("/spec/auth/scopes", json!(scopes), Reason::OmnibusScope, "`mcp:boss` implies every other scope"),
    ]);
}

#[test]
fn a_name_that_no_service_can_have_is_refused() {
    for name in ["A", "a.b", "1a", "a-", "x-tollward", "tollward-x", &"a".repeat(53)] {
        refused(&with("/metadata/name", json!(name)), Reason::Invalid, "metadata.name");
    }
}

fn sibling(name: &str, age: &str) -> Sibling {
    let mut inputs = catalog();
    inputs.server.metadata.name = Some(name.into());
    inputs.server.metadata.creation_timestamp = Some(time(age));
    Sibling::of(&inputs.server, &inputs.providers, &inputs.install)
}

fn time(age: &str) -> Time {
    serde_json::from_value(json!(age)).unwrap()
}

fn young(siblings: Vec<Sibling>) -> Inputs {
    let mut inputs = with("/spec/auth/audience", json!({"value": "api://shop"}));
    inputs.server.metadata.creation_timestamp = Some(time("2026-06-01T00:00:00Z"));
    inputs.siblings = siblings;
    inputs
}

#[test]
fn the_older_of_two_servers_keeps_endpoint_and_audience() {
    let endpoint = "https://catalog-tollward.shop.svc/mcp".to_owned();
    let old = Sibling { endpoint, ..sibling("old", "2026-01-01T00:00:00Z") };
    refused(&young(vec![old.clone()]), Reason::EndpointConflict, "`shop/old`, which is older");
    let newer = Sibling { created: Some(time("2026-07-01T00:00:00Z")), ..old };
    assert!(validate(&young(vec![newer])).is_ok());

    let audience = Some("api://shop".to_owned());
    let old = Sibling { audience: audience.clone(), ..sibling("old", "2026-01-01T00:00:00Z") };
    refused(&young(vec![old.clone()]), Reason::AudienceNotExclusive, "`https://idp.example.com`");
    let elsewhere = Sibling { issuers: ["https://other.example".to_owned()].into(), ..old };
    let open = Sibling { audience: None, ..sibling("old", "2026-01-01T00:00:00Z") };
    assert!(validate(&young(vec![elsewhere, open])).is_ok());
}

/// The example as a sibling that agrees to share its audience, and the younger server beside it.
fn sharing(scopes: &[&str], change: impl FnOnce(&mut Sibling)) -> Inputs {
    let mut old = Sibling {
        audience: Some("api://shop".to_owned()),
        shares: true,
        allows_without_scope: false,
        scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
        ..sibling("old", "2026-01-01T00:00:00Z")
    };
    change(&mut old);
    let mut inputs = young(vec![old]);
    let audience = serde_json::json!({"value": "api://shop", "shared": "Acknowledged"});
    inputs.server = crate::fixture::change(&inputs.server, "/spec/auth/audience", audience);
    inputs
}

#[test]
fn an_audience_is_shared_only_if_both_agree_and_scopes_keep_them_apart() {
    let reason = Reason::AudienceNotExclusive;
    assert!(validate(&sharing(&["bank:pay"], |_| ())).is_ok());
    refused(&sharing(&["bank:pay"], |old| old.shares = false), reason, "set audience.shared to Acknowledged in both");
    let own = catalog().server.spec.auth.scopes[0].name.clone();
    refused(&sharing(&[&own], |_| ()), reason, "both declare");
    refused(&sharing(&["bank:pay"], |old| old.allows_without_scope = true), reason, "`shop/old` has one without");
    let mut alone = sharing(&["bank:pay"], |_| ());
    alone.server =
        crate::fixture::change(&alone.server, "/spec/auth/audience", serde_json::json!({"value": "api://shop"}));
    refused(&alone, reason, "in both");
}

/// `bank/pay` under its whole name, and `pay` behind the prefix `bank/`, are one scope in a token.
#[test]
fn scopes_that_are_one_in_tokens_keep_no_servers_apart() {
    let named = |scope: &str, references: Value| {
        let mut server = catalog().server;
        for (path, value) in [
            ("/spec/auth/audience", json!({"value": "api://shop", "shared": "Acknowledged"})),
            ("/spec/auth/initialScopes", json!([])),
            ("/spec/auth/scopes", json!([{"name": scope, "description": "Pay"}])),
            ("/spec/auth/rules", json!([{"name": "pay", "match": {"tools": ["pay"]}, "scopes": [scope]}])),
            ("/spec/auth/identityProviders", references),
        ] {
            server = change(&server, path, value);
        }
        server
    };
    let whole = named("bank/pay", json!([{"name": "catalog-idp"}]));
    let prefixed = named("pay", json!([{"name": "catalog-idp", "scopePrefix": "bank/"}]));
    for (old, new, apart) in [
        (&whole, &prefixed, false),
        (&prefixed, &whole, false),
        (&named("shop/pay", json!([{"name": "catalog-idp"}])), &prefixed, true),
    ] {
        let mut inputs = catalog();
        let mut old = old.clone();
        old.metadata.name = Some("old".into());
        old.metadata.creation_timestamp = Some(time("2026-01-01T00:00:00Z"));
        inputs.siblings = vec![Sibling::of(&old, &inputs.providers, &inputs.install)];
        inputs.siblings[0].endpoint = "https://old.example/mcp".into();
        inputs.server = new.clone();
        inputs.server.metadata.creation_timestamp = Some(time("2026-06-01T00:00:00Z"));
        if apart {
            assert!(validate(&inputs).is_ok(), "{:?}", validate(&inputs).err());
        } else {
            refused(&inputs, Reason::AudienceNotExclusive, "both declare `bank/pay`");
        }
    }
}

#[test]
fn a_server_is_not_its_own_sibling() {
    let inputs = catalog();
    let own = Sibling::of(&inputs.server, &inputs.providers, &inputs.install);
    assert!(validate(&Inputs { siblings: vec![own], ..inputs }).is_ok());
}

#[test]
fn all_findings_are_reported_with_their_conditions() {
    let mut inputs = with("/spec/session", json!({"maxAge": "1s"}));
    inputs.server = change(&inputs.server, "/spec/auth/scopes/2/name", json!("mcp:*"));
    inputs.providers.clear();
    let findings = validate(&inputs).unwrap_err();
    let conditions: std::collections::BTreeSet<_> = findings.iter().map(|finding| finding.condition).collect();
    assert!(findings.len() >= 3, "{findings:?}");
    assert_eq!(conditions, [ConditionType::Accepted, ConditionType::ResolvedRefs].into());
}
