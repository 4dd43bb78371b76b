//! The built-in authorization server over its socket.

use super::{Audience, BuiltIn, Reserved};
use crate::walkthrough::{Answer, Client, Passage};
use http::Request;
use http_body_util::Full;
use serde_json::{Value, json};
use tollward_policy::config::RouteConfig;

const ENDPOINT: &str = "http://127.0.0.1:8080/mcp";

fn route(scope: &str) -> RouteConfig {
    serde_json::from_value(json!({
        "server": { "namespace": "shop", "name": "catalog", "uid": "1" },
        "endpoint": { "url": ENDPOINT },
        "upstream": { "url": "http://127.0.0.1:9/mcp", "connectTimeoutSeconds": 1, "responseTimeoutSeconds": 1, "idleTimeoutSeconds": 1 },
        "auth": { "mode": "None" },
        "scopes": [{ "name": scope, "description": "x".repeat(500) }],
        "initialScopes": [scope],
        "rules": [],
        "rateLimits": [],
        "session": { "maxAgeSeconds": 60 },
        "audit": { "arguments": "None", "maxArgumentBytes": 0 },
    }))
    .unwrap()
}

async fn served(audience: Audience) -> (BuiltIn, Client) {
    let broker = Reserved::bind(0).await.unwrap().serve(&route("catalog:read"), audience).unwrap();
    (broker, Client::new(Passage::local().unwrap()))
}

async fn register(broker: &BuiltIn, client: &Client) -> String {
    let body = json!({ "redirect_uris": ["http://127.0.0.1:1/callback"] }).to_string();
    let request = Request::post(format!("{}/register", broker.issuer())).header("content-type", "application/json");
    let answer = client.send(request.body(Full::from(body)).unwrap()).await.unwrap();
    let registered: Value = serde_json::from_str(&answer.text()).unwrap();
    registered["client_id"].as_str().unwrap().to_owned()
}

async fn ask(broker: &BuiltIn, client: &Client, client_id: &str, scope: &str, resource: &str) -> Answer {
    let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    let query = format!(
        "response_type=code&client_id={client_id}&redirect_uri=http://127.0.0.1:2/callback&scope={scope}&resource={resource}\
         &code_challenge={challenge}&code_challenge_method=S256"
    );
    client.get(&format!("{}/authorize?{query}", broker.issuer())).await.unwrap()
}

async fn keys(broker: &BuiltIn, client: &Client) -> String {
    client.get(&format!("{}/jwks", broker.issuer())).await.unwrap().text()
}

#[tokio::test]
async fn new_scopes_can_be_asked_for_by_clients_that_registered_before() {
    let (broker, client) = served(Audience::default()).await;
    let client_id = register(&broker, &client).await;
    assert_eq!(ask(&broker, &client, &client_id, "catalog:read", ENDPOINT).await.status, 200);
    assert_eq!(ask(&broker, &client, &client_id, "catalog:look", ENDPOINT).await.status, 303);
    let former = keys(&broker, &client).await;

    broker.renew(&route("catalog:look")).unwrap();
    assert_eq!(ask(&broker, &client, &client_id, "catalog:look", ENDPOINT).await.status, 200);
    assert_eq!(ask(&broker, &client, &client_id, "catalog:read", ENDPOINT).await.status, 303);
    assert_ne!(keys(&broker, &client).await, former, "tokens of the former scopes end");
}

#[tokio::test]
async fn tokens_are_for_this_server_and_the_decoy_only() {
    let decoy = "http://127.0.0.1:8080/mcp-elsewhere";
    let (broker, client) = served(Audience { users: vec![], decoy: Some(decoy.to_owned()) }).await;
    let client_id = register(&broker, &client).await;
    for (resource, status) in [(ENDPOINT, 200), (decoy, 200), ("http://127.0.0.1:8080/other", 303)] {
        assert_eq!(ask(&broker, &client, &client_id, "catalog:read", resource).await.status, status, "{resource}");
    }
}

#[tokio::test]
async fn a_taken_port_says_which_option_to_use() {
    let taken = Reserved::bind(0).await.unwrap();
    let port = taken.issuer().rsplit(':').next().unwrap().parse().unwrap();
    let error = Reserved::bind(port).await.err().unwrap().to_string();
    assert!(error.contains("--broker-port"), "{error}");
}
