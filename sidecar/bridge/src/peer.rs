//! A process as the one side of JSON-RPC: who waits for which answer, and to whom goes what the server says by itself.
//!
//! A process with a session has one client, whose ids it sees as they are. One without has many, whose ids may be equal: it sees
//! numbers of the bridge's, and nothing it says reaches anyone but through a call it belongs to.

use crate::message::{Kind, Message};
use crate::process::{Process, printable};
use crate::refusal::Refusal;
use bytes::Bytes;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, mpsc};

/// Messages that wait for a client that reads slowly.
const QUEUE: usize = 16;
/// Time for a process to take a message that finds its queue full.
const TAKE: Duration = Duration::from_secs(5);
/// Time for the only client of a process to take one.
const GIVE: Duration = Duration::from_secs(10);
/// Most calls of one process that wait for their answers.
const MAX_CALLS: usize = 1024;

/// What comes for a call or a stream.
#[derive(Debug)]
pub(crate) enum Event {
    /// Something before the answer.
    Said(Bytes),
    /// The answer, and the code if it is an error.
    Answer(Bytes, Option<i64>),
}

/// Whose a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    /// One client's.
    Session,
    /// Everybody's.
    Everybody,
}

/// A process and its calls.
pub(crate) struct Peer {
    pub(crate) process: Process,
    routes: Arc<Routes>,
    /// One of the processes that there may be.
    _permit: OwnedSemaphorePermit,
}

pub(crate) struct Routes {
    audience: Audience,
    input: mpsc::Sender<Bytes>,
    state: Mutex<State>,
}

struct State {
    calls: HashMap<String, Waiting>,
    stream: Option<mpsc::Sender<Event>>,
    /// Of the bridge's own ids.
    next: u64,
    used: Instant,
    ended: bool,
}

struct Waiting {
    events: mpsc::Sender<Event>,
    order: u64,
    progress: Option<String>,
    /// The client's id and progress token, as they are written.
    own: Option<(String, Option<String>)>,
}

/// A call that waits. Dropping it means that nobody waits any more.
pub(crate) struct Call {
    pub(crate) events: mpsc::Receiver<Event>,
    guard: Guard,
}

struct Guard {
    routes: Arc<Routes>,
    key: String,
}

impl Peer {
    /// Begins to sort what the process says.
    pub(crate) fn new(
        process: Process,
        lines: mpsc::Receiver<Bytes>,
        audience: Audience,
        permit: OwnedSemaphorePermit,
        unread: impl Fn(String) + Send + 'static,
    ) -> Self {
        let state = State { calls: HashMap::new(), stream: None, next: 1, used: Instant::now(), ended: false };
        let routes = Arc::new(Routes { audience, input: process.input(), state: Mutex::new(state) });
        tokio::spawn(routes.clone().sort(lines, unread));
        Self { process, routes, _permit: permit }
    }

    /// Sends a request.
    pub(crate) async fn call(&self, message: &Message) -> Result<Call, Refusal> {
        let (call, line) = self.routes.open(message)?;
        self.routes.put(line).await?;
        Ok(call)
    }

    /// Sends what has no answer.
    pub(crate) async fn tell(&self, message: &Message) -> Result<(), Refusal> {
        self.routes.put(message.line.clone()).await
    }

    /// What belongs to no call, from now on, until the next one asks for it.
    pub(crate) fn listen(&self) -> mpsc::Receiver<Event> {
        let (stream, events) = mpsc::channel(QUEUE);
        let mut state = self.routes.state();
        // An ended process has nothing to say: the stream ends at once.
        state.stream = (!state.ended).then_some(stream);
        events
    }

    /// How long nobody has wanted anything of it.
    pub(crate) fn idle(&self, now: Instant) -> Duration {
        let mut state = self.routes.state();
        if !state.calls.is_empty() || state.stream.as_ref().is_some_and(|stream| !stream.is_closed()) {
            state.used = now;
        }
        now.saturating_duration_since(state.used)
    }
}

impl Routes {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn put(&self, line: Bytes) -> Result<(), Refusal> {
        self.state().used = Instant::now();
        self.input.send_timeout(line, TAKE).await.map_err(|error| match error {
            mpsc::error::SendTimeoutError::Timeout(_) => Refusal::Busy,
            mpsc::error::SendTimeoutError::Closed(_) => Refusal::Ended,
        })
    }

    /// Notes who waits, and the line that asks for it.
    fn open(self: &Arc<Self>, message: &Message) -> Result<(Call, Bytes), Refusal> {
        let id = message.id.as_ref().ok_or(Refusal::Malformed)?;
        let mut state = self.state();
        if state.ended {
            return Err(Refusal::Ended);
        }
        if state.calls.len() >= MAX_CALLS {
            return Err(Refusal::Busy);
        }
        let order = state.next;
        state.next += 1;
        let ours = order.to_string();
        let (key, progress, own, line) = match self.audience {
            Audience::Session => {
                (id.key.clone(), message.progress.as_ref().map(|place| place.key.clone()), None, message.line.clone())
            }
            Audience::Everybody => {
                let own = |place| message.at(place).map(str::to_owned);
                let token = message.progress.as_ref().and_then(own);
                let places = [Some(id), message.progress.as_ref()].into_iter().flatten();
                let line = message.with(places.map(|place| (place, ours.as_str())).collect());
                let id = own(id).ok_or(Refusal::Malformed)?;
                (ours.clone(), token.is_some().then(|| ours.clone()), Some((id, token)), line)
            }
        };
        if state.calls.contains_key(&key) {
            return Err(Refusal::Duplicate);
        }
        let (sender, events) = mpsc::channel(QUEUE);
        state.calls.insert(key.clone(), Waiting { events: sender, order, progress, own });
        Ok((Call { events, guard: Guard { routes: self.clone(), key } }, line))
    }

    /// Sorts what the process says until it ended; then nobody waits any more.
    async fn sort(self: Arc<Self>, mut lines: mpsc::Receiver<Bytes>, unread: impl Fn(String) + Send) {
        while let Some(line) = lines.recv().await {
            match Message::read(&line) {
                None => unread(printable(line.get(..line.len().min(512)).unwrap_or_default())),
                Some(message) => match message.kind {
                    Kind::Response => self.answer(&message).await,
                    Kind::Request => self.asked(&message).await,
                    Kind::Notification => self.told(&message).await,
                },
            }
        }
        let mut state = self.state();
        state.ended = true;
        state.calls.clear();
        state.stream = None;
    }

    async fn answer(&self, message: &Message) {
        let Some(id) = &message.id else { return };
        let waiting = self.state().calls.remove(&id.key);
        let Some(waiting) = waiting else { return };
        let line = match &waiting.own {
            None => message.line.clone(),
            Some((own, _)) => {
                let subscription = message.subscription.as_ref();
                message
                    .with([Some(id), subscription].into_iter().flatten().map(|place| (place, own.as_str())).collect())
            }
        };
        let _ = self.give(&waiting.events, Event::Answer(line, message.error)).await;
    }

    /// The server asks the client. Without a session nobody is there to be asked.
    async fn asked(&self, message: &Message) {
        let listener = match self.audience {
            Audience::Session => self.listener(),
            Audience::Everybody => None,
        };
        if let Some(listener) = listener
            && self.give(&listener, Event::Said(message.line.clone())).await
        {
            return;
        }
        let id = message.id_text().unwrap_or("null");
        let answer = if message.method.as_deref() == Some("ping") {
            format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#)
        } else {
            format!(
                r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32601,"message":"no client can be asked here"}}}}"#
            )
        };
        // A process that does not read may miss it: waiting here would stop its answers.
        let _ = self.input.try_send(Bytes::from(answer));
    }

    async fn told(&self, message: &Message) {
        let (target, line) = {
            let state = self.state();
            match self.audience {
                Audience::Session => {
                    let token = message.progress.as_ref().map(|place| &place.key);
                    let call =
                        token.and_then(|token| state.calls.values().find(|call| call.progress.as_ref() == Some(token)));
                    (call.map(|call| call.events.clone()), message.line.clone())
                }
                Audience::Everybody => state.belonging(message),
            }
        };
        let target = target.or_else(|| (self.audience == Audience::Session).then(|| self.listener()).flatten());
        if let Some(target) = target {
            let _ = self.give(&target, Event::Said(line)).await;
        }
    }

    /// Where a client hears what belongs to no call: its stream, or else its latest call.
    fn listener(&self) -> Option<mpsc::Sender<Event>> {
        let state = self.state();
        let stream = state.stream.clone().filter(|stream| !stream.is_closed());
        stream.or_else(|| state.calls.values().max_by_key(|call| call.order).map(|call| call.events.clone()))
    }

    /// The only client of a process may hold it up for a while; one of many may not.
    async fn give(&self, to: &mpsc::Sender<Event>, event: Event) -> bool {
        match self.audience {
            Audience::Session => to.send_timeout(event, GIVE).await.is_ok(),
            Audience::Everybody => to.try_send(event).is_ok(),
        }
    }
}

impl State {
    /// The call that a notification belongs to, and the notification as that call knows itself.
    fn belonging(&self, message: &Message) -> (Option<mpsc::Sender<Event>>, Bytes) {
        let places = [message.progress.as_ref(), message.subscription.as_ref()];
        // A number given as a number may come back as a text.
        let found = places.into_iter().flatten().find_map(|place| self.calls.get(place.key.trim_matches('"')));
        let Some(Waiting { events, order: _, progress: _, own: Some((id, token)) }) = found else {
            return (None, Bytes::new());
        };
        let mut changes = Vec::new();
        if let (Some(place), Some(token)) = (&message.progress, token) {
            changes.push((place, token.as_str()));
        }
        if let Some(place) = &message.subscription {
            changes.push((place, id.as_str()));
        }
        (Some(events.clone()), message.with(changes))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let waited = self.routes.state().calls.remove(&self.key).is_some();
        // In a session the client says itself what it no longer wants, and a lost connection does not mean that.
        if waited && self.routes.audience == Audience::Everybody {
            let line = format!(
                r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{},"reason":"the client is gone"}}}}"#,
                self.key
            );
            let _ = self.routes.input.try_send(Bytes::from(line));
        }
    }
}

impl Call {
    /// The next event; `None` if the process ended.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        debug_assert!(!self.guard.key.is_empty(), "a call has an id");
        self.events.recv().await
    }
}
