//! Why a caller was not let in: one reason of the closed list, and a sentence that is the same for every token.

use super::nonce::Nonce;
use super::scheme::Scheme;
use super::sender_proof::SenderProof;
use std::time::Duration;
use tollward_policy::principal::Principal;
use tollward_policy::reason::Reason;

/// A refused caller. It never holds any part of what the caller sent, but verified claims.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// Why, from the closed list.
    pub reason: Reason,
    /// What exactly, in the characters of `error_description` (RFC 6750 §3: ASCII without quotes and backslashes).
    pub detail: &'static str,
    /// When trying again may help, if waiting is what helps.
    pub retry_after: Option<Duration>,
    /// How the token was shown, which is how the caller is answered.
    pub scheme: Scheme,
    /// The nonce for the caller's next proof, if it needs one.
    pub nonce: Option<Nonce>,
    /// What to change at the identity provider. It is for the audit record: callers are not told how a server is set up.
    pub advice: Option<&'static str>,
    /// Who it is, where a verified caller is kept out. For the audit record, never for the answer.
    pub denied: Option<Box<Denied>>,
}

/// A verified caller, and the entry of its provider's `deny` that keeps it out.
#[derive(Debug, Clone, PartialEq)]
pub struct Denied {
    /// The caller.
    pub principal: Principal,
    /// What it proved besides having the token.
    pub sender: SenderProof,
    /// The entry: the provider's name, a slash, the entry's name.
    pub entry: String,
}

impl Refusal {
    /// A refusal for a reason alone.
    pub const fn new(reason: Reason, detail: &'static str) -> Self {
        Self { reason, detail, retry_after: None, scheme: Scheme::Bearer, nonce: None, advice: None, denied: None }
    }

    /// With advice, unless there is some already.
    pub(super) fn advised(mut self, advice: Option<&'static str>) -> Self {
        self.advice = self.advice.or(advice);
        self
    }

    /// The issuer's keys are missing, which is our trouble and not the caller's: a good token must not be thrown away.
    pub(super) fn keys_unavailable(detail: &'static str, wait: Duration) -> Self {
        // A wait of zero seconds would make clients spin.
        let wait = wait.max(Duration::from_secs(1));
        Self { retry_after: Some(wait), ..Self::new(Reason::KeysUnavailable, detail) }
    }

    /// The kill switch. The caller is told no more than that a new token may help.
    pub(super) fn revoked(principal: Principal, sender: SenderProof, entry: String) -> Self {
        Self {
            denied: Some(Box::new(Denied { principal, sender, entry })),
            ..Self::new(Reason::TokenRevoked, "the access token has been revoked")
        }
    }
}
