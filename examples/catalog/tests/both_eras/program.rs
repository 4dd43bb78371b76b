//! The `catalog` program as a child process, and a small raw HTTP client for it.
//!
//! It owns starting, stopping and framing; what is asked and expected is the tests' business.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

/// Longest wait for anything the program does.
const DEADLINE: Duration = Duration::from_secs(30);

/// A running program; dropping it kills it.
pub(crate) struct Program {
    child: Child,
    output: Option<BufReader<ChildStdout>>,
    url: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// A whole answer.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Program {
    /// Starts the program on a free port and waits until it says where it listens.
    pub(crate) fn start() -> Self {
        Self::start_allowing("")
    }

    /// The same, with a value for `ALLOWED_HOSTS`.
    pub(crate) fn start_allowing(hosts: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_catalog"))
            .env("HOST", "127.0.0.1")
            .env("PORT", "0")
            .env("ALLOWED_HOSTS", hosts)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut output = BufReader::new(child.stdout.take().expect("piped output"));
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            let _ = output.read_line(&mut line);
            let _ = sender.send((line, output));
        });
        let (line, output) = receiver.recv_timeout(DEADLINE).expect("the program says where it listens");
        let url = line.trim_end().strip_prefix("listening on ").expect("the line is in the promised form").to_owned();
        Self { child, output: Some(output), url, client: Client::builder(TokioExecutor::new()).build_http() }
    }

    /// Posts one JSON-RPC message and reads the whole answer.
    pub(crate) async fn post(&self, headers: &[(&str, &str)], message: &Value) -> Answer {
        let response = self.send(Method::POST, headers, message.to_string()).await;
        let (parts, body) = response.into_parts();
        let body = tokio::time::timeout(DEADLINE, body.collect()).await.expect("in time").expect("a whole body");
        let body = String::from_utf8(body.to_bytes().to_vec()).expect("UTF-8");
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// Opens the event stream of a legacy session and leaves it open for as long as the response lives.
    pub(crate) async fn open_stream(&self, headers: &[(&str, &str)]) -> Response<Incoming> {
        self.send(Method::GET, headers, String::new()).await
    }

    async fn send(&self, method: Method, headers: &[(&str, &str)], body: String) -> Response<Incoming> {
        let mut request = Request::builder()
            .method(method)
            .uri(&self.url)
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::from(body)).expect("a valid request");
        tokio::time::timeout(DEADLINE, self.client.request(request)).await.expect("in time").expect("an answer")
    }

    /// Sends SIGTERM and waits for the end.
    pub(crate) async fn terminate(mut self) -> ExitStatus {
        let process = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &process]).status().expect("kill runs");
        assert!(sent.success());
        // The end of the program is the end of its output; only then does `wait` not block.
        let mut output = self.output.take().expect("piped output");
        let end = tokio::task::spawn_blocking(move || output.read_to_end(&mut Vec::new()));
        tokio::time::timeout(DEADLINE, end).await.expect("it ends in time").expect("joined").expect("readable output");
        self.child.wait().expect("an exit status")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Both fail only if the program has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Answer {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        self.headers.get(name).map(|value| value.to_str().expect("ASCII").to_owned())
    }

    /// The JSON-RPC message: the body, or the last event with data if the body is an event stream.
    pub(crate) fn message(&self) -> Value {
        let is_stream = self.header("content-type").is_some_and(|kind| kind.starts_with("text/event-stream"));
        let text = if is_stream {
            let data = self.body.lines().filter_map(|line| line.strip_prefix("data:"));
            data.map(str::trim).rfind(|data| !data.is_empty()).expect("an event with data")
        } else {
            &self.body
        };
        serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {:?}", self.body))
    }
}
