//! A double of an authorization server: discovery, keys, tokens, and the ways in which one fails.

pub mod introspection;

use crate::clock::TestClock;
use crate::config::ENDPOINT;
use crate::key::Key;
use crate::loopback::{Cut, Loopback, answer, lock};
use crate::token::{Minted, Token};
use axum::body::Body;
use http::header::LOCATION;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use introspection::Introspection;
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};
use tollward_sidecar::clock::Clock as _;

const REALM: &str = "/realms/shop";
const JWKS: &str = "/realms/shop/jwks";
const INTROSPECTION: &str = "/realms/shop/introspect";

/// How it answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// As it should.
    Good,
    /// With that status.
    Status(StatusCode),
    /// Not at all: connections are cut.
    Down,
    /// Never.
    Slow,
    /// With 200 and something else than JSON.
    Garbage,
    /// With a redirect to another address.
    Redirect(String),
}

struct Shared {
    health: Mutex<Health>,
    keys: Mutex<Vec<Arc<Key>>>,
    /// Published as they are, instead of the keys.
    written: Mutex<Option<Vec<Value>>>,
    /// Paths that were asked for.
    asked: Mutex<Vec<String>>,
    introspection: Introspection,
}

/// A running authorization server.
pub struct Issuer {
    shared: Arc<Shared>,
    server: Loopback,
    clock: TestClock,
    minted: Minted,
}

impl Issuer {
    /// Starts with one ES256 key, `key-1`.
    pub async fn start(clock: TestClock) -> Self {
        Self::start_at(Ipv4Addr::LOCALHOST.into(), clock).await
    }

    /// Like [`Self::start`], at another address of this machine.
    pub async fn start_at(address: IpAddr, clock: TestClock) -> Self {
        let shared = Arc::new(Shared {
            health: Mutex::new(Health::Good),
            keys: Mutex::new(vec![Arc::new(Key::new("key-1", "ES256"))]),
            written: Mutex::default(),
            asked: Mutex::default(),
            introspection: Introspection::default(),
        });
        let state = Arc::clone(&shared);
        let server = Loopback::start_at(address, move |request| {
            let state = Arc::clone(&state);
            async move { state.answer(request).await }
        })
        .await;
        Self { shared, server, clock, minted: Minted::default() }
    }

    /// `iss`.
    pub fn url(&self) -> String {
        format!("http://{}{REALM}", self.server.address())
    }

    /// The key that signs unless a token says otherwise: the one published last.
    pub fn key(&self) -> Arc<Key> {
        lock(&self.shared.keys).last().cloned().expect("an issuer has a key")
    }

    /// Publishes these keys and no others.
    pub fn publish(&self, keys: impl IntoIterator<Item = Arc<Key>>) {
        *lock(&self.shared.keys) = keys.into_iter().collect();
    }

    /// Publishes these members of `keys` as they are, which need not be good keys.
    pub fn publish_written(&self, keys: Vec<Value>) {
        *lock(&self.shared.written) = Some(keys);
    }

    /// Answers like that from now on.
    pub fn set_health(&self, health: Health) {
        *lock(&self.shared.health) = health;
    }

    /// A good token for the default endpoint.
    pub fn token(&self) -> Token {
        Token::valid(&self.url(), ENDPOINT, self.clock.unix_seconds(), &self.key(), Arc::clone(&self.minted))
    }

    /// An opaque token about which the introspection endpoint says this.
    pub fn opaque(&self, name: &str, answer: Value) -> String {
        let token = format!("opaque.{name}-0123456789abcdef");
        lock(&self.minted).push(token.clone());
        self.introspection().say(&token, answer);
        token
    }

    /// The introspection endpoint.
    pub fn introspection(&self) -> &Introspection {
        &self.shared.introspection
    }

    /// Now, as the data plane and the tokens see it, in seconds since the epoch.
    pub fn now(&self) -> i64 {
        self.clock.unix_seconds()
    }

    /// How often the key set was asked for.
    pub fn key_fetches(&self) -> usize {
        lock(&self.shared.asked).iter().filter(|path| *path == JWKS).count()
    }

    /// How often anything was asked for.
    pub fn requests(&self) -> usize {
        lock(&self.shared.asked).len()
    }

    /// The metadata document, byte for byte.
    pub fn metadata(&self) -> String {
        metadata(&self.server.address().to_string())
    }

    /// Where tokens of other issuers are noted, so that they are looked for like its own.
    pub fn book(&self) -> Minted {
        Arc::clone(&self.minted)
    }

    /// Every token that was minted.
    pub fn minted(&self) -> Vec<String> {
        lock(&self.minted).clone()
    }
}

impl Shared {
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Body>, Cut> {
        let path = request.uri().path().to_owned();
        lock(&self.asked).push(path.clone());
        let health = lock(&self.health).clone();
        match health {
            Health::Good => {}
            Health::Status(status) => return Ok(whole(status, "{}".into())),
            Health::Down => return Err(Cut),
            Health::Slow => std::future::pending().await,
            Health::Garbage => return Ok(whole(StatusCode::OK, "<html>come back later".into())),
            Health::Redirect(to) => {
                let mut response = whole(StatusCode::FOUND, String::new());
                response.headers_mut().insert(LOCATION, to.parse().expect("a URL is a header value"));
                return Ok(response);
            }
        }
        if path == INTROSPECTION {
            return self.introspection.answer(request).await;
        }
        let host = request.headers().get("host").and_then(|host| host.to_str().ok()).unwrap_or_default();
        Ok(match path.as_str() {
            JWKS => whole(StatusCode::OK, self.key_set().to_string()),
            "/.well-known/oauth-authorization-server/realms/shop" => whole(StatusCode::OK, metadata(host)),
            _ => whole(StatusCode::NOT_FOUND, "{}".into()),
        })
    }

    fn key_set(&self) -> Value {
        let written = lock(&self.written).clone();
        let keys = written.unwrap_or_else(|| lock(&self.keys).iter().map(|key| key.jwk()).collect());
        json!({"keys": keys})
    }
}

/// With white space that nobody would write again, so that a copy shows itself.
fn metadata(host: &str) -> String {
    let base = format!("http://{host}{REALM}");
    format!(
        "{{ \"issuer\":\"{base}\",\n  \"authorization_endpoint\":\"{base}/authorize\", \"token_endpoint\":\"{base}/token\",\
         \n  \"jwks_uri\":\"{base}/jwks\", \"introspection_endpoint\":\"{base}/introspect\", \"response_types_supported\":[\"code\"], \"code_challenge_methods_supported\":[\"S256\"] }}\n"
    )
}

fn whole(status: StatusCode, body: String) -> Response<Body> {
    answer(status, "application/json", body)
}
