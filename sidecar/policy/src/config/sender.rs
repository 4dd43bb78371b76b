//! Sender-constrained access tokens: how a caller may prove that a token is its own, and whether it must.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether tokens must be bound to their sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SenderConstraintMode {
    /// A bound token must be proven; one that is not bound is accepted too.
    Optional,
    /// Every token must be bound, and proven.
    Required,
}

/// Whether a DPoP proof must carry a nonce of this server (RFC 9449 section 9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ProofNonce {
    /// Only a proof that may have been used before this process started.
    Off,
    /// Every proof.
    Required,
}

/// DPoP (RFC 9449).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DpopConfig {
    /// Whether proofs must carry a nonce.
    pub nonce: ProofNonce,
    /// Seconds by which the `iat` of a proof may differ from now.
    #[schemars(range(min = 5, max = 300))]
    pub proof_max_age_seconds: u32,
}

/// What the tokens of a server's callers may or must be bound to. At least one of `dpop` and `mutualTls`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SenderConstraintConfig {
    /// Whether tokens must be bound.
    pub mode: SenderConstraintMode,
    /// To a key that the caller proves by DPoP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dpop: Option<DpopConfig>,
    /// To the client certificate of the connection (RFC 8705). Needs TLS on the public listener.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mutual_tls: bool,
}
