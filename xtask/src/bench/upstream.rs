//! The bare MCP server: answers of fixed bytes as fast as a core can give them, so that what remains is the cost of what is
//! in front. It also serves the issuer's keys. A thread for each connection: nothing is fairer to a blocking exchange.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use anyhow::{Context as _, Result};
use serde_json::json;

use super::answer::{end_of_head, fields, number};
use super::message::STREAMING_TOOL;
use crate::say;

/// Bytes of an answer's JSON document.
const BODY: usize = 444;

/// Where the issuer's keys are.
pub(super) const KEYS: &str = "/keys";

/// What every good answer to a call contains.
pub(super) const MARK: &str = "Lisbon: 18 degrees";

/// Arguments of the server.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The issuer's keys, as a JSON Web Key Set
    #[arg(long)]
    keys: PathBuf,
}

/// The answers, made once.
#[derive(Debug)]
struct Answers {
    keys: Vec<u8>,
    document: Vec<u8>,
    events: Vec<u8>,
    sessions: AtomicU32,
}

/// Serves on a free port of loopback, which it prints first, until the process ends.
pub(super) fn run(args: &Args) -> Result<()> {
    let keys = fs::read(&args.keys).with_context(|| format!("cannot read {}", args.keys.display()))?;
    let answers = Arc::new(Answers::new(&keys));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("cannot listen on loopback")?;
    say::line(listener.local_addr().context("a listener without address")?);
    for stream in listener.incoming() {
        let (stream, answers) = (stream.context("cannot accept connections")?, Arc::clone(&answers));
        // A client that breaks off ends its own connection and nothing else.
        thread::spawn(move || answers.serve(stream));
    }
    Ok(())
}

impl Answers {
    fn new(keys: &[u8]) -> Self {
        let document = document();
        let progress = json!({"progressToken": 1, "progress": 1, "total": 2});
        let progress = json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": progress});
        let events = [progress.to_string(), document.clone()].map(|data| {
            let event = format!("event: message\ndata: {data}\n\n");
            format!("{:x}\r\n{event}\r\n", event.len())
        });
        let stream = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
        Self {
            keys: json_answer(keys, ""),
            document: json_answer(document.as_bytes(), ""),
            events: format!("{stream}{}0\r\n\r\n", events.concat()).into_bytes(),
            sessions: AtomicU32::new(1),
        }
    }

    /// Answers one request after the other until the connection ends.
    fn serve(&self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let (mut read, mut request) = ([0; 8192], Vec::with_capacity(8192));
        loop {
            request.clear();
            let head = loop {
                let count = stream.read(&mut read)?;
                if count == 0 {
                    return Ok(());
                }
                request.extend_from_slice(read.get(..count).unwrap_or_default());
                if let Some(head) = whole(&request) {
                    break head;
                }
            };
            self.answer(&mut stream, &request, head)?;
        }
    }

    fn answer(&self, stream: &mut TcpStream, request: &[u8], head: usize) -> io::Result<()> {
        if request.starts_with(b"GET ") {
            return stream.write_all(&self.keys);
        }
        let (_, body) = request.split_at_checked(head).unwrap_or_default();
        if contains(body, "\"method\":\"initialize\"") {
            let session = format!("mcp-session-id: session-{}\r\n", self.sessions.fetch_add(1, Ordering::Relaxed));
            stream.write_all(&json_answer(initialized().as_bytes(), &session))
        } else if contains(body, STREAMING_TOOL) {
            stream.write_all(&self.events)
        } else {
            stream.write_all(&self.document)
        }
    }
}

/// The end of the head, once the request is there with its body.
fn whole(request: &[u8]) -> Option<usize> {
    let end = end_of_head(request)?;
    let length = fields(request.get(..end)?).find(|(name, _)| name.eq_ignore_ascii_case(b"content-length"));
    let length = length.and_then(|(_, value)| number(value)).unwrap_or(0);
    (request.len() >= end + length).then_some(end)
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

fn json_answer(body: &[u8], header: &str) -> Vec<u8> {
    let length = body.len();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{header}content-length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

/// The answer to every call: all of them have the id 1.
fn document() -> String {
    let text = |forecast: &str| {
        let content = json!([{"type": "text", "text": format!("{MARK}, clear sky.{forecast}")}]);
        let weather = json!({"city": "Lisbon", "degrees": 18, "sky": "clear", "humidity": 64});
        let result = json!({"content": content, "structuredContent": weather, "isError": false});
        json!({"jsonrpc": "2.0", "id": 1, "result": result}).to_string()
    };
    let room = BODY.saturating_sub(text("").len());
    text(&" Tomorrow the same.".chars().cycle().take(room).collect::<String>())
}

fn initialized() -> String {
    let server = json!({"name": "bench", "version": "1"});
    let result = json!({"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": server});
    json!({"jsonrpc": "2.0", "id": 1, "result": result}).to_string()
}

#[cfg(test)]
mod tests {
    use super::super::answer::Connection;
    use super::super::message;
    use super::*;

    #[test]
    fn calls_are_answered_by_a_document_or_by_events_and_sessions_begin_with_initialize() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        thread::spawn(move || Answers::new(b"{}").serve(listener.accept().expect("a client").0));
        let mut connection = Connection::open(address).expect("it listens");
        let plain = connection.exchange(&message::modern(message::TOOL, None)).expect("an answer");
        assert_eq!(plain.header("content-length").as_deref(), Some("444"));
        assert!(plain.has(MARK));
        let events = connection.exchange(&message::modern(STREAMING_TOOL, None)).expect("an answer");
        assert_eq!(events.header("content-type").as_deref(), Some("text/event-stream"));
        assert!(events.has("notifications/progress") && events.has(MARK));
        let begun = connection.exchange(&message::initialize("t")).expect("an answer");
        assert_eq!(begun.header("mcp-session-id").as_deref(), Some("session-1"));
    }
}
