//! One request and its whole answer, for the addresses of identity providers that tests use themselves.

use crate::client::{Connection, Reply, Wire};
use crate::deadline::within;
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HOST};
use http::{Method, Request, Uri};
use http_body_util::Full;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longest wait of [`answers`].
const SOON: Duration = Duration::from_secs(5);

/// Sends a request without redirects or cookies. The URL's host must be a loopback address.
pub async fn send_with(method: Method, url: &str, headers: &[(&str, &str)], body: String) -> Reply {
    let uri: Uri = url.parse().unwrap_or_else(|error| panic!("{url} is no URL: {error}"));
    let authority = uri.authority().expect("an absolute URL").as_str();
    let address: SocketAddr = authority.parse().unwrap_or_else(|error| panic!("{url} is not on loopback: {error}"));
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    let mut request = Request::builder().method(method).uri(target).header(HOST, authority).header(ACCEPT, "*/*");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(Bytes::from(body))).expect("a request");
    let connection = Connection::plain(Wire::Http1, address).await;
    let answer = async { connection.send_only(request).await?.whole().await };
    let answer: Result<Reply, hyper::Error> = within("the answer of an identity provider", answer).await;
    answer.unwrap_or_else(|error| panic!("{url}: {error}"))
}

/// True if the URL answers with success, soon. A server that is starting may refuse, break off or be silent.
pub async fn answers(url: &str) -> bool {
    let Some(address) = url.parse::<Uri>().ok().and_then(|uri| uri.authority()?.as_str().parse::<SocketAddr>().ok())
    else {
        panic!("{url} is not on loopback");
    };
    let look = async {
        // The connection of the request itself must not fail.
        TcpStream::connect(address).await.ok()?;
        let request = Request::get(url).header(HOST, address.to_string()).body(Full::default()).ok()?;
        Connection::plain(Wire::Http1, address).await.send_only(request).await.ok()
    };
    timeout(SOON, look).await.ok().flatten().is_some_and(|answer| answer.status.is_success())
}

/// Like [`send_with`], with a body of that type.
pub async fn send(method: Method, url: &str, content_type: &str, body: String) -> Reply {
    send_with(method, url, &[(CONTENT_TYPE.as_str(), content_type)], body).await
}

/// GET.
/// GET.
pub async fn get(url: &str) -> Reply {
    send_with(Method::GET, url, &[], String::new()).await
}

/// POST of a form.
pub async fn post_form(url: &str, fields: &[(&str, &str)]) -> Reply {
    let pairs: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
    send(Method::POST, url, "application/x-www-form-urlencoded", pairs.join("&")).await
}

/// `application/x-www-form-urlencoded`, byte by byte.
fn escaped(text: &str) -> String {
    let byte = |byte: u8| {
        let plain = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if plain { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    text.bytes().map(byte).collect()
}
