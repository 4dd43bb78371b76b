//! `spec.auth.senderConstraint`: what access tokens may or must be bound to.

use crate::{cel, duration::GoDuration};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tollward_policy::config::{ProofNonce, SenderConstraintMode};

/// How a caller proves that a token is its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum SenderMethod {
    /// By a key that signs a proof for each request (RFC 9449).
    DPoP,
    /// By the client certificate of the connection (RFC 8705).
    MutualTLS,
}

/// What access tokens may or must be bound to. A stolen token is then of no use without the key that goes with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = cel::rule(
    "!has(self.dpop) || self.methods.exists(method, method == 'DPoP')",
    "auth.senderConstraint.dpop is set, so auth.senderConstraint.methods must name DPoP",
))]
pub struct SenderConstraint {
    /// Whether tokens must be bound. `Required`: every token. `Optional`: a token that is bound must be proven, one that is not
    /// is accepted too. A bound token sent without its proof is refused in both.
    pub mode: SenderConstraintMode,
    /// What tokens may be bound to, at least one. `DPoP`: a key that signs a proof for each request. `MutualTLS`: the client
    /// certificate of the connection, which may be self-signed; the endpoint needs TLS of its own, and asks every client for a
    /// certificate. Tokens that are bound to anything else are refused.
    #[schemars(length(min = 1, max = 2))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub methods: Vec<SenderMethod>,
    /// How proofs are judged. Only with the method DPoP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dpop: Option<DpopProofs>,
}

/// How DPoP proofs are judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct DpopProofs {
    /// Whether proofs must carry a nonce of this server, so that nobody can make them in advance. `Required`: all; a client
    /// learns the first nonce from a refusal. `Off`: only proofs that are older than the process that judges them; in YAML,
    /// write it in quotes.
    #[serde(default = "off")]
    pub nonce: ProofNonce,
    /// By how much the time in a proof may differ from now, from 5s to 5m. For so long a proof is remembered, so that it
    /// passes once.
    #[serde(default = "one_minute")]
    #[x_kube(validation = cel::between("5s", "5m", "auth.senderConstraint.dpop.proofMaxAge must be from 5s to 5m"))]
    pub proof_max_age: GoDuration,
}

impl Default for DpopProofs {
    fn default() -> Self {
        Self { nonce: off(), proof_max_age: one_minute() }
    }
}

fn off() -> ProofNonce {
    ProofNonce::Off
}

fn one_minute() -> GoDuration {
    GoDuration::new("60s")
}
