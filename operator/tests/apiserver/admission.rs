//! What only a real API server shows of the definitions: pruning, defaults, nulls and strictness.

use crate::judge::{store, with};
use crate::objects::{policy, provider, server};
use serde_json::{Value, json};

fn refused(object: &Value, expected: &str) {
    let message = store(object.clone()).err().unwrap_or_else(|| panic!("accepted: {object}"));
    assert!(message.contains(expected), "{message}");
}

/// `with` takes null for removal; this writes it.
fn with_null(object: Value, path: &str) -> Value {
    let mut object = with(object, path, json!(0));
    *object.pointer_mut(path).unwrap() = Value::Null;
    object
}

#[test]
fn an_explicit_null_can_not_step_around_a_default() {
    for (path, expected) in [
        ("/spec/endpoint", json!("Issued")),
        ("/spec/endpoint/tls", json!("Issued")),
        ("/spec/endpoint/tls/mode", json!("Issued")),
    ] {
        let stored = store(with_null(server(), path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert_eq!(stored.pointer("/spec/endpoint/tls/mode"), Some(&expected), "{path}");
    }
    let stored = store(with_null(server(), "/spec/audit")).unwrap();
    assert_eq!(stored["spec"]["audit"]["arguments"], "Redacted");
    let stored = store(with_null(provider(), "/spec/allowedNamespaces")).unwrap();
    assert_eq!(stored["spec"]["allowedNamespaces"]["from"], "Same");
}

#[test]
fn an_explicit_null_for_what_must_be_written_out_is_refused() {
    for path in ["/spec/auth", "/spec/auth/mode", "/spec/source", "/spec/source/type", "/spec/source/workload/image"] {
        refused(&with_null(server(), path), path.rsplit('/').next().unwrap());
    }
    refused(&with_null(policy(), "/spec/targetRefs"), "targetRefs");
    let others = ["/spec/concurrency", "/spec/beforeAuthentication"];
    let limits_alone = others.into_iter().fold(policy(), |policy, path| with(policy, path, Value::Null));
    refused(&with_null(limits_alone, "/spec/limits"), "a policy must limit something");
    refused(&with_null(provider(), "/spec/external/issuer"), "issuer");
}

#[test]
fn a_field_that_is_not_known_is_refused_by_name() {
    for (path, name) in [
        ("/spec/egress", "egress"),
        ("/spec/auth/audiences", "audiences"),
        ("/spec/source/workload/hostNetwork", "hostNetwork"),
        ("/spec/source/workload/securityContext", "securityContext"),
        ("/spec/source/workload/podOptions/serviceAccountName", "serviceAccountName"),
        ("/spec/source/workload/podOptions/template", "template"),
    ] {
        refused(
            &with(server(), path, json!({})),
            &format!("unknown field \"{}\"", path.trim_start_matches('/').replace('/', ".")),
        );
        assert!(path.ends_with(name));
    }
    let volume = json!([{"name": "root", "hostPath": {"path": "/"}}]);
    refused(&with(server(), "/spec/source/workload/volumes", volume), "hostPath");
}

#[test]
fn an_enumeration_has_no_other_values() {
    refused(&with(server(), "/spec/auth/mode", json!("Off")), "Unsupported value");
    refused(&with(server(), "/spec/endpoint/tls/mode", json!("off")), "Unsupported value");
    refused(&with(server(), "/spec/source/type", json!("Remote")), "Unsupported value");
    refused(&with(provider(), "/spec/external/algorithms", json!(["HS256"])), "Unsupported value");
    refused(&with(provider(), "/spec/external/algorithms", json!(["none"])), "Unsupported value");
}

#[test]
fn every_omnibus_scope_is_refused_naming_the_offender() {
    for name in tollward_policy::scope::OMNIBUS {
        for scope in
            [(*name).to_owned(), format!("mcp:{name}"), format!("api/{}", name.to_uppercase()), format!("a.{name}")]
        {
            let scopes = json!([{"name": scope, "description": "x"}]);
            let object = with(with(server(), "/spec/auth/scopes", scopes), "/spec/auth/initialScopes", Value::Null);
            let object = with(object, "/spec/auth/rules", Value::Null);
            refused(&object, &format!("scope `{scope}`"));
        }
    }
}

#[test]
fn defaults_are_visible_in_what_is_stored() {
    let stored = store(server()).unwrap();
    let spec = &stored["spec"];
    assert_eq!(spec["endpoint"]["tls"]["mode"], "Issued");
    assert_eq!(spec["source"]["workload"]["replicas"], 1);
    assert_eq!(
        spec["source"]["workload"]["transport"],
        json!({"type": "StreamableHTTP", "port": 3000, "path": "/mcp"})
    );
    assert_eq!(spec["auth"]["rules"][0]["action"], "Allow");
    assert_eq!(spec["auth"]["rules"][0]["onMissingScope"], "Challenge");
    assert_eq!(spec["session"]["maxAge"], "24h");
    assert_eq!(spec["audit"]["arguments"], "Redacted");
    let stored = store(with(policy(), "/spec/targetRefs", json!([{"name": "catalog"}]))).unwrap();
    assert_eq!(
        stored["spec"]["targetRefs"][0],
        json!({"group": "tollward.dev", "kind": "MCPServer", "name": "catalog"})
    );
}

#[test]
fn a_status_can_not_be_brought_along() {
    let conditions = json!({"conditions": [{"type": "Ready", "status": "True", "reason": "Ready", "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z"}]});
    let mut object = server();
    object["status"] = conditions;
    assert_eq!(store(object).unwrap().get("status"), None);
}
