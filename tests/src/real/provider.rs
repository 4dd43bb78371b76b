//! The certified `oidc-provider`: discovery, dynamic registration, PKCE, resource indicators.

use crate::client::Reply;
use crate::real::document;
use crate::real::http::{get, post_form, send};
use crate::real::place;
use crate::real::process::{Process, command};
use http::Method;
use serde_json::{Map, Value, json};
use std::sync::OnceLock;
use std::time::Duration;

/// Time to start, on a loaded machine.
const START: Duration = Duration::from_mins(1);

/// Every scope that a test of this process asks for: the provider must know them all when it starts.
const SCOPES: &[&str] =
    &["mcp:catalog-read", "mcp:cart-write", "mcp:checkout", "mcp:echo", "mcp:compute", "mcp:conformance"];

/// Id and secret of the client that calls for itself. It may introspect too.
pub const ROBOT: (&str, &str) = ("robot", "robot-secret");

/// A client id that is the address of a document about the client.
pub const CLIENT_DOCUMENT: &str = "https://clients.example/tollward-test.json";

/// Who may sign in. Their members become claims.
const USERS: &str = r#"{"alice": {"tier": "gold"}, "bob": {"tier": "basic"}}"#;

/// A running identity provider.
pub struct Provider {
    /// `iss`.
    pub issuer: String,
    _process: Process,
}

impl Provider {
    /// One that signs by RS256, for all tests of this process.
    pub fn rs256() -> &'static Self {
        static PROVIDER: OnceLock<Provider> = OnceLock::new();
        PROVIDER.get_or_init(|| Self::start("RS256"))
    }

    /// One that signs by ES256, for all tests of this process.
    pub fn es256() -> &'static Self {
        static PROVIDER: OnceLock<Provider> = OnceLock::new();
        PROVIDER.get_or_init(|| Self::start("ES256"))
    }

    /// One for this test alone, which may change its keys.
    pub fn start(algorithm: &str) -> Self {
        let mut node = command(place::node());
        node.arg(place::clients().join("idp.mjs"));
        let known = json!({"http://resource.invalid/known-scopes": {"scopes": SCOPES}});
        node.env("RESOURCES", known.to_string()).env("USERS", USERS).env("SIGNING_ALG", algorithm);
        let documents =
            Value::Object(Map::from_iter([(CLIENT_DOCUMENT.to_owned(), document::metadata(CLIENT_DOCUMENT))]));
        node.env("CLIENT_DOCUMENTS", documents.to_string());
        let process = Process::start("oidc-provider", node);
        let line: Value = serde_json::from_str(&process.line(START)).expect("the provider says where it is");
        let issuer = line.get("issuer").and_then(Value::as_str).expect("an issuer").to_owned();
        Self { issuer, _process: process }
    }

    /// Issues tokens for a resource from now on; `format` is `jwt` or `opaque`.
    pub async fn serve(&self, resource: &str, format: &str) {
        let entry = json!({"scopes": SCOPES, "format": format});
        let resources = Value::Object(Map::from_iter([(resource.to_owned(), entry)]));
        let url = format!("{}/test/resources", self.issuer);
        let reply = send(Method::PUT, &url, "application/json", resources.to_string()).await;
        assert!(reply.status.is_success(), "{}", reply.text());
    }

    /// New signing keys; the earlier ones stay published if `keep`.
    pub async fn rotate(&self, keep: bool) {
        let reply = post_form(&format!("{}/test/rotate?keep={keep}", self.issuer), &[]).await;
        assert!(reply.status.is_success(), "{}", reply.text());
    }

    /// A token of the client `robot`, by client credentials.
    pub async fn robot_token(&self, resource: &str, scope: &str) -> String {
        let fields = [
            ("grant_type", "client_credentials"),
            ("client_id", ROBOT.0),
            ("client_secret", ROBOT.1),
            ("resource", resource),
            ("scope", scope),
        ];
        access_token(&post_form(&format!("{}/token", self.issuer), &fields).await)
    }

    /// Ends a token of the client `robot` (RFC 7009).
    pub async fn revoke_robot_token(&self, token: &str) {
        let fields = [("client_id", ROBOT.0), ("client_secret", ROBOT.1), ("token", token)];
        let reply = post_form(&format!("{}/token/revocation", self.issuer), &fields).await;
        assert!(reply.status.is_success(), "{}", reply.text());
    }

    /// Requests that reached it, without secrets.
    pub async fn requests(&self) -> Vec<Value> {
        let reply = get(&format!("{}/test/requests", self.issuer)).await;
        reply.json().as_array().cloned().expect("a list of requests")
    }
}

/// `access_token` of a token endpoint's answer.
pub fn access_token(reply: &Reply) -> String {
    let token = reply.json().get("access_token").and_then(Value::as_str).map(str::to_owned);
    token.unwrap_or_else(|| panic!("no token: {} {}", reply.status, reply.text()))
}
