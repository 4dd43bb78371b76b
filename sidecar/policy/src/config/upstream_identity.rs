//! Under which identity calls go to the MCP server: none, a signed statement about the caller, a token of the caller's for
//! this very server, or one account for all. Never the caller's own token, for which there is no variant.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The header that carries a signed assertion. Nothing else ever stands in it: a caller's header of this name is not
/// passed on.
pub const ASSERTION_HEADER: &str = "tollward-assertion";
/// `typ` of a signed assertion: no access token, and refused where access tokens are read.
pub const ASSERTION_TYPE: &str = "tollward-assertion+jwt";
/// Seconds from `iat` to `exp` of a signed assertion.
pub const ASSERTION_SECONDS: i64 = 60;
/// In front of the endpoint's path on the public listener: where the keys of its assertions are.
pub const ASSERTION_KEYS: &str = "/.well-known/tollward-assertion-keys";
/// In front of `namespace/name` on the listener of probes: the same keys, for the server in the pod.
pub const LOCAL_ASSERTION_KEYS: &str = "/assertion-keys";

/// Most seconds that an exchanged token may live.
pub const MAX_EXCHANGED_SECONDS: u32 = 86_400;

/// Under which identity calls go to the MCP server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum UpstreamIdentity {
    /// Under none: no header says who calls.
    None {},
    /// With a statement of Tollward's own about the caller, in `Tollward-Assertion`.
    SignedAssertion {
        /// `aud`: what the MCP server must expect.
        audience: String,
        /// The keys; without any, a random one that lives as long as the process.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        keys: Option<AssertionKeys>,
    },
    /// With a token for the MCP server that the caller's identity provider gave in exchange for the caller's (RFC 8693).
    TokenExchange {
        /// As whom Tollward asks.
        client: ExchangeClient,
        /// `audience` of the request.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        audience: Option<String>,
        /// `resource` of the request.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        resource: Option<String>,
        /// `scope` of the request.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        scopes: Vec<String>,
        /// Longest life of a token that is accepted, in seconds.
        #[schemars(range(min = 60, max = 86_400))]
        max_lifetime_seconds: u32,
    },
    /// With one credential for all callers.
    Credential {
        /// How it is shown.
        form: CredentialForm,
    },
}

impl UpstreamIdentity {
    /// No identity: what a configuration that names none means.
    pub const fn none() -> Self {
        Self::None {}
    }

    /// True for [`Self::None`].
    pub const fn is_none(&self) -> bool {
        match self {
            Self::None {} => true,
            Self::SignedAssertion { .. } | Self::TokenExchange { .. } | Self::Credential { .. } => false,
        }
    }
}

/// Key files of signed assertions: Ed25519, 32 raw bytes each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AssertionKeys {
    /// The private key that signs.
    pub private_key: PathBuf,
    /// Public keys that other replicas sign with before and after a rotation. They are published beside the own one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub neighbours: Vec<PathBuf>,
}

/// How a client shows its secret to a token endpoint (RFC 6749 section 2.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ClientAuthentication {
    /// `client_secret_basic`.
    Basic,
    /// `client_secret_post`.
    Post,
}

/// A confidential client of the identity provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExchangeClient {
    /// `client_id`.
    pub id: String,
    /// File with the secret.
    pub secret: PathBuf,
    /// How the secret is shown.
    pub authentication: ClientAuthentication,
}

/// How a credential is shown to the MCP server. Files are read again when they change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "scheme", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum CredentialForm {
    /// `Authorization: Bearer` and the file's text.
    Bearer {
        /// File with the token.
        token: PathBuf,
    },
    /// `Authorization: Basic` (RFC 7617).
    Basic {
        /// File with the user's name.
        username: PathBuf,
        /// File with the password.
        password: PathBuf,
    },
    /// A header of its own, with the file's text.
    Header {
        /// Name of the header.
        name: String,
        /// File with the value.
        value: PathBuf,
    },
}

/// Headers that Tollward or the HTTP library writes, or that mean something else to a server.
const TAKEN: &[&str] = &[
    "accept",
    "accept-encoding",
    "baggage",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "forwarded",
    "host",
    "keep-alive",
    "last-event-id",
    "origin",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
];

/// Beginnings of such headers.
const TAKEN_PREFIXES: &[&str] = &["mcp-", "tollward-", "x-forwarded-", "x-mcp-"];

/// Names that no credential may stand in, and beginnings of such names, all in lower case.
pub const fn taken_headers() -> (&'static [&'static str], &'static [&'static str]) {
    (TAKEN, TAKEN_PREFIXES)
}

/// True if a credential may stand in a header of this name: letters, digits and `-`, and not [taken](taken_headers).
pub fn is_credential_header(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    plain
        && (1..=64).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && !TAKEN.contains(&lower.as_str())
        && !TAKEN_PREFIXES.iter().any(|prefix| lower.starts_with(prefix))
}
