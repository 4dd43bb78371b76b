//! A double of a token endpoint (RFC 8693): it keeps what it is asked, and answers as a test tells it to.

use crate::loopback::{Cut, Loopback, answer, lock};
use axum::body::Body;
use http::header::{AUTHORIZATION, LOCATION};
use http::{Response, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// What it was asked.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The form, as it was sent.
    pub form: String,
    /// The `Authorization` header; empty if there is none.
    pub authorization: String,
}

#[derive(Default)]
struct Shared {
    asked: Mutex<Vec<Asked>>,
    answer: Mutex<Option<(StatusCode, Value)>>,
}

/// A running token endpoint.
pub struct TokenEndpoint {
    shared: Arc<Shared>,
    server: Loopback,
}

impl TokenEndpoint {
    /// Starts. It gives each exchange a token of its own, `exchanged-N`.
    pub async fn start() -> Self {
        let shared = Arc::new(Shared::default());
        let state = Arc::clone(&shared);
        let server = Loopback::start(move |request| {
            let state = Arc::clone(&state);
            async move { state.answer(request).await }
        })
        .await;
        Self { shared, server }
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://{}/token", self.server.address())
    }

    /// Everything that it was asked.
    pub fn asked(&self) -> Vec<Asked> {
        lock(&self.shared.asked).clone()
    }

    /// Answers everybody like that from now on. A redirect leads to `location` of the body.
    pub fn answers(&self, status: StatusCode, body: Value) {
        *lock(&self.shared.answer) = Some((status, body));
    }

    /// Answers as in the beginning.
    pub fn recovers(&self) {
        *lock(&self.shared.answer) = None;
    }

    /// Closes the port.
    pub fn stop(&self) {
        self.server.stop();
    }

    /// Opens the port again.
    pub async fn resume(&self) {
        self.server.resume().await;
    }
}

impl Shared {
    async fn answer(&self, request: http::Request<hyper::body::Incoming>) -> Result<Response<Body>, Cut> {
        let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let authorization = header.unwrap_or_default().to_owned();
        let body = request.into_body().collect().await.map_err(|_| Cut)?.to_bytes();
        let number = {
            let mut asked = lock(&self.asked);
            asked.push(Asked { form: String::from_utf8_lossy(&body).into_owned(), authorization });
            asked.len()
        };
        let good = || {
            json!({
                "access_token": format!("exchanged-{number}-0123456789abcdef"), "token_type": "Bearer", "expires_in": 300,
                "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
            })
        };
        let (status, body) = lock(&self.answer).clone().unwrap_or_else(|| (StatusCode::OK, good()));
        let mut response = answer(status, "application/json", body.to_string());
        if let Some(location) = body.get("location").and_then(Value::as_str) {
            response.headers_mut().insert(LOCATION, location.parse().expect("a URL is a header value"));
        }
        Ok(response)
    }
}
