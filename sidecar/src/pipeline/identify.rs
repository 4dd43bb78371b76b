//! Who calls.

use super::discovery::Asked;
use super::guess::{Attempt, GuessLimiter};
use crate::audit::Trail;
use crate::authenticate::{AUTHORIZATION_LIST, AUTHORIZATION_SCHEME, Refusal};
use crate::denial::{Challenge, Denial};
use crate::snapshot::Route;
use std::time::Duration;
use tollward_policy::principal::Principal;
use tollward_policy::reason::Reason;

/// When to come back while an issuer's keys are missing.
const KEYS_RETRY: Duration = Duration::from_secs(5);

/// A request of a known caller.
pub(super) struct Identified {
    pub(super) asked: Asked,
    pub(super) principal: Principal,
}

/// Verifies the token of this very request. Sessions, addresses and certificates never stand in for it.
pub(super) async fn identify(asked: Asked, guesses: &GuessLimiter, trail: &mut Trail) -> Result<Identified, Denial> {
    let mut attempt = guesses.attempt(asked.routed.peer);
    let route = &asked.route;
    let principal = match route.authenticator.authenticate(&asked.routed.parts.headers, || attempt.take()).await {
        Ok(principal) => principal,
        Err(refusal) => {
            if let Some(denied) = &refusal.denied {
                trail.called_by(&denied.principal, &route.recorded_claims);
                trail.denied_by(&denied.entry);
            }
            return Err(refused(&refusal, route, attempt));
        }
    };
    attempt.give_back();
    trail.called_by(&principal, &route.recorded_claims);
    Ok(Identified { asked, principal })
}

/// Only a bad token is a guess: asking without one is how every client begins, and our own failures are not the caller's.
fn refused(refusal: &Refusal, route: &Route, attempt: Attempt) -> Denial {
    let (url, initial) = (route.metadata_url(), &route.initial_scopes);
    let denial = Denial::new(refusal.reason).detail(refusal.detail);
    if refusal.detail == AUTHORIZATION_LIST {
        // Two credentials in one request are a malformed request (RFC 6750 section 3.1), not a bad token.
        return Denial::new(Reason::RequestMalformed).detail(refusal.detail);
    }
    if refusal.reason == Reason::CredentialsMissing || refusal.detail == AUTHORIZATION_SCHEME {
        attempt.give_back();
        return denial.challenge(Challenge::first_contact(url, initial));
    }
    if refusal.reason == Reason::KeysUnavailable {
        attempt.give_back();
        return denial.retry_after(refusal.retry_after.unwrap_or(KEYS_RETRY));
    }
    if refusal.reason == Reason::RateLimited {
        return match refusal.retry_after {
            Some(wait) => denial.retry_after(wait),
            None => denial,
        };
    }
    if refusal.denied.is_some() {
        // The signature was good, so that it was no guess.
        attempt.give_back();
    }
    challenged(denial, route)
}

/// The refusal of a caller who was let in before.
pub(super) fn kept_out(reason: Reason, route: &Route) -> Denial {
    challenged(Denial::new(reason).detail("the access token has been revoked"), route)
}

/// A new token may help, unless this one is good.
fn challenged(denial: Denial, route: &Route) -> Denial {
    if matches!(denial.reason, Reason::ClientNotAllowed | Reason::RouteNotFound) {
        // Asking for another one would not help (and some clients would try for ever).
        return denial;
    }
    denial.challenge(Challenge::invalid_token(route.metadata_url(), &route.initial_scopes))
}
