//! The answer's body on its way out. It carries the audit record and closes it, whatever happens to the body.

use super::super::capacity::Place;
use super::super::forward::Answered;
use super::super::tenure::Tenure;
use crate::audit::{Ended, Trail};
use crate::authenticate::Withdrawn;
use crate::response::{EventIds, ListKind, Media, Observed, Observer, RpcOutcome, SseFilter, media};
use crate::session::Binding;
use crate::snapshot::Route;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tollward_policy::operation::{Method, Target};

/// True for what one caller may see.
pub(super) type Predicate = Box<dyn FnMut(ListKind, &Target) -> bool + Send>;

/// Filters the lists of a stream for one caller.
pub(super) type EventFilter = SseFilter<Predicate>;

/// Seals the ids of a stream's events for one caller.
pub(super) type SealedIds = EventIds<Box<dyn FnMut(&str) -> Option<String> + Send>>;

/// What is changed on the way.
pub(super) struct Filters {
    /// Comes first: the other one keeps whole events back.
    pub(super) ids: Option<SealedIds>,
    pub(super) lists: Option<EventFilter>,
}

/// Whose a task is that the answer may begin.
struct Beginner {
    route: Arc<Route>,
    owner: Binding,
    now: i64,
}

/// An answer broke off; the connection ends with it, so that the client can't take a part for the whole.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    /// The MCP server broke off.
    #[error("the MCP server broke off its answer")]
    Upstream(#[source] hyper::Error),
    /// The MCP server was silent for too long.
    #[error("the MCP server paused for too long")]
    Idle,
    /// The list could not be filtered.
    #[error("the MCP server's answer can't be filtered")]
    Filter,
    /// The caller is kept out.
    #[error("a new configuration keeps the call out")]
    Revoked,
}

/// What may end an answer early.
pub(super) struct Ending {
    idle: Option<Duration>,
    silence: Option<Pin<Box<Sleep>>>,
    expiry: Option<Pin<Box<Sleep>>>,
    draining: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    tenure: Tenure,
}

/// What ended an answer early.
enum Stop {
    Ended(Ended),
    Withdrawn(Withdrawn),
}

impl Ending {
    /// Each only if given.
    pub(super) fn new(
        idle: Option<Duration>,
        expires_in: Option<Duration>,
        draining: Option<CancellationToken>,
        tenure: Tenure,
    ) -> Self {
        Self {
            idle,
            silence: idle.map(|idle| Box::pin(sleep(idle))),
            expiry: expires_in.map(|left| Box::pin(sleep(left))),
            draining: draining.map(|token| Box::pin(token.cancelled_owned())),
            tenure,
        }
    }

    /// Ends a stream even while the MCP server has more to say.
    fn limit(&mut self, context: &mut Context<'_>) -> Poll<Stop> {
        if let Some(withdrawn) = self.tenure.ended() {
            return Poll::Ready(Stop::Withdrawn(withdrawn));
        }
        if let Some(expiry) = &mut self.expiry
            && expiry.as_mut().poll(context).is_ready()
        {
            return Poll::Ready(Stop::Ended(Ended::TokenExpired));
        }
        match &mut self.draining {
            Some(draining) => draining.as_mut().poll(context).map(|()| Stop::Ended(Ended::Draining)),
            None => Poll::Pending,
        }
    }

    /// While the MCP server is silent, nobody else would ask.
    fn withdrawn(&mut self, context: &mut Context<'_>) -> Poll<Stop> {
        self.tenure.poll_ended(context).map(Stop::Withdrawn)
    }

    /// Counts only while the MCP server is silent: a client that reads slowly is no pause of its.
    fn silence(&mut self, context: &mut Context<'_>) -> Poll<()> {
        match &mut self.silence {
            Some(silence) => silence.as_mut().poll(context),
            None => Poll::Pending,
        }
    }

    fn heard(&mut self) {
        if let (Some(silence), Some(idle)) = (&mut self.silence, self.idle) {
            silence.as_mut().reset(Instant::now() + idle);
        }
    }
}

/// A body that is passed on frame by frame.
pub(super) struct Forwarded {
    upstream: Incoming,
    filters: Filters,
    observer: Option<Observer>,
    /// Present if the call may begin a task.
    beginner: Option<Beginner>,
    ending: Ending,
    /// Whether a client may take an early end for the whole.
    is_stream: bool,
    trail: Option<Trail>,
    _place: Place,
}

impl Forwarded {
    /// Takes over the answer's body and record.
    pub(super) fn new(answered: Answered, trail: Trail, ending: Ending, filters: Filters) -> Self {
        let (parts, upstream) = answered.response.into_parts();
        let resumed = answered.charged.permitted.resumed;
        let (route, message) = (resumed.understood.route, resumed.understood.message);
        let beginner = may_begin_task(message.operation().method).then_some(Beginner {
            route,
            owner: resumed.binding,
            now: resumed.now,
        });
        let mut place = resumed.understood.place;
        // Arguments are a part of the body, and kept for when the rules change.
        if message.arguments().is_none() {
            place.release_body();
        }
        let media = media(&parts.headers);
        let (observer, is_stream) = (Some(Observer::new(media)), media == Media::EventStream);
        let trail = Some(trail);
        let mut body = Self { upstream, filters, observer, beginner, ending, is_stream, trail, _place: place };
        body.finish_if_whole();
        body
    }

    /// Nobody asks for more than the announced length, so that the last byte is the last chance to tell a whole answer
    /// from one whose client left.
    fn finish_if_whole(&mut self) {
        if self.upstream.is_end_stream() {
            self.finish(Ended::Complete);
        }
    }

    fn finish(&mut self, ended: Ended) {
        if let (Some(trail), Some(observer)) = (self.trail.take(), self.observer.take()) {
            trail.finish(&self.conclude(observer), ended);
        }
    }

    fn conclude(&self, observer: Observer) -> RpcOutcome {
        let Observed { outcome, task } = observer.conclude();
        self.remember(task.as_deref());
        outcome
    }

    /// Before the client learns of it, or it could ask for its task too early.
    fn remember(&self, task: Option<&str>) {
        if let (Some(Beginner { route, owner, now }), Some(task)) = (&self.beginner, task) {
            route.tasks.began(task, owner, *now);
        }
    }

    /// What goes out for what came in; `None` if the filter keeps it back for now.
    fn carry(&mut self, data: Bytes) -> Result<Option<Bytes>, Broken> {
        if let Some(observer) = &mut self.observer {
            observer.push(&data);
            let task = observer.take_task();
            self.remember(task.as_deref());
        }
        let data = match &mut self.filters.ids {
            Some(ids) => ids.push(&data),
            None => data,
        };
        let data = match &mut self.filters.lists {
            Some(filter) => filter.push(&data).map_err(|_| Broken::Filter)?,
            None => data,
        };
        if let Some(trail) = &mut self.trail {
            trail.sent(data.len());
        }
        Ok((!data.is_empty()).then_some(data))
    }

    /// Streams may end at any event; half a document must not look whole.
    fn stop(&mut self, stop: Stop) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match stop {
            Stop::Ended(ended) => {
                self.finish(ended);
                Poll::Ready(None)
            }
            Stop::Withdrawn(withdrawn) => {
                if let Some(trail) = &mut self.trail {
                    trail.withdraw(&withdrawn);
                }
                self.finish(Ended::Revoked);
                Poll::Ready((!self.is_stream).then_some(Err(Broken::Revoked)))
            }
        }
    }

    fn fail(&mut self, broken: Broken) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        self.finish(Ended::UpstreamBroke);
        Poll::Ready(Some(Err(broken)))
    }
}

/// A body that is dropped before its end was not wanted any more. A client that has read the response on a stream may
/// leave before the server ends the stream, which is no call cut short.
impl Drop for Forwarded {
    fn drop(&mut self) {
        if let (Some(trail), Some(observer)) = (self.trail.take(), self.observer.take()) {
            let outcome = self.conclude(observer);
            trail.finish(&outcome, if outcome.determined { Ended::Complete } else { Ended::ClientGone });
        }
    }
}

impl Body for Forwarded {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = self.get_mut();
        if this.trail.is_none() {
            return Poll::Ready(None);
        }
        if let Poll::Ready(stop) = this.ending.limit(context) {
            return this.stop(stop);
        }
        loop {
            match Pin::new(&mut this.upstream).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => {
                    this.ending.heard();
                    // Trailers have no place in MCP and would step around the list of headers.
                    let Ok(data) = frame.into_data() else { continue };
                    match this.carry(data) {
                        Ok(Some(data)) => {
                            this.finish_if_whole();
                            return Poll::Ready(Some(Ok(Frame::data(data))));
                        }
                        Ok(None) => {}
                        Err(broken) => return this.fail(broken),
                    }
                }
                Poll::Ready(Some(Err(error))) => return this.fail(Broken::Upstream(error)),
                Poll::Ready(None) => {
                    this.finish(Ended::Complete);
                    return Poll::Ready(None);
                }
                Poll::Pending => {
                    if let Poll::Ready(stop) = this.ending.withdrawn(context) {
                        return this.stop(stop);
                    }
                    return match this.ending.silence(context) {
                        Poll::Ready(()) => this.fail(Broken::Idle),
                        Poll::Pending => Poll::Pending,
                    };
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.trail.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let Filters { ids, lists } = &self.filters;
        if ids.is_some() || lists.is_some() { SizeHint::default() } else { self.upstream.size_hint() }
    }
}

/// Tasks begin with a tool's call, and its answer may come again on a stream that is resumed.
fn may_begin_task(method: Method) -> bool {
    matches!(method, Method::ToolsCall | Method::StreamOpen)
}

/// A body that is complete before it goes out.
pub(super) struct Whole {
    bytes: Option<Bytes>,
    outcome: RpcOutcome,
    trail: Option<Trail>,
    _place: Place,
}

/// A collected list with what it said.
pub(super) struct Collected {
    pub(super) bytes: Bytes,
    pub(super) outcome: RpcOutcome,
    pub(super) place: Place,
}

impl Whole {
    /// Takes over the bytes and the record.
    pub(super) fn new(collected: Collected, trail: Trail) -> Self {
        let Collected { bytes, outcome, place } = collected;
        Self { bytes: Some(bytes), outcome, trail: Some(trail), _place: place }
    }
}

impl Body for Whole {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = self.get_mut();
        let bytes = this.bytes.take();
        if let Some(mut trail) = this.trail.take() {
            trail.sent(bytes.as_ref().map_or(0, Bytes::len));
            trail.finish(&this.outcome, Ended::Complete);
        }
        Poll::Ready(bytes.filter(|bytes| !bytes.is_empty()).map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}
