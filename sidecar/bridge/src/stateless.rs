//! The one process that serves calls without a session: those of revision 2026-07-28, which have none, and with
//! `--session Shared` all.
//!
//! It is started when first needed and again, with growing waits, after it ended. What its revision is, is asked once.

use crate::message::Message;
use crate::peer::{Audience, Event, Peer};
use crate::refusal::Refusal;
use crate::starter::Starter;
use bytes::Bytes;
use serde_json::value::RawValue;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::OnceCell;

/// Time for the server to say whether it knows revision 2026-07-28, and to answer `initialize`.
const ANSWER: Duration = Duration::from_secs(30);
/// A process that lives that long did its work.
const SETTLED: Duration = Duration::from_mins(1);

/// The process, if it runs, and what is known of its program.
pub(crate) struct Stateless {
    starter: Arc<Starter>,
    live: tokio::sync::Mutex<Option<Arc<Live>>>,
    /// Whether the program knows revision 2026-07-28.
    modern: Mutex<Option<bool>>,
}

/// The process while it runs.
pub(crate) struct Live {
    pub(crate) peer: Peer,
    pub(crate) modern: bool,
    /// The server's answer to `initialize`, the same for every client.
    initialized: OnceCell<Box<RawValue>>,
}

impl Stateless {
    pub(crate) fn new(starter: Arc<Starter>) -> Self {
        Self { starter, live: tokio::sync::Mutex::default(), modern: Mutex::default() }
    }

    /// The running process; it is started if there is none.
    pub(crate) async fn live(&self) -> Result<Arc<Live>, Refusal> {
        let mut slot = self.live.lock().await;
        if let Some(live) = slot.as_ref().filter(|live| !*live.peer.process.ended().borrow()) {
            return Ok(live.clone());
        }
        *slot = None;
        let mut peer = self.start()?;
        let known = *self.modern.lock().unwrap_or_else(PoisonError::into_inner);
        let modern = if let Some(modern) = known {
            modern
        } else {
            let modern = knows_modern(&peer).await;
            // There are servers of before that end when anything comes before `initialize`.
            if *peer.process.ended().borrow() {
                peer = self.start()?;
            }
            *self.modern.lock().unwrap_or_else(PoisonError::into_inner) = Some(modern);
            modern
        };
        let live = Arc::new(Live { peer, modern, initialized: OnceCell::new() });
        *slot = Some(live.clone());
        self.watch(&live);
        Ok(live)
    }

    /// Ends the process.
    pub(crate) async fn end(&self) {
        if let Some(live) = self.live.lock().await.take() {
            live.peer.process.end().await;
        }
    }

    fn start(&self) -> Result<Peer, Refusal> {
        self.starter.start("stateless", Audience::Everybody)
    }

    /// Notes how long it lived.
    fn watch(&self, live: &Live) {
        let (starter, mut ended, since) = (self.starter.clone(), live.peer.process.ended(), Instant::now());
        tokio::spawn(async move {
            if tokio::time::timeout(SETTLED, ended.wait_for(|ended| *ended)).await.is_err() {
                starter.succeeded();
                let _ = ended.wait_for(|ended| *ended).await;
            }
            (starter.log)(&format!("[stateless] ended after {} s", since.elapsed().as_secs()));
            starter.failed();
        });
    }
}

impl Live {
    /// The server's answer to `initialize`, for a client with this id. The server is asked once, in the bridge's name and
    /// without any of a client's capabilities: it could not tell whom it asks.
    pub(crate) async fn initialize(&self, revision: &str, id: &str) -> Result<Bytes, Refusal> {
        let result = self.initialized.get_or_try_init(|| self.ask(revision)).await?;
        Ok(Bytes::from(format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{}}}"#, result.get())))
    }

    async fn ask(&self, revision: &str) -> Result<Box<RawValue>, Refusal> {
        let asked = serde_json::json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
            "protocolVersion": revision, "capabilities": {},
            "clientInfo": {"name": "tollward-bridge", "version": env!("CARGO_PKG_VERSION")},
        }});
        let (line, _) = ask(&self.peer, asked.to_string()).await.ok_or(Refusal::Ended)?;
        let result = result(&line).ok_or(Refusal::Ended)?;
        let told = Bytes::from_static(br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
        self.peer.tell(&Message::read(&told).ok_or(Refusal::Malformed)?).await?;
        Ok(result)
    }
}

fn result(line: &[u8]) -> Option<Box<RawValue>> {
    #[derive(serde::Deserialize)]
    struct Answered {
        result: Box<RawValue>,
    }
    serde_json::from_slice::<Answered>(line).ok().map(|answered| answered.result)
}

/// Asks the server with the method that every server of revision 2026-07-28 has, and none before it.
async fn knows_modern(peer: &Peer) -> bool {
    let asked = serde_json::json!({"jsonrpc": "2.0", "id": 0, "method": "server/discover", "params": {"_meta": {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "tollward-bridge", "version": env!("CARGO_PKG_VERSION")},
    }}});
    ask(peer, asked.to_string()).await.is_some_and(|(line, error)| error.is_none() && result(&line).is_some())
}

async fn ask(peer: &Peer, text: String) -> Option<(Bytes, Option<i64>)> {
    let message = Message::read(&Bytes::from(text))?;
    let answered = async {
        let mut call = peer.call(&message).await.ok()?;
        loop {
            match call.next().await? {
                Event::Said(_) => {}
                Event::Answer(line, error) => return Some((line, error)),
            }
        }
    };
    tokio::time::timeout(ANSWER, answered).await.ok().flatten()
}
