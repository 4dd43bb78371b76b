//! Whether a token came from the one it is bound to: by a DPoP proof (RFC 9449), by the client certificate of the connection
//! (RFC 8705), or both if the token says so.
//!
//! # Guarantees
//! - There is no caller without a [`SenderProof`], and only [`SenderPolicy::judge`] makes one.
//! - Every binding of a token is proven for every request, or the request is refused: a bound token is never taken for one
//!   that is not, whatever the scheme, the route's mode and what is remembered of the token.
//! - The token itself is verified before; of a proof everything that costs nothing is judged before its signature.

use super::confirmation::Confirmation;
use super::nonce::{Nonce, Nonces};
use super::own_url::OwnUrls;
use super::proof::{Proof, ProvenKey};
use super::refusal::Refusal;
use super::replay::{Holder, ProofMemory};
use super::scheme::{Scheme, Schemes};
use super::sender_proof::SenderProof;
use crate::session::SessionKeys;
use crate::thumbprint::Thumbprint;
use http::{HeaderMap, Method};
use serde_json::{Map, Value};
use std::sync::Arc;
use tollward_policy::config::{DpopConfig, ProofNonce, SenderConstraintConfig, SenderConstraintMode};
use tollward_policy::endpoint::Endpoint;
use tollward_policy::reason::Reason;

/// What a request shows of its caller, besides the token.
#[derive(Debug, Clone, Copy)]
pub struct Presented<'r> {
    /// Its headers.
    pub headers: &'r HeaderMap,
    /// Its method.
    pub method: &'r Method,
    /// The client certificate of its connection, whose key the client has.
    pub certificate: Option<Thumbprint>,
}

/// The server that callers address, as far as proofs are about it.
pub struct Addressed<'s> {
    /// Its public URL.
    pub endpoint: &'s Endpoint,
    /// Further hosts under which clients may connect.
    pub hosts: &'s [String],
    /// Its unique id.
    pub server: &'s str,
    /// Keys that its replicas share.
    pub keys: &'s SessionKeys,
    /// The proofs that were used.
    pub proofs: &'s Arc<ProofMemory>,
}

/// What a route accepts and demands.
pub(super) struct SenderPolicy {
    required: bool,
    proofs: Option<Proofs>,
    certificates: bool,
}

struct Proofs {
    urls: OwnUrls,
    window: i64,
    nonce: ProofNonce,
    nonces: Nonces,
    memory: Arc<ProofMemory>,
}

/// A verified token as it was shown.
pub(super) struct Shown<'r> {
    pub(super) scheme: Scheme,
    /// Whose it is.
    pub(super) holder: Holder<'r>,
    /// SHA-256 of its text.
    pub(super) token: Thumbprint,
    pub(super) presented: Presented<'r>,
    pub(super) now: i64,
}

impl SenderPolicy {
    /// Of a route's configuration. Without one, bound tokens are refused, since nobody could check them.
    pub(super) fn new(config: Option<&SenderConstraintConfig>, addressed: &Addressed<'_>) -> Self {
        let Some(SenderConstraintConfig { mode, dpop, mutual_tls }) = config else {
            return Self { required: false, proofs: None, certificates: false };
        };
        let required = match mode {
            SenderConstraintMode::Optional => false,
            SenderConstraintMode::Required => true,
        };
        let proofs = dpop.as_ref().map(|DpopConfig { nonce, proof_max_age_seconds }| Proofs {
            urls: OwnUrls::new(addressed.endpoint, addressed.hosts),
            window: i64::from(*proof_max_age_seconds),
            nonce: *nonce,
            nonces: Nonces::new(addressed.keys, addressed.server),
            memory: Arc::clone(addressed.proofs),
        });
        Self { required, proofs, certificates: *mutual_tls }
    }

    /// Whether the scheme DPoP is accepted.
    pub(super) const fn accepts_proofs(&self) -> bool {
        self.proofs.is_some()
    }

    /// Whether tokens may be bound to client certificates.
    pub(super) const fn accepts_certificates(&self) -> bool {
        self.certificates
    }

    /// By which schemes a token can pass. A token that is bound to a certificate alone is a Bearer token.
    pub(super) const fn schemes(&self) -> Schemes {
        match (&self.proofs, self.required, self.certificates) {
            (None, _, _) => Schemes::Bearer,
            (Some(_), true, false) => Schemes::Dpop,
            (Some(_), false, _) | (Some(_), true, true) => Schemes::Both,
        }
    }

    /// Why a token with these verified claims could not pass, however it is sent.
    pub(super) fn refuses_binding(&self, claims: &Map<String, Value>) -> Option<Reason> {
        match Confirmation::read(claims) {
            Ok(None) => self.required.then_some(Reason::TokenNotBound),
            Ok(Some(Confirmation { key, certificate })) => {
                let checks_all =
                    (key.is_none() || self.proofs.is_some()) && (certificate.is_none() || self.certificates);
                (!checks_all).then_some(Reason::TokenBindingRefused)
            }
            Err(refusal) => Some(refusal.reason),
        }
    }

    /// Judges who sent a token that is bound like this. `known` is what is known of its key; `admit` is asked before the
    /// signature of a proof is verified.
    pub(super) fn judge(
        &self,
        bound: Option<&Confirmation>,
        known: &ProvenKey,
        shown: &Shown<'_>,
        admit: impl FnMut() -> Result<(), Refusal>,
    ) -> Result<SenderProof, Refusal> {
        let Some(Confirmation { key, certificate }) = bound else {
            return self.judge_unbound(shown.scheme);
        };
        if let Some(expected) = certificate {
            self.check_certificate(expected, shown.presented.certificate)?;
        }
        let next_nonce = match (key, shown.scheme) {
            (Some(key), Scheme::Dpop) => self.check_proof(key, known, shown, admit)?,
            (Some(_), Scheme::Bearer) => {
                return Err(Refusal::new(
                    Reason::TokenBindingRefused,
                    "the access token is bound to a key, so it can not be used as a plain Bearer token",
                ));
            }
            (None, Scheme::Dpop) => return Err(UNBOUND_PROOF),
            (None, Scheme::Bearer) => None,
        };
        Ok(SenderProof { key: *key, certificate: *certificate, next_nonce })
    }

    fn judge_unbound(&self, scheme: Scheme) -> Result<SenderProof, Refusal> {
        match scheme {
            Scheme::Dpop => Err(UNBOUND_PROOF),
            Scheme::Bearer if self.required => Err(Refusal::new(
                Reason::TokenNotBound,
                "this server accepts only access tokens that are bound to their sender",
            )),
            Scheme::Bearer => Ok(SenderProof::NONE),
        }
    }

    fn check_certificate(&self, expected: &Thumbprint, shown: Option<Thumbprint>) -> Result<(), Refusal> {
        let refused = |detail| Err(Refusal::new(Reason::TokenBindingRefused, detail));
        match shown {
            _ if !self.certificates => {
                refused("the access token is bound to a client certificate, which this server does not ask for")
            }
            None => refused("the access token is bound to a client certificate, and the connection has none"),
            Some(shown) if shown != *expected => {
                refused("the access token is bound to another client certificate than that of the connection")
            }
            Some(_) => Ok(()),
        }
    }

    fn check_proof(
        &self,
        key: &Thumbprint,
        known: &ProvenKey,
        shown: &Shown<'_>,
        admit: impl FnMut() -> Result<(), Refusal>,
    ) -> Result<Option<Nonce>, Refusal> {
        // The scheme is not even read where proofs are not accepted.
        let proofs = self.proofs.as_ref().ok_or(UNBOUND_PROOF)?;
        proofs.check(key, known, shown, admit).map_err(|refusal| proofs.with_nonce(refusal, shown.now))
    }
}

impl Proofs {
    fn check(
        &self,
        key: &Thumbprint,
        known: &ProvenKey,
        shown: &Shown<'_>,
        mut admit: impl FnMut() -> Result<(), Refusal>,
    ) -> Result<Option<Nonce>, Refusal> {
        let Shown { scheme: _, holder, token, presented, now } = shown;
        let proof = Proof::read(presented.headers)?;
        proof.check_request(presented.method, |url| self.urls.contains(url), token)?;
        let until = proof.check_time(*now, self.window)?;
        proof.check_key(key)?;
        let next_nonce = self.check_nonce(&proof, *now)?;
        admit()?;
        proof.verify(known)?;
        self.memory.use_up(*holder, key, proof.id(), until, *now)?;
        Ok(next_nonce)
    }

    /// A proof that may have been used before this process began must prove by its nonce that it was made later.
    fn check_nonce(&self, proof: &Proof<'_>, now: i64) -> Result<Option<Nonce>, Refusal> {
        let begins = self.memory.begins();
        let made = proof.nonce().and_then(|nonce| self.nonces.recognize(nonce, now));
        let is_remembered = proof.issued_at() > begins || made.is_some_and(|made| made.is_after(begins));
        match (self.nonce, made) {
            (ProofNonce::Off, _) if is_remembered => Ok(None),
            (ProofNonce::Required, Some(made)) if is_remembered => {
                Ok(made.is_outdated(now).then(|| self.nonces.current(now, begins)))
            }
            (ProofNonce::Off | ProofNonce::Required, _) => Err(Refusal::new(
                Reason::ProofNonceRequired,
                "the DPoP proof must carry the nonce that this answer gives",
            )),
        }
    }

    /// Whoever makes a new proof gets the nonce for it at once.
    fn with_nonce(&self, refusal: Refusal, now: i64) -> Refusal {
        let wanted = refusal.reason == Reason::ProofNonceRequired || self.nonce == ProofNonce::Required;
        Refusal { nonce: wanted.then(|| self.nonces.current(now, self.memory.begins())), ..refusal }
    }
}

const UNBOUND_PROOF: Refusal = Refusal::new(
    Reason::TokenNotBound,
    "the access token is not bound to a key, so it can not be used by the scheme DPoP",
);
