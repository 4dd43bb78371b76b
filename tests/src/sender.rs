//! A caller with a key of its own: tokens that are bound to it, and DPoP proofs (RFC 9449), good ones and whatever else a test
//! makes of them.

use crate::config::ENDPOINT;
use crate::key::{Key, encode};
use crate::mcp::Call;
use crate::token::Token;
use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use tollward_policy::config::{
    AuthConfig, DpopConfig, ProofNonce, SenderConstraintConfig, SenderConstraintMode, SidecarConfig,
};

/// The caller.
pub struct Sender {
    key: Key,
    jwk: BTreeMap<String, Value>,
    proofs: AtomicU64,
}

/// A proof in the making.
#[derive(Clone)]
pub struct Proof<'s> {
    sender: &'s Sender,
    header: Map<String, Value>,
    claims: Map<String, Value>,
}

impl Sender {
    /// With a new key for one of the algorithms of [`Key::new`].
    pub fn new(algorithm: &'static str) -> Self {
        let key = Key::new("sender", algorithm);
        let mut jwk: BTreeMap<_, _> = key.jwk().as_object().cloned().unwrap_or_default().into_iter().collect();
        jwk.retain(|name, _| !["kid", "use", "alg"].contains(&name.as_str()));
        Self { key, jwk, proofs: AtomicU64::new(0) }
    }

    /// The key's thumbprint (RFC 7638): that of its members in the order of their names.
    pub fn thumbprint(&self) -> String {
        encode(digest(&SHA256, json!(self.jwk).to_string().as_bytes()).as_ref())
    }

    /// The token, bound to the key.
    pub fn bind(&self, token: Token) -> Token {
        token.with_claim("cnf", json!({"jkt": self.thumbprint()}))
    }

    /// A good proof for a request with this token to the default endpoint, with an id of its own.
    pub fn proof(&self, method: &http::Method, token: &str, now: i64) -> Proof<'_> {
        let id = format!("proof-{}", self.proofs.fetch_add(1, Ordering::Relaxed));
        let header = json!({"typ": "dpop+jwt", "alg": self.key.algorithm, "jwk": self.jwk});
        let hash = encode(digest(&SHA256, token.as_bytes()).as_ref());
        let claims = json!({"jti": id, "htm": method.as_str(), "htu": ENDPOINT, "iat": now, "ath": hash});
        let members = |value: Value| value.as_object().cloned().unwrap_or_default();
        Proof { sender: self, header: members(header), claims: members(claims) }
    }

    /// The call with this token by the scheme DPoP, and a good proof.
    pub fn send(&self, call: Call, token: &str, now: i64) -> Call {
        let proof = self.proof(&call.method, token, now).mint();
        by_dpop(call, token, &proof)
    }
}

/// What the first route asks of its callers from now on.
pub fn constrain(config: &mut SidecarConfig, constraint: Option<SenderConstraintConfig>) {
    let route = config.routes.first_mut().expect("a configuration has a route");
    if let AuthConfig::OAuth { sender_constraint, .. } = &mut route.auth {
        *sender_constraint = constraint;
    }
}

/// DPoP alone.
pub const fn dpop(mode: SenderConstraintMode, nonce: ProofNonce) -> SenderConstraintConfig {
    SenderConstraintConfig { mode, dpop: Some(DpopConfig { nonce, proof_max_age_seconds: 60 }), mutual_tls: false }
}

/// The call with this token by the scheme DPoP, and that proof.
pub fn by_dpop(call: Call, token: &str, proof: &str) -> Call {
    call.only("authorization", &format!("DPoP {token}")).only("dpop", proof)
}

impl Proof<'_> {
    /// With a claim of that value.
    #[must_use]
    pub fn with_claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.insert(name.to_owned(), value.into());
        self
    }

    /// Without a claim.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.claims.remove(name);
        self
    }

    /// With a header parameter of that value.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header.insert(name.to_owned(), value.into());
        self
    }

    /// The signed text.
    pub fn mint(&self) -> String {
        self.forge(self.sender)
    }

    /// The text, signed by the key of another caller.
    pub fn forge(&self, other: &Sender) -> String {
        let part = |members: &Map<String, Value>| encode(Value::Object(members.clone()).to_string().as_bytes());
        let input = format!("{}.{}", part(&self.header), part(&self.claims));
        let signature = encode(&other.key.sign(input.as_bytes()));
        format!("{input}.{signature}")
    }
}
