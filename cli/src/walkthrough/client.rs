//! An HTTP client without opinions: no redirects, no cookies, no retries. It counts what it sends, so that the count can be
//! compared with the audit records. Whom it trusts and how it reaches a host is said beforehand, by [`Passage`].

use super::passage::{Doors, Passage};
use anyhow::Context as _;
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Largest answer that is read.
const MAX_ANSWER: usize = 4 * 1024 * 1024;
/// Time for an exchange.
const TIMEOUT: Duration = Duration::from_secs(20);

/// The client.
pub(crate) struct Client {
    pool: Pool<HttpsConnector<HttpConnector<Doors>>, Full<Bytes>>,
    sent: Mutex<BTreeMap<String, u64>>,
}

/// An answer that was read to its end. No `Debug`: it may hold a token.
pub(crate) struct Answer {
    /// Status.
    pub(crate) status: StatusCode,
    headers: http::HeaderMap,
    body: Bytes,
}

impl Client {
    /// Goes that way. Nothing was sent yet.
    pub(crate) fn new(passage: Passage) -> Self {
        let mut connector = HttpConnector::new_with_resolver(passage.doors);
        connector.enforce_http(false);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(passage.tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        Self { pool: Pool::builder(TokioExecutor::new()).build(connector), sent: Mutex::default() }
    }

    /// Gets a document.
    pub(crate) async fn get(&self, url: &str) -> anyhow::Result<Answer> {
        let request = Request::get(url).header("accept", "application/json").body(Full::default());
        self.send(request.with_context(|| format!("`{url}` is no URL"))?).await
    }

    /// Sends a request and reads the answer.
    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> anyhow::Result<Answer> {
        let authority = request.uri().authority().map(ToString::to_string).unwrap_or_default();
        let what = format!("{} {}", request.method(), request.uri().path());
        *self.sent.lock().unwrap_or_else(PoisonError::into_inner).entry(authority).or_default() += 1;
        let exchange = async {
            let (parts, body) = self.pool.request(request).await?.into_parts();
            let body = Limited::new(body, MAX_ANSWER).collect().await.map_err(|error| anyhow::anyhow!("{error}"))?;
            Ok::<_, anyhow::Error>(Answer { status: parts.status, headers: parts.headers, body: body.to_bytes() })
        };
        let exchanged = tokio::time::timeout(TIMEOUT, exchange).await;
        exchanged
            .with_context(|| format!("{what}: no answer within {} s", TIMEOUT.as_secs()))?
            .with_context(|| format!("{what} failed"))
    }

    /// How many requests went to this host and port.
    pub(super) fn sent_to(&self, authority: &str) -> u64 {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).get(authority).copied().unwrap_or_default()
    }
}

impl Answer {
    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header's value.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// All values of a header.
    pub(super) fn headers(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers.get_all(name).iter().filter_map(|value| value.to_str().ok())
    }

    /// The JSON document, or the last message of an event stream, which is the answer of an MCP server.
    pub(super) fn json(&self) -> anyhow::Result<Value> {
        let stream = self.header("content-type").is_some_and(|media| media.starts_with("text/event-stream"));
        let text = self.text();
        let document = if stream { last_event(&text).context("the event stream is empty")? } else { text };
        serde_json::from_str(&document).context("the answer is not JSON")
    }

    /// The answer, if it has this status.
    pub(super) fn expect(self, status: StatusCode) -> anyhow::Result<Self> {
        let reason = self.json().ok().and_then(|json| json.pointer("/error/data/reason").map(ToString::to_string));
        let reason = reason.map_or_else(String::new, |reason| format!(" ({reason})"));
        anyhow::ensure!(self.status == status, "the status should be {status}, and is {}{reason}", self.status);
        Ok(self)
    }

    #[cfg(test)]
    pub(super) fn of(status: u16, headers: &[(&'static str, &str)], body: &str) -> Self {
        let headers =
            headers.iter().map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap())).collect();
        Self { status: StatusCode::from_u16(status).unwrap(), headers, body: Bytes::from(body.to_owned()) }
    }
}

/// The data of the last event (WHATWG HTML section 9.2.6).
fn last_event(text: &str) -> Option<String> {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let event = |block: &str| {
        let data: Vec<_> = block
            .lines()
            .filter_map(|line| line.strip_prefix("data:"))
            .map(|data| data.strip_prefix(' ').unwrap_or(data))
            .collect();
        (!data.concat().is_empty()).then(|| data.join("\n"))
    };
    text.split("\n\n").filter_map(event).last()
}

#[cfg(test)]
mod tests {
    use super::Answer;

    #[test]
    fn the_answer_of_an_event_stream_is_its_last_message() {
        let stream =
            ": hello\n\nid: 0\ndata:\n\nevent: message\ndata: {\"a\":\ndata: 1}\n\nid: 2\r\ndata: {\"a\":2}\r\n\r\n";
        let answer = Answer::of(200, &[("content-type", "text/event-stream; charset=utf-8")], stream);
        assert_eq!(answer.json().unwrap(), serde_json::json!({ "a": 2 }));
        assert!(Answer::of(200, &[("content-type", "text/event-stream")], ": only a comment\n\n").json().is_err());
    }

    #[test]
    fn an_unexpected_status_is_named_with_tollwards_reason() {
        let answer = Answer::of(401, &[], r#"{"error":{"data":{"reason":"token_expired"}}}"#);
        let error = answer.expect(http::StatusCode::OK).err().unwrap().to_string();
        assert!(error.contains("401") && error.contains("token_expired"), "{error}");
    }
}
