//! Whether a call that is under way would still be let through: a change of configuration may have denied it, or its caller.
//!
//! Requests are judged once, when they come. What takes longer than a change of configuration (a stream, a slow tool) is
//! judged again by each new one, and ends if its caller is kept out or the rules would refuse it: a subscription by each resource in
//! it, a tool with the arguments that it was called with. What limits say is about the past and is not asked again.
//!
//! Costs: a subscription for each call; nothing is judged while nothing changes, and nobody is woken but by a change.

use super::authorize::judge;
use super::identify::kept_out;
use super::refuse::{refuse, size};
use super::understand::Understood;
use crate::audit::Trail;
use crate::authenticate::Withdrawn;
use crate::denial::respond;
use crate::envelope::Message;
use crate::snapshot::Route;
use crate::state::State;
use axum::body::Body;
use http::Response;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::watch::Receiver;
use tollward_policy::principal::Principal;
use tollward_policy::reason::Reason;
use tollward_policy::rules::Verdict;

/// Ends with the next configuration; never, if there will be none.
type News = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A caller with a call under way.
pub(super) struct Tenure {
    state: Arc<State>,
    route: Arc<Route>,
    principal: Principal,
    message: Arc<Message>,
    versions: Receiver<u64>,
    /// Present once somebody waits.
    news: Option<News>,
}

impl Tenure {
    /// Begins with what was judged by the configuration of that version, which may not be the newest any more.
    pub(super) fn new(state: &Arc<State>, understood: &Understood, judged_by: u64) -> Self {
        let Understood { route, principal, message, .. } = understood;
        let (route, principal, message) = (route.clone(), principal.clone(), message.clone());
        let mut versions = state.versions();
        if *versions.borrow() != judged_by {
            versions.mark_changed();
        }
        Self { state: state.clone(), route, principal, message, versions, news: None }
    }

    /// Whether the call is kept out by a configuration that came since the last look.
    pub(super) fn ended(&mut self) -> Option<Withdrawn> {
        // Without a source there will be no more, and what it brought last was seen.
        if !self.versions.has_changed().unwrap_or_default() {
            return None;
        }
        self.versions.mark_unchanged();
        let snapshot = self.state.last_good();
        let Some(route) = snapshot.route(&self.route.server.uid) else {
            return Some(Withdrawn { reason: Reason::RouteNotFound, entry: None });
        };
        let now = self.state.clock().unix_seconds();
        route.authenticator.withdrawn(&self.principal, now).or_else(|| self.refused(route, now))
    }

    /// Whether the rules would refuse the call now.
    fn refused(&self, route: &Route, now: i64) -> Option<Withdrawn> {
        let (_, verdict) = judge(route, &self.principal, &self.message, now);
        match verdict {
            Verdict::Allow(_) => None,
            Verdict::NoRule | Verdict::Deny(_) | Verdict::Hide(_) | Verdict::StepUp(..) | Verdict::Condition(..) => {
                Some(Withdrawn { reason: verdict.reason(), entry: None })
            }
        }
    }

    /// The configuration in force, whatever the call was judged by.
    pub(super) fn state(&self) -> &Arc<State> {
        &self.state
    }

    /// Like [`Self::ended`]; whoever polls is woken by the next configuration.
    pub(super) fn poll_ended(&mut self, context: &mut Context<'_>) -> Poll<Withdrawn> {
        loop {
            let news = self.news.get_or_insert_with(|| Box::pin(news(self.versions.clone())));
            if news.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            self.news = None;
            if let Some(withdrawn) = self.ended() {
                return Poll::Ready(withdrawn);
            }
        }
    }

    /// Returns once the call is kept out.
    pub(super) async fn end(&mut self) -> Withdrawn {
        std::future::poll_fn(|context| self.poll_ended(context)).await
    }

    /// Answers a call that never reached the MCP server.
    pub(super) fn refuse(&self, withdrawn: &Withdrawn, mut trail: Trail) -> Response<Body> {
        trail.withdraw(withdrawn);
        refuse(&kept_out(withdrawn.reason, &self.route), trail)
    }

    /// Answers a call that ended before its answer began, and may have reached the MCP server.
    pub(super) fn cut(&self, withdrawn: &Withdrawn, mut trail: Trail) -> Response<Body> {
        let response = respond(&kept_out(withdrawn.reason, &self.route), trail.id());
        trail.withdraw(withdrawn);
        trail.cut(response.status().as_u16(), size(&response));
        response
    }
}

async fn news(mut versions: Receiver<u64>) {
    if versions.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}
