//! One bounded HTTP/1.1 exchange with a judged target: the only way in which Tollward reads documents from addresses that
//! others name. Every fetch has its own connection, since a pooled one would outlive the judgement it was made under.

mod error;
mod exchange;

pub use error::FetchError;

use crate::dial::Dialer;
use crate::target::Target;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, StatusCode};
use http_body_util::Full;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use std::fmt;
use std::time::Duration;
use tokio::time::timeout;
use url::form_urlencoded;

/// The bounds of one fetch. There is no default: what is patient for a discovery document is an eternity for a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FetchLimits {
    /// The deadline over everything: lookup, connecting, TLS, the request and the last byte of the body.
    pub total: Duration,
    /// The deadline of the lookup, of each attempt to connect and of the TLS handshake.
    pub connect: Duration,
    /// Largest body in bytes.
    pub max_body: usize,
}

/// What a server answered: any status but a redirect. Its `Debug` leaves the body out, which may hold tokens.
#[derive(Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The status. The caller judges it.
    pub status: StatusCode,
    /// `Content-Type`, if there is exactly one and it is ASCII.
    pub content_type: Option<String>,
    /// `Cache-Control`, several of them joined as RFC 9110 §5.3 says, if they are ASCII.
    pub cache_control: Option<String>,
    /// The whole body, never a part of it.
    pub body: Bytes,
}

impl fmt::Debug for Fetched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { status, content_type, cache_control, body } = self;
        f.debug_struct("Fetched")
            .field("status", status)
            .field("content_type", content_type)
            .field("cache_control", cache_control)
            .field("body_bytes", &body.len())
            .finish()
    }
}

/// A client's name and secret for HTTP Basic as OAuth uses it (RFC 6749 §2.3.1: both form-encoded first).
#[derive(Debug, Clone)]
pub struct BasicCredentials {
    user: String,
    password: SecretString,
}

impl BasicCredentials {
    /// Credentials from their plain, unencoded parts.
    pub fn new(user: impl Into<String>, password: SecretString) -> Self {
        Self { user: user.into(), password }
    }

    fn header(&self) -> Result<HeaderValue, FetchError> {
        let password = self.password.expose_secret();
        // Room for the worst case, so that no half-written copy is left behind by growing.
        let room = 3 * (self.user.len() + password.len()) + 1;
        let mut plain = Zeroizing::new(String::with_capacity(room));
        plain.extend(form_urlencoded::byte_serialize(self.user.as_bytes()));
        plain.push(':');
        plain.extend(form_urlencoded::byte_serialize(password.as_bytes()));
        let text = Zeroizing::new(format!("Basic {}", STANDARD.encode(plain.as_bytes())));
        let mut value = HeaderValue::from_str(&text).map_err(|error| FetchError::request(&error))?;
        value.set_sensitive(true);
        Ok(value)
    }
}

/// Fetches documents through a [`Dialer`]. Cheap to clone.
#[derive(Clone)]
pub struct Fetcher {
    dialer: Dialer,
    limits: FetchLimits,
}

impl Fetcher {
    /// A fetcher that dials through `dialer` under `limits`.
    pub const fn new(dialer: Dialer, limits: FetchLimits) -> Self {
        Self { dialer, limits }
    }

    /// GETs a document. `accept` is the `Accept` header.
    pub async fn get(&self, target: &Target, accept: &str) -> Result<Fetched, FetchError> {
        let accept = HeaderValue::from_str(accept).map_err(|error| FetchError::request(&error))?;
        let mut request = exchange::request(target, Method::GET, Bytes::new())?;
        request.headers_mut().insert(ACCEPT, accept);
        self.run(target, request).await
    }

    /// POSTs a form and accepts JSON, as OAuth's token, introspection and revocation endpoints want it.
    pub async fn post_form(
        &self,
        target: &Target,
        form: &[(&str, &str)],
        credentials: Option<&BasicCredentials>,
    ) -> Result<Fetched, FetchError> {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let mut request = exchange::request(target, Method::POST, Bytes::from(body))?;
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        if let Some(credentials) = credentials {
            headers.insert(AUTHORIZATION, credentials.header()?);
        }
        self.run(target, request).await
    }

    async fn run(&self, target: &Target, request: Request<Full<Bytes>>) -> Result<Fetched, FetchError> {
        let FetchLimits { total, connect, max_body } = self.limits;
        let whole = async {
            let connection = self.dialer.connect(target, connect).await?;
            exchange::run(target, connection, request, max_body).await
        };
        timeout(total, whole)
            .await
            .unwrap_or_else(|_| Err(FetchError::Deadline { target: target.host_and_port(), limit: total }))
    }
}
