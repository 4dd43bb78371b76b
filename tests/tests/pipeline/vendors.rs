//! Tokens as the vendors' documents describe them, against what the vendor's preset expands to: the good one passes, and each trap
//! is refused, with advice in the audit record that no caller is told.

#[path = "vendors/auth0.rs"]
mod auth0;
#[path = "vendors/clients.rs"]
mod clients;
#[path = "vendors/cognito.rs"]
mod cognito;
#[path = "vendors/entra.rs"]
mod entra;
#[path = "vendors/google.rs"]
mod google;
#[path = "vendors/keycloak.rs"]
mod keycloak;
#[path = "vendors/okta.rs"]
mod okta;

use serde_json::{Value, json};
use tollward_policy::operation::Era;
use tollward_policy::reason::Reason;
use tollward_sidecar::audit::{Caller, Record};
use tollward_tests::client::Wire;
use tollward_tests::mcp::Call;
use tollward_tests::world::World;

/// `spec.auth` with a rule that needs the scope `mcp:catalog-read`, and `more`.
fn auth(more: &Value) -> Value {
    let mut auth = json!({
        "mode": "OAuth", "identityProviders": [{"name": "idp"}], "initialScopes": ["mcp:catalog-read"],
        "scopes": [{"name": "mcp:catalog-read", "description": "See products"}],
        "rules": [{"name": "read", "match": {"tools": ["get_*"]}, "scopes": ["mcp:catalog-read"]}],
    });
    auth.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
    auth
}

/// With a claim more, or another value of one; null takes one away.
fn but(claims: &Value, change: &Value) -> Value {
    let mut claims = claims.clone();
    let members = claims.as_object_mut().unwrap();
    for (name, value) in change.as_object().unwrap() {
        match value {
            Value::Null => drop(members.remove(name)),
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
                members.insert(name.clone(), value.clone());
            }
        }
    }
    claims
}

/// Subject and client of a call that is let through.
async fn passes(world: &World, token: &str) -> (String, Option<String>) {
    let (_, record) = world.passed(Wire::Http1, &Call::tool(Era::Modern, "get_product").token(token)).await;
    match record.caller {
        Some(Caller::Token { subject, client, .. }) => (subject, client),
        Some(Caller::Anonymous {}) | None => panic!("nobody was verified: {record:#?}"),
    }
}

/// The record of a call that is refused with that status and reason, and the challenge.
async fn refused(world: &World, token: &str, status: u16, reason: Reason) -> (Record, String) {
    let (upstream, records) = (world.upstream.count(), world.sidecar.records.count());
    let reply = world.send(Wire::Http1, &Call::tool(Era::Modern, "get_product").token(token)).await;
    let record = world.sidecar.records.wait_for(records + 1).await;
    assert_eq!((reply.status.as_u16(), record.decision.reason), (status, reason), "{record:#?}");
    assert_eq!(world.upstream.count(), upstream, "nothing may reach the MCP server");
    if let Some(advice) = &record.decision.advice {
        let answer = format!("{:?} {}", reply.headers, reply.text());
        let vendor = advice.split(':').next().unwrap();
        assert!(!answer.contains(advice) && !answer.contains(vendor), "a caller was told: {answer}");
    }
    let challenge = reply.headers.get("www-authenticate").map(|value| value.to_str().unwrap().to_owned());
    (record, challenge.unwrap_or_default())
}

/// Refused as a bad token, with advice that has this text.
async fn trap(world: &World, token: &str, reason: Reason, advice: &str) {
    let (record, challenge) = refused(world, token, 401, reason).await;
    let given = record.decision.advice.unwrap_or_default();
    assert!(given.contains(advice), "{reason}: {advice}\n{given}");
    assert!(challenge.starts_with("Bearer error=\"invalid_token\""), "{challenge}");
}
