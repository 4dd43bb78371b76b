//! A broker with a clock moved by hand, repeatable randomness and recorded events, and a client and browser for it.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use aws_lc_rs::digest;
use axum::Router;
use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;
use url::{Url, form_urlencoded};

use crate::{
    Broker, BrokerConfig, BrokerEvent, Clock, Events, MemoryStore, Parts, Random, RandomnessUnavailable, Resource,
    ScopeText, SignIn, StoreLimits,
};

pub(super) const ISSUER: &str = "http://127.0.0.1:8089/oauth";
pub(super) const HOST: &str = "127.0.0.1:8089";
pub(super) const CATALOG: &str = "http://127.0.0.1:8080/mcp";
pub(super) const REDIRECT: &str = "http://127.0.0.1:6276/oauth/callback";
pub(super) const VERIFIER: &str = "a-verifier-of-at-least-forty-three-characters-1";

pub(super) struct HandClock(Mutex<SystemTime>);

impl Clock for HandClock {
    fn now(&self) -> SystemTime {
        *self.0.lock().unwrap()
    }
}

/// Digests of a counter: unlike each other, equal in each run.
struct CountedRandom(AtomicU64);

impl Random for CountedRandom {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomnessUnavailable> {
        let count = self.0.fetch_add(1, Ordering::Relaxed);
        let block = digest::digest(&digest::SHA256, &count.to_be_bytes());
        for (to, from) in bytes.iter_mut().zip(block.as_ref().iter().cycle()) {
            *to = *from;
        }
        Ok(())
    }
}

#[derive(Default)]
struct RecordedEvents(Mutex<Vec<BrokerEvent>>);

impl Events for RecordedEvents {
    fn record(&self, event: BrokerEvent) {
        self.0.lock().unwrap().push(event);
    }
}

pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Reply {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in {:?}", self.body))
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The parameters that came back to the client, which must be `redirect`.
    #[track_caller]
    pub(super) fn returned_to(&self, redirect: &str) -> Vec<(String, String)> {
        assert_eq!(self.status, StatusCode::SEE_OTHER, "{}", self.body);
        let location = self.header("location");
        assert!(location.starts_with(&format!("{redirect}?")), "{location}");
        Url::parse(location).unwrap().query_pairs().into_owned().collect()
    }

    #[track_caller]
    pub(super) fn returned(&self, name: &str) -> Option<String> {
        self.returned_to(REDIRECT).into_iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// A page of the broker that goes nowhere.
    #[track_caller]
    pub(super) fn is_refusal_page(&self, status: StatusCode) {
        assert_eq!(self.status, status, "{}", self.body);
        assert_eq!(self.header("location"), "");
        assert!(self.body.contains("Sign-in stopped"), "{}", self.body);
    }

    #[track_caller]
    pub(super) fn is_oauth_error(&self, status: u16, code: &str) {
        assert_eq!((self.status.as_u16(), self.json()["error"].as_str()), (status, Some(code)), "{}", self.body);
        assert_eq!(self.header("cache-control"), "no-store");
        // RFC 6749 section 5.2; clients also match on these texts with regular expressions.
        let description = self.json()["error_description"].as_str().unwrap().to_owned();
        let allowed = |byte: u8| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        assert!(!description.is_empty() && description.bytes().all(allowed), "{description}");
    }
}

/// The open consent page.
pub(super) struct OpenPage {
    pub(super) cookie: String,
    pub(super) sealed: String,
    pub(super) reply: Reply,
}

pub(super) struct World {
    pub(super) broker: Broker,
    pub(super) clock: Arc<HandClock>,
    pub(super) store: Arc<MemoryStore>,
    app: Router,
    events: Arc<RecordedEvents>,
}

pub(super) fn config() -> BrokerConfig {
    let scope =
        |name: &str, description: &str| ScopeText { name: name.to_owned(), description: description.to_owned() };
    let resource = |url: &str, name: &str, scopes: Vec<ScopeText>| Resource {
        url: Url::parse(url).unwrap(),
        name: name.to_owned(),
        default_scopes: vec![scopes[0].name.clone()],
        scopes,
    };
    let read = scope("catalog:read", "look products up");
    let write = scope("catalog:write", "change products & prices");
    BrokerConfig {
        issuer: Url::parse(ISSUER).unwrap(),
        resources: vec![
            resource(CATALOG, "Catalog", vec![read, write]),
            resource("http://127.0.0.1:8081/mcp", "Orders", vec![scope("orders:read", "see orders")]),
        ],
        sign_in: SignIn::AnyName {
            claims: [("alice".to_owned(), [("tier".to_owned(), json!("production"))].into())].into(),
            default_claims: [("tier".to_owned(), json!("basic")), ("team".to_owned(), json!("dev"))].into(),
        },
        token_lifetime: Duration::from_mins(5),
        refresh_lifetime: Duration::from_hours(1),
        client_idle_lifetime: Duration::from_hours(24),
        registrations_per_minute: NonZeroU32::new(10).unwrap(),
        private_use_schemes: vec![],
    }
}

impl World {
    pub(super) fn new() -> Self {
        Self::with(config())
    }

    pub(super) fn with(config: BrokerConfig) -> Self {
        Self::with_store(config, StoreLimits { clients: 20, ..StoreLimits::standard() })
    }

    pub(super) fn with_store(config: BrokerConfig, limits: StoreLimits) -> Self {
        let clock = Arc::new(HandClock(Mutex::new(SystemTime::UNIX_EPOCH + Duration::from_hours(500_000))));
        let store = Arc::new(MemoryStore::new(limits));
        let events = Arc::new(RecordedEvents::default());
        let parts = Parts {
            store: store.clone(),
            clock: clock.clone(),
            random: Arc::new(CountedRandom(AtomicU64::new(0))),
            events: events.clone(),
        };
        let broker = config.validate(parts).unwrap();
        Self { app: broker.router(), broker, clock, store, events }
    }

    pub(super) fn pass(&self, time: Duration) {
        *self.clock.0.lock().unwrap() += time;
    }

    pub(super) fn events(&self) -> Vec<BrokerEvent> {
        self.events.0.lock().unwrap().clone()
    }

    pub(super) async fn send(&self, request: Request<Body>) -> Reply {
        let response = self.app.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Reply { status: parts.status, headers: parts.headers, body: String::from_utf8(body.to_vec()).unwrap() }
    }

    pub(super) async fn get(&self, path: &str) -> Reply {
        self.send(Request::get(path).header(header::HOST, HOST).body(Body::empty()).unwrap()).await
    }

    pub(super) async fn register(&self, metadata: &Value) -> Reply {
        let request = Request::post("/oauth/register").header(header::HOST, HOST);
        let request = request.header(header::CONTENT_TYPE, "application/json");
        self.send(request.body(Body::from(metadata.to_string())).unwrap()).await
    }

    /// A registered native client that may refresh.
    pub(super) async fn client(&self) -> String {
        let grants = ["authorization_code", "refresh_token"];
        let metadata = json!({"client_name": "Test client", "redirect_uris": [REDIRECT], "grant_types": grants});
        let reply = self.register(&metadata).await;
        assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.body);
        reply.json()["client_id"].as_str().unwrap().to_owned()
    }

    pub(super) async fn authorize(&self, parameters: &Form) -> Reply {
        self.get(&format!("/oauth/authorize?{}", parameters.encode())).await
    }

    pub(super) async fn open(&self, client_id: &str) -> OpenPage {
        self.open_with(&request(client_id)).await
    }

    pub(super) async fn open_with(&self, parameters: &Form) -> OpenPage {
        let reply = self.authorize(parameters).await;
        assert_eq!(reply.status, StatusCode::OK, "{} {}", reply.body, reply.header("location"));
        let cookie = reply.header("set-cookie").split(';').next().unwrap().to_owned();
        let (_, after) = reply.body.split_once("name=\"request\" value=\"").unwrap();
        let sealed = after.split('"').next().unwrap().to_owned();
        OpenPage { cookie, sealed, reply }
    }

    pub(super) async fn answer(&self, cookie: &str, form: &Form) -> Reply {
        let origin = "http://127.0.0.1:8089";
        self.answer_from(cookie, form, &[("origin", origin), ("sec-fetch-site", "same-origin")]).await
    }

    pub(super) async fn answer_from(&self, cookie: &str, form: &Form, headers: &[(&str, &str)]) -> Reply {
        let mut request = Request::post("/oauth/authorize").header(header::HOST, HOST).header(header::COOKIE, cookie);
        request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Body::from(form.encode())).unwrap()).await
    }

    /// A code for alice.
    pub(super) async fn code(&self, client_id: &str) -> String {
        self.code_with(&request(client_id)).await
    }

    pub(super) async fn code_with(&self, parameters: &Form) -> String {
        let page = self.open_with(parameters).await;
        let reply = self.answer(&page.cookie, &approval(&page.sealed, "alice")).await;
        reply.returned("code").unwrap_or_else(|| panic!("{}", reply.header("location")))
    }

    pub(super) async fn token(&self, form: &Form) -> Reply {
        let request = Request::post("/oauth/token").header(header::HOST, HOST);
        let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request.body(Body::from(form.encode())).unwrap()).await
    }

    /// The whole way to tokens for alice.
    pub(super) async fn tokens(&self, client_id: &str) -> Value {
        let reply = self.token(&redemption(client_id, &self.code(client_id).await)).await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.body);
        reply.json()
    }
}

/// Parameters of a query or form, to be changed one by one.
#[derive(Clone)]
pub(super) struct Form(Vec<(&'static str, String)>);

impl Form {
    pub(super) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.0.retain(|(key, _)| *key != name);
        self.and(name, value)
    }

    pub(super) fn and(mut self, name: &'static str, value: &str) -> Self {
        self.0.push((name, value.to_owned()));
        self
    }

    pub(super) fn without(mut self, name: &str) -> Self {
        self.0.retain(|(key, _)| *key != name);
        self
    }

    pub(super) fn encode(&self) -> String {
        form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.0).finish()
    }
}

pub(super) fn form(pairs: &[(&'static str, &str)]) -> Form {
    Form(pairs.iter().map(|(name, value)| (*name, (*value).to_owned())).collect())
}

pub(super) fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()))
}

/// A correct authorization request.
pub(super) fn request(client_id: &str) -> Form {
    form(&[
        ("response_type", "code"),
        ("client_id", client_id),
        ("redirect_uri", REDIRECT),
        ("state", "the state & more"),
        ("code_challenge", &challenge(VERIFIER)),
        ("code_challenge_method", "S256"),
        ("resource", CATALOG),
        ("scope", "catalog:write catalog:read"),
    ])
}

pub(super) fn approval(sealed: &str, name: &str) -> Form {
    form(&[("request", sealed), ("name", name), ("decision", "approve")])
}

/// A correct token request.
pub(super) fn redemption(client_id: &str, code: &str) -> Form {
    form(&[
        ("grant_type", "authorization_code"),
        ("code", code),
        ("client_id", client_id),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER),
        ("resource", CATALOG),
    ])
}

pub(super) fn refreshing(client_id: &str, refresh_token: &str) -> Form {
    form(&[("grant_type", "refresh_token"), ("client_id", client_id), ("refresh_token", refresh_token)])
}
