//! `MCPServer`: one MCP server and the policy in front of it.

mod audit;
mod auth;
mod endpoint;
mod environment;
mod pod_options;
mod sealing;
mod sender_constraint;
mod session;
mod source;
mod status;
mod transport;
mod upstream_auth;
mod volume;
mod workload;

pub use audit::AuditSpec;
pub use auth::{
    Audience, AudienceSharing, AuthMode, AuthRule, AuthSpec, ClientAllowList, DeclaredScope, ProviderReference,
};
pub use endpoint::{EndpointSpec, TlsMode, TlsSpec};
pub use environment::{EnvFromSource, EnvVar, EnvVarSource, KeySelector, NameReference};
pub use pod_options::PodOptions;
pub use sealing::{SealingMode, SealingSpec};
pub use sender_constraint::{DpopProofs, SenderConstraint, SenderMethod};
pub use session::SessionSpec;
pub use source::{ServiceSource, Source, SourceType};
pub use status::{EndpointStatus, MCPServerStatus, ProviderStatus, ReplicaStatus};
pub use transport::{Transport, TransportType};
pub use upstream_auth::{
    ActAs, Credential, CredentialScheme, ExchangeClient, SignedAssertion, TokenExchange, UpstreamAuthSpec,
    UpstreamAuthType,
};
pub use volume::{ClaimVolume, ConfigMapVolume, EmptyDirVolume, KeyToPath, Medium, SecretVolume, Volume, VolumeMount};
pub use workload::{Resources, Workload};

use crate::cel;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

/// What an MCP server is, where it is reached, who may call what, and what is recorded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "tollward.dev",
    version = "v1alpha1",
    kind = "MCPServer",
    plural = "mcpservers",
    singular = "mcpserver",
    shortname = "mcps",
    category = "tollward",
    namespaced,
    status = "MCPServerStatus",
    derive = "PartialEq",
    doc = "MCPServer is one Model Context Protocol server and the policy in front of it. Callers reach it only through Tollward, which checks their access token, rights and limits and records every call.",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(name = "Auth", type_ = "string", json_path = ".spec.auth.mode"),
    printcolumn(name = "Endpoint", type_ = "string", json_path = ".status.endpoints[0].url"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].reason", priority = 1),
    printcolumn(name = "Sealed", type_ = "string", json_path = ".status.conditions[?(@.type=='Sealed')].status", priority = 1),
    printcolumn(name = "Source", type_ = "string", json_path = ".spec.source.type", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = cel::rule("self.metadata.name.size() <= 52", "metadata.name must have at most 52 characters, so that the names of the objects made for the server fit"),
    validation = cel::rule("self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')", "metadata.name must start with a letter and have only lower-case letters, digits and -, so that a Service can be named after it"),
    validation = cel::rule("!self.metadata.name.endsWith('-tollward') && !self.metadata.name.startsWith('tollward-')", "metadata.name must not start with tollward- or end with -tollward: such names belong to Tollward"),
    validation = cel::rule("!has(self.spec.upstreamAuth) || !(self.spec.upstreamAuth.type in ['SignedAssertion', 'TokenExchange']) || self.spec.auth.mode == 'OAuth'", "upstreamAuth.type SignedAssertion and TokenExchange need auth.mode OAuth: without it callers are unknown"),
    validation = cel::rule("!has(self.spec.upstreamAuth) || self.spec.upstreamAuth.type != 'TokenExchange' || (has(self.spec.auth.identityProviders) && self.spec.auth.identityProviders.size() == 1)", "upstreamAuth.type TokenExchange needs exactly one entry in auth.identityProviders: a caller's token may go to its issuer only")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = cel::rule(
    "!has(self.auth.senderConstraint) || !self.auth.senderConstraint.methods.exists(method, method == 'MutualTLS') || self.endpoint.tls.mode != 'Off'",
    "auth.senderConstraint.methods has MutualTLS, which needs an endpoint with TLS of its own: endpoint.tls.mode must not be Off",
))]
pub struct MCPServerSpec {
    /// The server itself: a container that Tollward runs, or an existing Service.
    pub source: Source,
    /// Where clients reach the server.
    #[serde(default)]
    pub endpoint: EndpointSpec,
    /// Who may call, and what. Everything that no rule allows is denied.
    pub auth: AuthSpec,
    /// As whom Tollward calls the server. If not given, as nobody: no header says who calls.
    #[serde(default, skip_serializing_if = "UpstreamAuthSpec::is_none")]
    pub upstream_auth: UpstreamAuthSpec,
    /// Sessions of protocol revisions before 2026-07-28.
    #[serde(default)]
    pub session: SessionSpec,
    /// Counted up to replace the server's keys at once, besides every 30 days: those that seal session ids, make DPoP nonces and
    /// sign assertions, and its certificates. The pods roll. One more, and what was sealed before stays good until the next
    /// time; two more, and every session ends.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1_000_000))]
    #[x_kube(validation = cel::rule("self >= oldSelf", "keyGeneration only counts up: keys that were replaced must not come back"))]
    pub key_generation: i32,
    /// Whether the server must be out of reach past Tollward.
    #[serde(default)]
    pub sealing: SealingSpec,
    /// What is recorded of each call.
    #[serde(default)]
    pub audit: AuditSpec,
}
