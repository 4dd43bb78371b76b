//! `spec.upstreamAuth`: as whom Tollward calls the server. The caller's own token is never passed on.

use crate::{cel, duration::GoDuration};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tollward_policy::config::ClientAuthentication;

/// What kind of identity the server gets to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum UpstreamAuthType {
    /// None.
    None,
    /// A statement about the caller, signed by Tollward.
    SignedAssertion,
    /// A token for this server, in exchange for the caller's.
    TokenExchange,
    /// One credential for all callers.
    Credential,
}

/// As whom Tollward calls the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = cel::rule(
        "!has(self.signedAssertion) || self.type == 'SignedAssertion'",
        "upstreamAuth.signedAssertion must be set only if upstreamAuth.type is SignedAssertion",
    ),
    validation = cel::union("upstreamAuth", "type", "TokenExchange", "tokenExchange"),
    validation = cel::union("upstreamAuth", "type", "Credential", "credential"),
)]
pub struct UpstreamAuthSpec {
    /// What the server gets to see of the caller. `None`: nothing, no header says who calls. `SignedAssertion`: a short-lived
    /// JWT of Tollward's own in the header Tollward-Assertion. `TokenExchange`: a token for this server that the caller's
    /// identity provider gives in exchange for the caller's (RFC 8693). `Credential`: one credential from a Secret, for all
    /// callers. The caller's own token is never passed on.
    #[serde(rename = "type", default = "none")]
    pub kind: UpstreamAuthType,
    /// What the assertion says. Only with type SignedAssertion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_assertion: Option<SignedAssertion>,
    /// How tokens are exchanged. Only with type TokenExchange.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_exchange: Option<TokenExchange>,
    /// Which credential. Only with type Credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<Credential>,
}

impl UpstreamAuthSpec {
    /// True if nothing is set: the server gets to see nothing of the caller.
    pub(super) fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

impl Default for UpstreamAuthSpec {
    /// No identity; every other type has to be written out.
    fn default() -> Self {
        Self { kind: none(), signed_assertion: None, token_exchange: None, credential: None }
    }
}

/// What an assertion says besides who calls.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignedAssertion {
    /// `aud` of the assertion, which the server must compare. If not given, the unique id (`metadata.uid`) of this
    /// MCPServer. It must not be an audience of access tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub audience: Option<String>,
}

/// How tokens are exchanged at the token endpoint of the one identity provider that callers sign in at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = cel::rule(
    "has(self.audience) || has(self.resource)",
    "upstreamAuth.tokenExchange needs an audience or a resource, so that the token is for this server alone",
))]
pub struct TokenExchange {
    /// The client of the identity provider as which Tollward asks.
    pub client: ExchangeClient,
    /// `audience` of the request: the server's name at the identity provider. It must not be an audience of the tokens that
    /// callers show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub audience: Option<String>,
    /// `resource` of the request: the server's absolute URI at the identity provider (RFC 8707). It must not be the
    /// endpoint's URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub resource: Option<String>,
    /// Scopes to ask for. If not given, those that the identity provider gives by default.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 256)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub scopes: Vec<String>,
    /// The longest life of a token that is accepted, from 1m to 24h. A token without expiry is refused.
    #[serde(default = "one_hour")]
    #[x_kube(validation = cel::between("1m", "24h", "upstreamAuth.tokenExchange.maxTokenLifetime must be from 1m to 24h"))]
    pub max_token_lifetime: GoDuration,
}

/// A confidential client of the identity provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExchangeClient {
    /// Its client id.
    #[schemars(length(min = 1, max = 512))]
    pub id: String,
    /// The Secret with its client secret, in the namespace of the MCPServer. It stands there under the key
    /// `exchange.SERVER.NAMESPACE.PROVIDER`, with the names of the MCPServer, and namespace and name of the identity provider
    /// that it is shown to: so nothing of a Secret is sent anywhere that was not put there for it.
    #[schemars(length(min = 1, max = 253), regex(pattern = "^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$"))]
    #[x_kube(validation = cel::not_owned())]
    pub secret_name: String,
    /// How the secret is shown to the token endpoint. `Basic`: in the Authorization header. `Post`: in the form.
    #[serde(default = "basic")]
    pub authentication: ClientAuthentication,
}

/// How a credential is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum CredentialScheme {
    /// `Authorization: Bearer`.
    Bearer,
    /// `Authorization: Basic`.
    Basic,
    /// A header of its own.
    Header,
}

/// As whom a credential acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ActAs {
    /// All callers are one account.
    Shared,
    /// Each caller has a credential of its own.
    User,
}

/// A credential from a Secret, which the data plane reads again when it changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = cel::rule(
        "has(self.actAs)",
        "upstreamAuth.credential: all callers would share this one account, and the server could not tell them apart; if that is meant, write actAs: Shared",
    ),
    validation = cel::rule(
        "!has(self.actAs) || self.actAs != 'User'",
        "upstreamAuth.credential.actAs User needs the broker, where each user consents; this version knows Shared only",
    ),
    validation = cel::union("upstreamAuth.credential", "scheme", "Header", "header"),
)]
pub struct Credential {
    /// How the credential is shown. `Bearer`: Authorization: Bearer. `Basic`: Authorization: Basic. `Header`: the header named
    /// in `header`.
    pub scheme: CredentialScheme,
    /// The Secret with the credential, in the namespace of the MCPServer. It stands there under the key `credential.SERVER`,
    /// with the name of the MCPServer; with scheme Basic under `credential.SERVER.username` and `credential.SERVER.password`.
    /// No other key is ever read: so nothing of a Secret is sent to a server that was not put there for it.
    #[schemars(length(min = 1, max = 253), regex(pattern = "^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$"))]
    #[x_kube(validation = cel::not_owned())]
    pub secret_name: String,
    /// Name of the header. Only with scheme Header. The Secret's value is sent as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[A-Za-z][-A-Za-z0-9]*$"))]
    #[x_kube(validation = cel::credential_header())]
    pub header: Option<String>,
    /// As whom the credential acts. `Shared`: all callers are this one account, so the server can't tell them apart; this has
    /// to be written out. `User`: not served by this version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act_as: Option<ActAs>,
}

fn none() -> UpstreamAuthType {
    UpstreamAuthType::None
}

fn basic() -> ClientAuthentication {
    ClientAuthentication::Basic
}

fn one_hour() -> GoDuration {
    GoDuration::new("1h")
}
