//! One MCP server: its address, its callers, their rights and limits, and what is recorded.

use super::sender::SenderConstraintConfig;
use super::session::SessionBounds;
use super::upstream_identity::UpstreamIdentity;
use crate::limits::RateLimitConfig;
use crate::rules::RuleConfig;
use crate::scope::{ScopeConfig, ScopeName};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::PathBuf;

/// Which `MCPServer` object this is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServerRef {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Unique id, which sessions are bound to.
    pub uid: String,
}

/// Where the server is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EndpointConfig {
    /// The public URL, which is also the resource identifier of RFC 8707: non-empty path, no trailing slash,
    /// lower-case host.
    pub url: String,
    /// Further authorities (`host` or `host:port`) under which clients may connect, for instance the Service's name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    /// Origins of browser pages that may connect, besides the URL's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed_origins: Vec<String>,
    /// A name for people, shown in the protected resource metadata.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
}

/// The MCP server behind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpstreamConfig {
    /// Its endpoint: `http://127.0.0.1:PORT/PATH` in a sidecar.
    pub url: String,
    /// A Unix socket that is dialled instead of the URL's host, which then only stands in `Host`. None: the URL's host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub socket: Option<PathBuf>,
    /// Seconds to connect.
    #[schemars(range(min = 1, max = 60))]
    pub connect_timeout_seconds: u32,
    /// Seconds until the head of the answer.
    #[schemars(range(min = 1, max = 3600))]
    pub response_timeout_seconds: u32,
    /// Seconds that an answer may pause. There is no bound on the whole of a stream.
    #[schemars(range(min = 1, max = 86_400))]
    pub idle_timeout_seconds: u32,
    /// Under which identity calls go there. Without one, no header says who calls.
    #[serde(default = "UpstreamIdentity::none", skip_serializing_if = "UpstreamIdentity::is_none")]
    pub identity: UpstreamIdentity,
}

/// Whether `/.well-known/oauth-authorization-server` answers for clients of 2025-03-26.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AuthServerMetadata {
    /// The provider's own document, verbatim, if the host has one endpoint with one provider.
    Compat,
    /// Never.
    Off,
}

/// Who may call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "mode", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum AuthConfig {
    /// Callers with an access token.
    OAuth {
        /// Names of identity providers, at least one.
        providers: Vec<String>,
        /// Values of `aud` that mean this server, at least one.
        audiences: Vec<String>,
        /// Client ids that may call.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        allowed_clients: Vec<String>,
        /// Hosts of client metadata documents whose clients may call too. With neither this nor ids, any may.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        allowed_client_hosts: Vec<String>,
        /// What clients put before the names of scopes when they ask a provider for them, by the provider's name.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        scope_prefixes: BTreeMap<String, String>,
        /// For older clients.
        auth_server_metadata: AuthServerMetadata,
        /// What tokens may or must be bound to. None: bound tokens are refused, since nobody could check them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sender_constraint: Option<SenderConstraintConfig>,
    },
    /// Anybody. Rules still deny what they do not allow.
    None {},
}

impl AuthConfig {
    /// True if tokens of the provider of that name may be accepted.
    pub(super) fn trusts(&self, provider: &str) -> bool {
        match self {
            Self::None {} => false,
            Self::OAuth { providers, .. } => providers.iter().any(|name| name == provider),
        }
    }
}

/// A key for sealing session ids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SessionKey {
    /// Id by which errors name it. Sealed texts say by a hint of the key itself which one it is, so that a key may change its id.
    pub id: u8,
    /// File with 32 bytes.
    pub file: PathBuf,
}

/// Sessions of the revisions before 2026-07-28.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SessionConfig {
    /// Keys, the first seals and all open. None: a random key that lives as long as the process.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<SessionKey>,
    /// Seconds after which a session must be initialised anew.
    #[schemars(range(min = 60, max = 2_592_000))]
    pub max_age_seconds: u32,
    /// How many there may be at once.
    #[serde(default = "SessionBounds::standard", skip_serializing_if = "SessionBounds::is_standard")]
    pub bounds: SessionBounds,
}

/// What of a call's arguments is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Arguments {
    /// Values of secret-looking keys, of listed paths and secret-looking texts are replaced.
    Redacted,
    /// Nothing.
    None,
    /// All.
    Full,
}

/// What is recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AuditConfig {
    /// What of the arguments.
    pub arguments: Arguments,
    /// JSON pointers into the arguments whose values are replaced as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub redact: Vec<String>,
    /// Claims of the token that are kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claims: Vec<String>,
    /// Most bytes of arguments that are kept.
    #[schemars(range(min = 0, max = 65_536))]
    pub max_argument_bytes: u32,
}

fn one() -> NonZeroU32 {
    NonZeroU32::MIN
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_one(replicas: &NonZeroU32) -> bool {
    *replicas == NonZeroU32::MIN
}

/// One MCP server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RouteConfig {
    /// Which object.
    pub server: ServerRef,
    /// Where it is reached.
    pub endpoint: EndpointConfig,
    /// What is behind.
    pub upstream: UpstreamConfig,
    /// Who may call.
    pub auth: AuthConfig,
    /// Declared scopes.
    pub scopes: Vec<ScopeConfig>,
    /// Scopes of the first challenge, and `scopes_supported` of the metadata.
    pub initial_scopes: Vec<ScopeName>,
    /// Rules in order. None: nothing guarded passes.
    pub rules: Vec<RuleConfig>,
    /// Limits; a call must pass each.
    pub rate_limits: Vec<RateLimitConfig>,
    /// Processes that serve this server side by side: each enforces its share of every limit.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub replicas: NonZeroU32,
    /// Sessions.
    pub session: SessionConfig,
    /// Audit.
    pub audit: AuditConfig,
}
