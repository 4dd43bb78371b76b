//! What is found at an issuer, over real sockets on loopback.

use super::GuardedDiscovery;
use crate::discovery::{DiscoverySource as _, Question};
use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use kube::client::Body;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::Arc;
use tollward_api::identityprovider::IssuerStatus;
use tollward_netguard::SystemResolver;
use tollward_policy::config::{Allowance, DialConfig, Scheme};

/// An issuer whose metadata are the given ones; its own address stands where `ISSUER` does.
async fn issuer(metadata: Value, keys: Value) -> String {
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let issuer = format!("http://{}", listener.local_addr().unwrap());
    let metadata = metadata.to_string().replace("ISSUER", &issuer);
    let document = move || {
        let metadata = metadata.clone();
        async move { if metadata == "null" { Err(StatusCode::NOT_FOUND) } else { Ok(metadata) } }
    };
    let router = Router::new()
        .route("/.well-known/openid-configuration", get(document))
        .route("/keys", get(move || async move { keys.to_string() }));
    tokio::spawn(async move { axum::serve(listener, router).await });
    issuer
}

async fn ask(issuer: &str, allowed: bool, jwks_url: Option<&str>) -> Result<IssuerStatus, String> {
    let client = kube::Client::new(
        tower::service_fn(|_: http::Request<Body>| async { Ok::<_, Infallible>(http::Response::new(Body::empty())) }),
        "default",
    );
    let allowance = Allowance { cidr: "127.0.0.0/8".parse().unwrap(), scheme: Scheme::Http };
    let dial = DialConfig { allow: if allowed { vec![allowance] } else { Vec::new() }, deny: Vec::new() };
    let source = GuardedDiscovery::new(client, &dial, Arc::new(SystemResolver::from_system().unwrap()));
    let question = Question {
        namespace: "shop".into(),
        issuers: vec![issuer.into()],
        jwks_url: jwks_url.map(str::to_owned),
        authority: None,
        introspection: None,
    };
    source.discover(question).await.map(|mut found| found.remove(0))
}

fn keys() -> Value {
    json!({"keys": [{"kty": "OKP"}]})
}

#[tokio::test]
async fn an_issuer_that_says_what_it_can_is_understood() {
    let metadata = json!({"issuer": "ISSUER", "jwks_uri": "ISSUER/keys", "code_challenge_methods_supported": ["plain", "S256"],
        "registration_endpoint": "ISSUER/register", "introspection_endpoint": "ISSUER/introspect"});
    let issuer = issuer(metadata, keys()).await;
    let found = ask(&issuer, true, None).await.unwrap();
    assert_eq!(found.metadata_url, Some(format!("{issuer}/.well-known/openid-configuration")));
    assert_eq!((found.issuer_matches, found.jwks_url), (true, Some(format!("{issuer}/keys"))));
    assert_eq!(found.pkce_methods, ["plain", "S256"]);
    assert_eq!(found.introspection_endpoint, Some(format!("{issuer}/introspect")));
    assert!(found.dynamic_client_registration && !found.client_id_metadata_documents);
    assert_eq!(found.keys.len(), 1);
}

#[tokio::test]
async fn another_issuers_metadata_are_refused_with_advice() {
    let metadata = json!({"issuer": "ISSUER/", "jwks_uri": "ISSUER/keys"});
    let error = ask(&issuer(metadata, keys()).await, true, None).await.unwrap_err();
    assert!(error.contains("another issuer") && error.contains("slash"), "{error}");
}

#[tokio::test]
async fn an_address_that_the_installer_did_not_allow_is_not_dialled_and_nothing_is_told() {
    let metadata = json!({"issuer": "ISSUER", "jwks_uri": "ISSUER/keys"});
    let open = issuer(metadata, keys()).await;
    let denied = ask(&open, false, None).await.unwrap_err();
    let closed = ask("http://127.0.0.1:9", false, None).await.unwrap_err();
    let cause = |text: &str| text.rsplit_once(": ").unwrap().1.to_owned();
    assert_eq!(cause(&denied), cause(&closed), "open and closed ports look alike");
}

#[tokio::test]
async fn keys_must_be_there() {
    let metadata = json!({"issuer": "ISSUER", "jwks_uri": "ISSUER/keys"});
    let empty = issuer(metadata.clone(), json!({"keys": []})).await;
    assert!(ask(&empty, true, None).await.unwrap_err().contains("holds no keys"));
    let missing = issuer(json!({"issuer": "ISSUER"}), keys()).await;
    assert!(ask(&missing, true, None).await.unwrap_err().contains("jwksURL"));
    let without_metadata = issuer(Value::Null, keys()).await;
    let found = ask(&without_metadata, true, Some(&format!("{without_metadata}/keys"))).await;
    let found = found.unwrap();
    assert_eq!((found.keys.len(), found.issuer_matches), (1, false), "a configured key set needs no metadata");
}
