//! The one way of a request through Tollward.
//!
//! Flow: admit -> route -> origin -> discovery -> identify (with the limits of addresses) -> understand -> resume
//! -> authorize -> charge -> assume -> forward -> deliver. Each stage's output has private fields and is the only input of the
//! next, so that no stage can be left out.
//!
//! Guarantees: every request, whatever its method, revision, media type and HTTP version, passes here. A refused request
//! never reaches the upstream. Exactly one audit record ends every request, also when the client vanishes.

mod admit;
mod assume;
mod authorize;
mod capacity;
mod charge;
mod cors;
mod deliver;
mod discovery;
mod forward;
mod guess;
mod identify;
mod leftover;
mod occupy;
mod origin;
mod passed_on;
mod refuse;
mod resume;
mod route;
mod tenure;
mod understand;

pub use capacity::Capacity;
pub use forward::{UpstreamClient, client};
pub use guess::GuessLimiter;

pub(crate) use assume::repeats_token;
pub(crate) use authorize::{facts, judge};

use crate::audit::{Auditor, Trail};
use crate::denial::{DPOP_NONCE, Denial};
use crate::listen::{Peer, Proxies};
use crate::source::Source;
use crate::state::State;
use assume::Assumed;
use axum::body::Body;
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response};
use hyper::body::Incoming;
use leftover::Leftover;
use refuse::{refuse, refuse_head, size};
use std::sync::Arc;
use tenure::Tenure;
use tokio_util::sync::CancellationToken;
use tollward_policy::reason::Reason;

/// What the pipeline works with, for the life of the process.
pub struct Pipeline {
    /// The configuration in force.
    pub state: Arc<State>,
    /// Opens audit records.
    pub auditor: Arc<Auditor>,
    /// Opens spans.
    pub tracing: crate::trace::Tracing,
    /// Dials MCP servers.
    pub upstream: UpstreamClient,
    /// Proxies in front whose word counts.
    pub proxies: Arc<Proxies>,
    /// Bounds failed authentications by address.
    pub guesses: GuessLimiter,
    /// Bounds requests in flight and their bodies.
    pub capacity: Capacity,
    /// Cancelled when the process is to end: long-lived streams end then.
    pub draining: CancellationToken,
}

/// What stages add to the answer, whoever gives it.
#[derive(Default)]
struct Additions {
    /// The page that may read it.
    cross_origin: Option<HeaderValue>,
    /// For the client's next proof.
    nonce: Option<HeaderValue>,
}

/// What the stages before forwarding came to.
enum Judged {
    /// An answer of our own.
    Local(Response<Body>),
    /// A call that may pass, and the version of the configuration that says so.
    Call(Box<Assumed>, u64),
}

impl Pipeline {
    /// Answers a request.
    pub async fn serve(&self, request: Request<Incoming>, peer: Arc<Peer>) -> Response<Body> {
        let (parts, mut body) = request.into_parts();
        let (leftover, is_head) = (Leftover::of(&parts), parts.method == Method::HEAD);
        let traced = self.tracing.begin(&parts.headers);
        let source = Source::of(&peer, &parts.headers, &self.proxies);
        let mut trail = self.auditor.begin(&parts, &source, traced.own.clone());
        let mut additions = Additions::default();
        let judged = self.judge(parts, &mut body, source, &mut trail, &mut additions).await;
        let mut response = match judged {
            Ok(Judged::Local(response)) => {
                trail.answer(response.status().as_u16(), size(&response));
                response
            }
            Ok(Judged::Call(call, version)) => self.pass(*call, version, trail, &traced.inbound).await,
            Err(denial) if is_head => refuse_head(&denial, trail),
            Err(denial) => refuse(&denial, trail),
        };
        cors::expose(&mut response, additions.cross_origin);
        if let Some(nonce) = additions.nonce {
            response.headers_mut().insert(DPOP_NONCE, nonce);
        }
        leftover.settle(&mut body, &mut response).await;
        response
    }

    /// The stages that decide.
    async fn judge(
        &self,
        parts: Parts,
        body: &mut Incoming,
        source: Source,
        trail: &mut Trail,
        additions: &mut Additions,
    ) -> Result<Judged, Denial> {
        let snapshot = self.state.current()?;
        let version = snapshot.version;
        let admitted = admit::admit(parts, body, source, snapshot)?;
        let routed = route::route(admitted, trail)?;
        let reached = origin::check(routed, &mut additions.cross_origin)?;
        let asked = match discovery::answer(reached)? {
            discovery::Found::Answer(response) => return Ok(Judged::Local(response)),
            discovery::Found::Call(call) => call,
        };
        let identified = identify::identify(asked, &self.guesses, trail, &mut additions.nonce).await?;
        let understood = understand::understand(identified, body, &self.capacity, trail).await?;
        let resumed = resume::resume(understood, self.state.clock())?;
        let permitted = authorize::authorize(resumed)?;
        let charged = charge::charge(permitted).await?;
        Ok(Judged::Call(Box::new(assume::assume(charged, trail).await?), version))
    }

    /// The stages that act.
    async fn pass(
        &self,
        call: Assumed,
        version: u64,
        mut trail: Trail,
        inbound: &tollward_telemetry::Inbound,
    ) -> Response<Body> {
        let understood = &call.charged.permitted.resumed.understood;
        let mut tenure = Tenure::new(&self.state, understood, version);
        if let Some(withdrawn) = tenure.ended() {
            return tenure.refuse(&withdrawn, trail);
        }
        if let Err(error) = trail.intend(call.charged.rule(), call.charged.standings()) {
            tracing::error!(%error, "a call was refused since its audit record can't be stored");
            return refuse(&Denial::new(Reason::AuditUnavailable).id(call.charged.request_id()), trail);
        }
        let headers = self.tracing.upstream_headers(inbound, trail.span());
        let answered = tokio::select! {
            biased;
            withdrawn = tenure.end() => return tenure.cut(&withdrawn, trail),
            answered = forward::forward(call, &self.upstream, headers) => answered,
        };
        match answered {
            Ok(answered) => deliver::deliver(answered, trail, &self.draining, tenure).await,
            Err(denial) => refuse(&denial, trail),
        }
    }
}
