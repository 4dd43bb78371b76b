//! A way between two parts: it passes everything on as it comes, notes the head of each request, and adds headers if told
//! to. It stands between the data plane and an MCP server to prove what reaches the server, and in front of the data plane
//! to give a token to a client that knows none.

use crate::loopback::{Cut, Loopback};
use axum::body::Body;
use http::header::{CONNECTION, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// The head of a request that passed.
#[derive(Debug, Clone)]
pub struct Head {
    /// Method.
    pub method: Method,
    /// Path and query.
    pub target: String,
    /// Headers as they came.
    pub headers: HeaderMap,
}

struct Way {
    to: OnceLock<SocketAddr>,
    adds: Option<(HeaderName, HeaderValue)>,
    seen: Mutex<Vec<Head>>,
    client: Client<HttpConnector, Body>,
}

/// A running passage.
pub struct Passage {
    way: Arc<Way>,
    server: Loopback,
}

impl Passage {
    /// A passage that leads there.
    pub async fn to(address: SocketAddr) -> Self {
        let passage = Self::start(None).await;
        passage.lead_to(address);
        passage
    }

    /// A passage that leads nowhere yet, and puts `Authorization: Bearer` with the token on each request.
    pub async fn with_token(token: &str) -> Self {
        let value = HeaderValue::from_str(&format!("Bearer {token}")).expect("a token is a header value");
        Self::start(Some((http::header::AUTHORIZATION, value))).await
    }

    async fn start(adds: Option<(HeaderName, HeaderValue)>) -> Self {
        let client = Client::builder(TokioExecutor::new()).build_http();
        let way = Arc::new(Way { to: OnceLock::new(), adds, seen: Mutex::default(), client });
        let own = Arc::clone(&way);
        let server = Loopback::start(move |request| {
            let way = Arc::clone(&own);
            async move { way.pass(request).await }
        })
        .await;
        Self { way, server }
    }

    /// Decides where it leads, once.
    pub fn lead_to(&self, address: SocketAddr) {
        self.way.to.set(address).expect("a passage leads to one place");
    }

    /// Where it begins.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// What passed.
    pub fn seen(&self) -> Vec<Head> {
        self.way.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Way {
    async fn pass(&self, request: Request<Incoming>) -> Result<Response<Body>, Cut> {
        let (mut parts, body) = request.into_parts();
        let target = parts.uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string);
        let head = Head { method: parts.method.clone(), target: target.clone(), headers: parts.headers.clone() };
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).push(head);
        self.readdress(&mut parts, &target)?;
        let answered = self.client.request(Request::from_parts(parts, Body::new(body))).await.map_err(|_| Cut)?;
        let (mut parts, body) = answered.into_parts();
        own_connection(&mut parts.headers);
        Ok(Response::from_parts(parts, Body::new(body)))
    }

    /// To the other end of the passage, with the Host that the client wrote.
    fn readdress(&self, parts: &mut Parts, target: &str) -> Result<(), Cut> {
        let to = self.to.get().ok_or(Cut)?;
        parts.uri = format!("http://{to}{target}").parse::<Uri>().map_err(|_| Cut)?;
        own_connection(&mut parts.headers);
        if let Some((name, value)) = &self.adds {
            parts.headers.insert(name.clone(), value.clone());
        }
        Ok(())
    }
}

/// Leaves out what is about one connection.
fn own_connection(headers: &mut HeaderMap) {
    for name in [CONNECTION, TRANSFER_ENCODING, HeaderName::from_static("keep-alive")] {
        headers.remove(name);
    }
}
