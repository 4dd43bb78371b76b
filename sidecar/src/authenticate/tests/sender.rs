//! Callers with a key of their own, and requests in which they prove it.

use super::issuer::{Key, NOW, RESOURCE};
use super::world::{World, config, route};
use crate::authenticate::{Authenticated, Authenticator, Presented, Refusal};
use crate::thumbprint::Thumbprint;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tollward_policy::config::{AuthConfig, DpopConfig, ProofNonce, SenderConstraintConfig, SenderConstraintMode};
use tollward_policy::reason::Reason;

const MAX_AGE: u32 = 60;

/// `DPoP`, with proofs of at most a minute.
pub(super) fn dpop(nonce: ProofNonce) -> DpopConfig {
    DpopConfig { nonce, proof_max_age_seconds: MAX_AGE }
}

pub(super) fn constrained(
    mode: SenderConstraintMode,
    dpop: impl Into<Option<DpopConfig>>,
    mutual_tls: bool,
) -> AuthConfig {
    let mut auth = route(&[RESOURCE], &[]);
    if let AuthConfig::OAuth { sender_constraint, .. } = &mut auth {
        *sender_constraint = Some(SenderConstraintConfig { mode, dpop: dpop.into(), mutual_tls });
    }
    auth
}

pub(super) fn optional(dpop: impl Into<Option<DpopConfig>>, mutual_tls: bool) -> AuthConfig {
    constrained(SenderConstraintMode::Optional, dpop, mutual_tls)
}

/// A caller with a key of its own.
pub(super) struct Caller {
    pub(super) key: Key,
    pub(super) token: String,
}

pub(super) fn public(key: &Key) -> Value {
    let mut jwk = key.jwk();
    for name in ["kid", "use", "alg"] {
        jwk.as_object_mut().unwrap().remove(name);
    }
    jwk
}

pub(super) fn thumbprint(key: &Key) -> Thumbprint {
    let jwk = public(key);
    Thumbprint::of(serde_json::to_string(&sorted(&jwk)).unwrap().as_bytes())
}

/// In the order that RFC 7638 wants.
fn sorted(jwk: &Value) -> BTreeMap<String, Value> {
    jwk.as_object().unwrap().clone().into_iter().collect()
}

impl Caller {
    pub(super) fn new(issuer: &Key, algorithm: &'static str) -> Self {
        let key = Key::new("sender", algorithm);
        let jkt = thumbprint(&key).to_string();
        let token = issuer.with_claims(|claims| claims["cnf"] = json!({"jkt": jkt}));
        Self { key, token }
    }

    pub(super) fn header(&self) -> Value {
        json!({"typ": "dpop+jwt", "alg": self.key.algorithm, "jwk": public(&self.key)})
    }

    pub(super) fn claims(&self, id: &str) -> Value {
        let hash = Thumbprint::of(self.token.as_bytes()).to_string();
        json!({"jti": id, "htm": "POST", "htu": RESOURCE, "iat": NOW, "ath": hash})
    }

    pub(super) fn proof(&self, id: &str) -> String {
        self.key.token_with(&self.header(), &self.claims(id))
    }

    pub(super) fn proof_with(&self, id: &str, change: impl FnOnce(&mut Value)) -> String {
        let mut claims = self.claims(id);
        change(&mut claims);
        self.key.token_with(&self.header(), &claims)
    }
}

pub(super) struct Request<'a> {
    pub(super) authorization: String,
    pub(super) proofs: Vec<&'a str>,
    pub(super) method: Method,
    pub(super) certificate: Option<Thumbprint>,
}

pub(super) fn by_dpop<'a>(token: &str, proof: &'a str) -> Request<'a> {
    Request { authorization: format!("DPoP {token}"), proofs: vec![proof], method: Method::POST, certificate: None }
}

pub(super) fn by_bearer<'a>(token: &str) -> Request<'a> {
    Request { authorization: format!("Bearer {token}"), proofs: vec![], method: Method::POST, certificate: None }
}

pub(super) async fn send(authenticator: &Authenticator, request: &Request<'_>) -> Result<Authenticated, Refusal> {
    let mut headers = HeaderMap::new();
    headers.insert("authorization", HeaderValue::from_str(&request.authorization).unwrap());
    for proof in &request.proofs {
        headers.append(HeaderName::from_static("dpop"), HeaderValue::from_bytes(proof.as_bytes()).unwrap());
    }
    let presented = Presented { headers: &headers, method: &request.method, certificate: request.certificate };
    authenticator.authenticate(presented, |_| Ok(())).await
}

pub(super) async fn reason(authenticator: &Authenticator, request: &Request<'_>) -> Reason {
    send(authenticator, request).await.map_or_else(|refusal| refusal.reason, |_| Reason::Allowed)
}

pub(super) async fn world() -> (World, Key) {
    let issuer = Key::new("k", "EdDSA");
    (World::with(config(), &[&issuer]).await, issuer)
}

impl World {
    pub(super) fn constrained(&self, auth: &AuthConfig) -> Authenticator {
        self.build(auth, std::slice::from_ref(&self.config)).unwrap()
    }
}
