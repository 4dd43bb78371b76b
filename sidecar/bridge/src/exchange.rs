//! One HTTP request: to which process it goes, and how what comes back is told.

use crate::answer::{Answer, empty, event, event_stream, json};
use crate::bridge::Bridge;
use crate::message::{Kind, Message};
use crate::peer::{Call, Event};
use crate::refusal::Refusal;
use crate::settings::SessionMode;
use futures_util::stream;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, LengthLimitError, Limited, StreamBody};
use hyper::body::Incoming;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Where the id of a session stands.
const SESSION_ID: &str = "mcp-session-id";
const REVISION: &str = "mcp-protocol-version";
/// What is asked for where a client names no revision.
const LATEST_WITH_SESSIONS: &str = "2025-11-25";

/// Answers one request.
pub(crate) async fn exchange(bridge: Arc<Bridge>, request: Request<Incoming>) -> Answer {
    let (head, body) = request.into_parts();
    let session = session_id(&head.headers);
    let answered = match (&head.method, bridge.settings.mode) {
        (&Method::POST, _) => post(&bridge, &head.headers, session, body).await,
        (&Method::GET, SessionMode::PerSession) => listen(&bridge, session),
        (&Method::DELETE, SessionMode::PerSession) => {
            session.ok_or(Refusal::SessionMissing).and_then(|id| bridge.end_session(id)).map(|()| empty(StatusCode::OK))
        }
        _ => Err(Refusal::Method),
    };
    answered.unwrap_or_else(|refusal| refusal.answer(None))
}

fn session_id(headers: &HeaderMap) -> Option<&str> {
    headers.get(SESSION_ID)?.to_str().ok()
}

async fn post(
    bridge: &Arc<Bridge>,
    headers: &HeaderMap,
    session: Option<&str>,
    body: Incoming,
) -> Result<Answer, Refusal> {
    let message = read(body, bridge.settings.launch.max_message_bytes).await?;
    let id = message.id_text().map(str::to_owned);
    let answered = if message.revision.is_some() {
        modern(bridge, &message).await
    } else {
        match bridge.settings.mode {
            SessionMode::PerSession => in_session(bridge, session, &message).await,
            SessionMode::Shared => shared(bridge, headers, &message).await,
        }
    };
    // What the client is told of a request has the request's id.
    answered.or_else(|refusal| Ok(refusal.answer(id.as_deref().filter(|_| message.kind == Kind::Request))))
}

async fn read(body: Incoming, limit: usize) -> Result<Message, Refusal> {
    let body = Limited::new(body, limit)
        .collect()
        .await
        .map_err(|error| if error.is::<LengthLimitError>() { Refusal::TooLarge } else { Refusal::Malformed })?;
    Message::read(&body.to_bytes()).ok_or(Refusal::Malformed)
}

/// Revision 2026-07-28: no session, so that any process would do; there is one.
async fn modern(bridge: &Bridge, message: &Message) -> Result<Answer, Refusal> {
    if message.kind != Kind::Request {
        return Ok(empty(StatusCode::ACCEPTED));
    }
    let live = bridge.stateless.live().await?;
    if !live.modern {
        return Err(Refusal::Era(message.revision.clone().unwrap_or_default()));
    }
    let call = live.peer.call(message).await?;
    Ok(answer(call, message, live).await)
}

async fn in_session(bridge: &Arc<Bridge>, session: Option<&str>, message: &Message) -> Result<Answer, Refusal> {
    let Some(session) = session else {
        return if message.kind == Kind::Request && message.method.as_deref() == Some("initialize") {
            initialize(bridge, message).await
        } else {
            Err(Refusal::SessionMissing)
        };
    };
    let peer = bridge.session(session)?;
    match message.kind {
        Kind::Request => {
            let call = peer.call(message).await?;
            Ok(answer(call, message, peer).await)
        }
        Kind::Notification | Kind::Response => peer.tell(message).await.map(|()| empty(StatusCode::ACCEPTED)),
    }
}

/// Starts a process. There is a session only if it answers with a result.
async fn initialize(bridge: &Arc<Bridge>, message: &Message) -> Result<Answer, Refusal> {
    let (id, peer) = bridge.begin()?;
    let mut call = peer.call(message).await?;
    let answered = loop {
        match call.next().await {
            // A server may log while it starts; nobody listens yet.
            Some(Event::Said(_)) => {}
            Some(Event::Answer(line, error)) => break Some((line, error)),
            None => break None,
        }
    };
    let Some((line, error)) = answered else {
        bridge.failed();
        return Err(Refusal::Ended);
    };
    let mut answer = json(StatusCode::OK, line);
    if error.is_none() {
        let header = HeaderValue::from_str(&id).map_err(|_| Refusal::Start)?;
        answer.headers_mut().insert(SESSION_ID, header);
        bridge.keep(id, peer);
    }
    Ok(answer)
}

/// The revisions with sessions without one: the process has one client, the bridge.
async fn shared(bridge: &Bridge, headers: &HeaderMap, message: &Message) -> Result<Answer, Refusal> {
    if message.kind != Kind::Request {
        // An id in it would be one of many clients', and what it says is for one.
        return Ok(empty(StatusCode::ACCEPTED));
    }
    let live = bridge.stateless.live().await?;
    let named = headers.get(REVISION).and_then(|value| value.to_str().ok());
    let asked = message.method.as_deref() == Some("initialize");
    let revision = if asked { requested(message) } else { named.map(str::to_owned) };
    let revision = revision.unwrap_or_else(|| LATEST_WITH_SESSIONS.to_owned());
    let initialized = live.initialize(&revision, message.id_text().unwrap_or("null")).await?;
    if asked {
        return Ok(json(StatusCode::OK, initialized));
    }
    let call = live.peer.call(message).await?;
    Ok(answer(call, message, live).await)
}

/// The revision that an `initialize` asks for.
fn requested(message: &Message) -> Option<String> {
    let value: serde_json::Value = serde_json::from_slice(&message.line).ok()?;
    value.pointer("/params/protocolVersion")?.as_str().map(str::to_owned)
}

fn listen(bridge: &Bridge, session: Option<&str>) -> Result<Answer, Refusal> {
    let peer = bridge.session(session.ok_or(Refusal::SessionMissing)?)?;
    let events = peer.listen();
    let frames = stream::unfold(events, |mut events: mpsc::Receiver<Event>| async move {
        let (Event::Said(line) | Event::Answer(line, _)) = events.recv().await?;
        Some((Ok(event(&line)), events))
    });
    Ok(event_stream(UnsyncBoxBody::new(StreamBody::new(frames))))
}

/// One JSON document, or events if the server says something before it answers. The process lives at least as long as `owner`.
async fn answer<O: Send + Sync + 'static>(mut call: Call, message: &Message, owner: Arc<O>) -> Answer {
    let id = message.id_text().map(str::to_owned);
    match call.next().await {
        None => Refusal::Ended.answer(id.as_deref()),
        Some(Event::Answer(line, error)) => json(status(message, error), line),
        Some(Event::Said(first)) => {
            let state = Some((call, owner, id));
            let rest = stream::unfold(state, |state| async move {
                let (mut call, owner, id) = state?;
                match call.next().await {
                    Some(Event::Said(line)) => Some((Ok(event(&line)), Some((call, owner, id)))),
                    Some(Event::Answer(line, _)) => Some((Ok(event(&line)), None)),
                    None => Some((Ok(event(&Refusal::Ended.message(id.as_deref()))), None)),
                }
            });
            let first = stream::once(std::future::ready(Ok(event(&first))));
            event_stream(UnsyncBoxBody::new(StreamBody::new(futures_util::StreamExt::chain(first, rest))))
        }
    }
}

/// Revision 2026-07-28 gives some errors a status of their own.
fn status(message: &Message, error: Option<i64>) -> StatusCode {
    match (message.revision.is_some(), error) {
        (true, Some(-32601)) => StatusCode::NOT_FOUND,
        (true, Some(-32022..=-32020)) => StatusCode::BAD_REQUEST,
        (true | false, _) => StatusCode::OK,
    }
}
