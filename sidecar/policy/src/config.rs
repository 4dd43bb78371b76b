//! `SidecarConfig`: the one versioned file between the control plane and the data plane.
//!
//! Owned by its reader: the operator and `tollward dev` serialise this very type. It carries no secret, only paths of
//! mounted ones. Unknown fields are refused: a field that this reader does not know may have been a restriction.
//!
//! - [`process`](ProcessConfig): what needs a new process to change (listeners, TLS files, bounds).
//! - [`providers`](ProviderConfig) and [`routes`](RouteConfig): the policy part, swapped while running.

mod check;
mod deny;
mod egress;
mod egress_relay;
mod introspection;
mod load;
mod process;
mod profile;
mod provider;
mod proxy;
mod route;
mod sender;
mod session;
mod upstream_identity;

pub use check::{Problem, check};
pub use deny::DenyConfig;
pub use egress::{
    EgressConfig, EgressEntry, EgressLimits, EgressProcess, EgressServer, MAX_EGRESS_ENTRIES, check_egress, load_egress,
};
pub use egress_relay::{EgressRelay, EgressUpstream};
pub use introspection::{IntrospectedTokens, IntrospectionClient, IntrospectionConfig, MAX_CACHE_SECONDS};
pub use load::{LoadError, load};
pub use process::{
    Allowance, DialConfig, HttpLimits, ListenerTls, ProcessConfig, PublicListener, ReportListener, Role, Scheme,
};
pub use profile::{ClaimMark, ScopeForm, TokenProfile, Vendor};
pub use provider::{Algorithm, ClaimNames, ProviderConfig, RefreshConfig, TokenType};
pub use proxy::{ForwardedHeader, ProxyCertificate, TrustedProxy, trusted_proxy_problems};
pub use route::{
    Arguments, AuditConfig, AuthConfig, AuthServerMetadata, EndpointConfig, RouteConfig, ServerRef, SessionConfig,
    SessionKey, UpstreamConfig,
};
pub use sender::{DpopConfig, ProofNonce, SenderConstraintConfig, SenderConstraintMode};
pub use session::{SESSION_BOUND, SessionBounds};
pub use upstream_identity::{
    ASSERTION_HEADER, ASSERTION_KEYS, ASSERTION_SECONDS, ASSERTION_TYPE, AssertionKeys, ClientAuthentication,
    CredentialForm, ExchangeClient, LOCAL_ASSERTION_KEYS, MAX_EXCHANGED_SECONDS, UpstreamIdentity,
    is_credential_header, taken_headers,
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The schema version that this build writes, and the newest that it reads.
pub const VERSION: u32 = 1;

/// Everything that a data-plane process enforces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SidecarConfig {
    /// Schema version of the writer.
    pub version: u32,
    /// Oldest schema version whose reader enforces all of this file. A reader below it must refuse the file.
    pub min_reader: u32,
    /// Grows with every change by the control plane.
    pub generation: i64,
    /// Needs a new process to change.
    pub process: ProcessConfig,
    /// Whom to trust.
    pub identity_providers: Vec<ProviderConfig>,
    /// The MCP servers served, one each in a sidecar or relay.
    pub routes: Vec<RouteConfig>,
}
