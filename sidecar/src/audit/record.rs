//! The audit record, version 1. Fields are added, never renamed or given another meaning.

use super::tunnel::Tunnel;
use crate::limiter::{CountedBy, Standing};
use serde::Serialize;
use serde_json::{Map, Value};
use tollward_policy::config::ServerRef;
use tollward_policy::reason::Reason;

/// Version of the record's shape.
pub(super) const VERSION: u32 = 1;

/// What happened to one request.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// Shape of the record.
    pub version: u32,
    /// Id of the request, also in error answers.
    pub id: String,
    /// The process that wrote it: one stream of sequence numbers per start.
    pub stream: String,
    /// Grows by one with every request of the stream.
    pub seq: u64,
    /// Begin of the request, RFC 3339 in UTC with nanoseconds.
    pub time: String,
    /// W3C trace id, if the request is traced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// The MCP server, once routed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<ServerRef>,
    /// The HTTP side.
    pub http: HttpFacts,
    /// Who, once verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caller: Option<Caller>,
    /// What, once understood.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call: Option<Call>,
    /// Whether and why.
    pub decision: Decision,
    /// How the limits that were charged stood.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<LimitState>,
    /// What was shown to the MCP server, if anything was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream_identity: Option<Shown>,
    /// The connection of an MCP server to the outside, if this is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tunnel: Option<Tunnel>,
    /// How it ended; absent in an intent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
}

/// The HTTP side of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HttpFacts {
    /// Method.
    pub method: String,
    /// Path without query, at most 256 bytes.
    pub path: String,
    /// `HTTP/1.1` or `HTTP/2.0`.
    pub version: String,
    /// Address of the connection's other end.
    pub peer: String,
    /// Address of the client, as a trusted proxy at the other end names it; absent where that is the client itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// User-Agent, at most 256 bytes. Self-reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
}

/// The verified caller.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum Caller {
    /// A server without authorization.
    Anonymous {},
    /// The holder of a valid token.
    #[serde(rename_all = "camelCase")]
    Token {
        /// `iss`.
        issuer: String,
        /// The subject.
        subject: String,
        /// The OAuth client.
        #[serde(skip_serializing_if = "Option::is_none")]
        client: Option<String>,
        /// `jti` or `uti`, which joins the record with the issuer's own log.
        #[serde(skip_serializing_if = "Option::is_none")]
        token_id: Option<String>,
        /// What the token is bound to, all of which the caller proved; absent if it is bound to nothing.
        #[serde(skip_serializing_if = "Option::is_none")]
        bound_to: Option<BoundTo>,
        /// Granted scopes.
        scopes: Vec<String>,
        /// Claims chosen by the configuration, and those that say who acts for whom.
        claims: Map<String, Value>,
    },
}

/// Thumbprints (SHA-256, base64url) of what the caller proved to have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BoundTo {
    /// The key of its DPoP proof (RFC 7638).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The client certificate of its connection (RFC 8705).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
}

/// The call.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Call {
    /// Protocol revision.
    pub revision: String,
    /// JSON-RPC method, or the transport operation.
    pub method: String,
    /// Tool, resource, prompt or task, in full.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Further resources of a subscription.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub more_targets: Vec<String>,
    /// JSON-RPC id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Arguments as far as the configuration keeps them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arguments: Option<Value>,
    /// Bytes of the body.
    pub bytes_in: u64,
    /// Whether rules or the server itself name the target, so that it may become a metric's label.
    #[serde(skip)]
    pub target_known: bool,
}

/// The decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// Let through?
    pub allowed: bool,
    /// The reason's code.
    pub reason: Reason,
    /// What exactly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// What to change at the identity provider, for whoever runs the server; callers are not told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
    /// The rule that decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The entry of an identity provider's `deny` that kept the caller out, before the call or in the middle of it: the
    /// provider's namespace and name and the entry's name, joined by slashes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub denied_by: Option<String>,
    /// Digest of the configuration that decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_digest: Option<String>,
}

/// [`LimitState::counted_by`] of a call that passed uncounted.
pub(super) const NOBODY: &str = "nobody";

/// How a limit stood after the call was charged or refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LimitState {
    /// `policy/limit`.
    pub limit: String,
    /// The caller's tier; empty for a limit of addresses.
    pub tier: String,
    /// Requests per window, or as many as may be open at once.
    pub requests: u32,
    /// The window in seconds; absent for a limit of what is open at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window_seconds: Option<u64>,
    /// As many requests the call counts for.
    pub cost: u32,
    /// What may come at once, if nothing came for a while.
    pub burst: u32,
    /// What may still come at once.
    pub remaining: u32,
    /// Seconds until the full burst is there again.
    pub reset_seconds: u64,
    /// True for the limit that refused.
    pub exceeded: bool,
    /// Who counted, if it was not this replica as usual: `store`, `replicaForStore` or `nobody`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counted_by: Option<&'static str>,
}

/// As whom the MCP server was called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Shown {
    /// `signed_assertion`, `exchanged_token` or `shared_credential`.
    pub kind: &'static str,
    /// `jti` of what was shown, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_id: Option<String>,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// With its last byte.
    Complete,
    /// The client went away.
    ClientGone,
    /// The MCP server broke off.
    UpstreamBroke,
    /// The token behind a stream expired.
    TokenExpired,
    /// The process is shutting down.
    Draining,
    /// A new configuration keeps the caller out; the reason says why.
    Revoked,
    /// Nothing moved for as long as a tunnel may be idle.
    Idle,
    /// A tunnel was as old as one may become.
    TimeLimit,
}

/// The end of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// HTTP status; absent if the client went away before one was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Code of a JSON-RPC error in the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rpc_code: Option<i64>,
    /// The tool reported an error of its own (`isError`).
    pub tool_error: bool,
    /// False if the server's answer was too large or of a kind that can't be looked into, so that code and tool error
    /// are not known. True for answers of Tollward's own.
    pub determined: bool,
    /// How it ended.
    pub ended: Ended,
    /// Microseconds from the first byte in to the last byte out.
    pub latency_micros: u64,
    /// Bytes of the answer's body.
    pub bytes_out: u64,
}

impl From<&Standing> for LimitState {
    fn from(standing: &Standing) -> Self {
        Self {
            limit: standing.limit.clone(),
            tier: standing.tier.clone(),
            requests: standing.requests,
            window_seconds: standing.window.map(|window| window.as_secs()),
            cost: standing.cost,
            burst: standing.burst,
            remaining: standing.remaining,
            reset_seconds: seconds_up(standing.retry_after.unwrap_or(standing.reset)),
            exceeded: standing.retry_after.is_some(),
            counted_by: match standing.counted {
                CountedBy::Replica => None,
                CountedBy::Store => Some("store"),
                CountedBy::ReplicaForStore => Some("replicaForStore"),
                CountedBy::Nobody => Some(NOBODY),
            },
        }
    }
}

fn seconds_up(time: std::time::Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}
