//! Who calls.

use super::discovery::Asked;
use super::guess::{Attempt, GuessLimiter};
use crate::audit::Trail;
use crate::authenticate::{
    AUTHORIZATION_LIST, AUTHORIZATION_SCHEME, Authenticated, Presented, Refusal, Scheme, Schemes,
};
use crate::denial::{Challenge, Denial, status_of};
use crate::limiter::Standing;
use crate::snapshot::Route;
use http::{HeaderValue, StatusCode};
use std::time::Duration;
use tollward_policy::principal::Principal;
use tollward_policy::reason::Reason;

/// When to come back while something is missing that is ours to have.
const RETRY: Duration = Duration::from_secs(5);

/// A request of a known caller.
pub(super) struct Identified {
    pub(super) asked: Asked,
    pub(super) principal: Principal,
    /// The address that it is counted by.
    pub(super) address: String,
    /// How the limits of its address stand.
    pub(super) before: Vec<Standing>,
}

/// Verifies the token of this very request, and that it comes from whom the token is bound to. Sessions, addresses and
/// certificates never stand in for it. `next_nonce` is for the answer, whatever it will be.
pub(super) async fn identify(
    asked: Asked,
    guesses: &GuessLimiter,
    trail: &mut Trail,
    next_nonce: &mut Option<HeaderValue>,
) -> Result<Identified, Denial> {
    let (route, routed) = (&asked.route, &asked.routed);
    let mut attempt = guesses.attempt(routed.source.client, &route.limits, &route.limiter);
    let before = attempt.enter()?;
    let presented = Presented {
        headers: &routed.parts.headers,
        method: &routed.parts.method,
        certificate: routed.source.certificate,
    };
    let authenticated = route.authenticator.authenticate(presented, |effort| attempt.take(effort)).await;
    let Authenticated { principal, sender } = match authenticated {
        Ok(authenticated) => authenticated,
        Err(refusal) => {
            if let Some(denied) = &refusal.denied {
                trail.called_by(&denied.principal, &denied.sender, &route.recorded_claims);
                trail.denied_by(&denied.entry);
            }
            return Err(refused(&refusal, route, attempt).standings(before));
        }
    };
    let address = attempt.give_back();
    *next_nonce = sender.next_nonce().and_then(|nonce| HeaderValue::from_bytes(nonce.as_bytes()).ok());
    trail.called_by(&principal, &sender, &route.recorded_claims);
    Ok(Identified { asked, principal, address, before })
}

/// Only a bad token or proof is a failure or a guess: asking without one is how every client begins, so is a proof without a nonce, and
/// our own failures are not the caller's.
fn refused(refusal: &Refusal, route: &Route, attempt: Attempt) -> Denial {
    let denial = Denial::new(refusal.reason).detail(refusal.detail).advice(refusal.advice);
    if refusal.detail == AUTHORIZATION_LIST {
        // Two credentials in one request are a malformed request (RFC 6750 section 3.1), not a bad token.
        attempt.fail();
        return Denial::new(Reason::RequestMalformed).detail(refusal.detail);
    }
    if is_first_contact(refusal) || refusal.reason == Reason::ProofNonceRequired {
        attempt.give_back();
        return denial.challenge(challenge(refusal, route));
    }
    if matches!(refusal.reason, Reason::KeysUnavailable | Reason::IntrospectionUnavailable | Reason::ProofsExhausted) {
        attempt.give_back();
        return denial.retry_after(refusal.retry_after.unwrap_or(RETRY));
    }
    if refusal.reason == Reason::RateLimited {
        return match refusal.retry_after {
            Some(wait) => denial.retry_after(wait),
            None => denial,
        };
    }
    attempt.fail();
    if refusal.denied.is_some() {
        // The signature was good, so that it was no guess.
        attempt.give_back();
    }
    challenged(denial, challenge(refusal, route))
}

/// The refusal of a caller who was let in before.
pub(super) fn kept_out(reason: Reason, route: &Route) -> Denial {
    let challenge = Challenge::invalid_token(route.metadata_url(), &route.initial_scopes);
    let challenge = challenge.prefixed(route.scope_names.first_prefix());
    let detail = match status_of(&Denial::new(reason)) {
        StatusCode::UNAUTHORIZED => "the access token has been revoked",
        _ => "it is not permitted any more",
    };
    let denial = Denial::new(reason).detail(detail);
    challenged(denial, challenge.by(route.authenticator.schemes()))
}

/// A new token may help, unless this one is good.
fn challenged(denial: Denial, challenge: Challenge) -> Denial {
    if status_of(&denial) != StatusCode::UNAUTHORIZED {
        // Asking for another one would not help (and some clients would try for ever).
        return denial;
    }
    denial.challenge(challenge)
}

/// No token, or credentials that are none of ours.
fn is_first_contact(refusal: &Refusal) -> bool {
    refusal.reason == Reason::CredentialsMissing || refusal.detail == AUTHORIZATION_SCHEME
}

fn challenge(refusal: &Refusal, route: &Route) -> Challenge {
    let (url, initial) = (route.metadata_url(), &route.initial_scopes);
    let schemes = match refusal.scheme {
        Scheme::Bearer => route.authenticator.schemes(),
        // Whoever uses the scheme knows it, and clients look for the nonce in a challenge of DPoP alone.
        Scheme::Dpop => Schemes::Dpop,
    };
    let challenge = if is_first_contact(refusal) {
        Challenge::first_contact(url, initial)
    } else if refusal.reason == Reason::ProofNonceRequired {
        Challenge::nonce_required(url, initial)
    } else if matches!(refusal.reason, Reason::ProofInvalid | Reason::ProofReplayed) {
        Challenge::invalid_proof(url, initial)
    } else {
        Challenge::invalid_token(url, initial)
    };
    challenge.prefixed(route.scope_names.first_prefix()).by(schemes).nonce(refusal.nonce)
}
