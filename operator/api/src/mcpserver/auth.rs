//! `spec.auth`: who may call what.

use super::SenderConstraint;
use crate::cel;
use crate::operations::OperationMatch;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tollward_policy::config::AuthServerMetadata;
use tollward_policy::rules::{Action, OnMissingScope};

/// Whether callers must show an access token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AuthMode {
    /// They must (OAuth 2.1).
    OAuth,
    /// They need none.
    None,
}

/// Who may call, and what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = cel::rule(
        "self.mode != 'OAuth' || (has(self.identityProviders) && self.identityProviders.size() > 0)",
        "auth.mode OAuth needs at least one entry in auth.identityProviders",
    ),
    validation = cel::rule(
        "self.mode != 'None' || !(has(self.identityProviders) || has(self.audience) || has(self.clients) || has(self.scopes) || has(self.initialScopes))",
        "auth.mode None checks no tokens, so identityProviders, audience, clients, scopes and initialScopes must not be set",
    ),
    validation = cel::rule(
        "self.mode != 'None' || !has(self.rules) || self.rules.all(rule, !has(rule.scopes))",
        "auth.mode None checks no tokens, so rules can't require scopes",
    ),
    validation = cel::rule(
        "self.mode != 'None' || !has(self.senderConstraint)",
        "auth.mode None checks no tokens, so senderConstraint must not be set",
    ),
    validation = cel::naming(
        "!has(self.initialScopes) || self.initialScopes.all(name, has(self.scopes) && self.scopes.exists(scope, scope.name == name))",
        "'auth.initialScopes: `' + self.initialScopes.filter(name, !has(self.scopes) || !self.scopes.exists(scope, scope.name == name))[0] + '` is not declared in auth.scopes'",
    ),
)]
pub struct AuthSpec {
    /// Whether callers must show an access token. `OAuth`: they must. `None`: anybody who reaches the endpoint may call what
    /// the rules allow; the status and metrics of the server say so.
    pub mode: AuthMode,
    /// The identity providers whose access tokens are accepted. At least one with mode OAuth.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub identity_providers: Vec<ProviderReference>,
    /// Which audience access tokens must be issued for. If not given, the endpoint's URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<Audience>,
    /// Which OAuth clients may call. If not given, every client with a valid token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clients: Option<ClientAllowList>,
    /// The scopes that this server knows. Other scopes of a token count for nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 128))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub scopes: Vec<DeclaredScope>,
    /// The scopes that a client without token is told to ask for, and that the metadata lists. Keep them to what every
    /// caller needs; rules ask for more when it is needed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 256)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub initial_scopes: Vec<String>,
    /// What callers may do. What no rule allows is denied; a Deny beats every Allow.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 128))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub rules: Vec<AuthRule>,
    /// What access tokens may or must be bound to: a key (DPoP) or a client certificate. If not given, bound tokens are
    /// refused, since their sender can't be checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender_constraint: Option<SenderConstraint>,
    /// Whether /.well-known/oauth-authorization-server answers for clients of protocol revision 2025-03-26. `Compat`: with
    /// the provider's own document, if there is exactly one provider. `Off`: never; in YAML, write it in quotes.
    #[serde(default = "compat")]
    pub auth_server_metadata: AuthServerMetadata,
}

/// An IdentityProvider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProviderReference {
    /// Name of the IdentityProvider.
    #[schemars(length(min = 1, max = 253), regex(pattern = "^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
    /// Namespace of the IdentityProvider, which must allow this server's namespace. If not given, the same namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub namespace: Option<String>,
    /// What clients must put before the names of scopes when they ask this provider for them, for instance
    /// `api://CLIENT_ID/` at Entra or `https://mcp.example.com/shop/mcp/` at Cognito. The challenge and the metadata have it; scopes and rules are
    /// written without it. If not given, nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 200))]
    #[x_kube(validation = cel::scope_characters())]
    pub scope_prefix: Option<String>,
}

/// The audience of access tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Audience {
    /// The value that `aud` must be or contain, for providers that can't issue tokens for a URL.
    #[schemars(length(min = 1, max = 512))]
    pub value: String,
    /// Whether another server may accept the same audience of the same provider: then a token for one is a token for the other.
    /// `Refused`: the younger of the two is not accepted. `Acknowledged`: both may, if both say so, declare no scope of the
    /// same name, and have no Allow rule without scopes.
    #[serde(default = "refused")]
    pub shared: AudienceSharing,
}

/// Whether servers may share an audience.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AudienceSharing {
    /// They may not.
    Refused,
    /// They may, if scopes keep them apart.
    Acknowledged,
}

/// OAuth clients that may call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = cel::rule(
    "has(self.allow) || has(self.allowHosts)",
    "auth.clients needs an entry in allow or allowHosts; without auth.clients every client may call",
))]
pub struct ClientAllowList {
    /// Client ids, compared exactly.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 256), inner(length(min = 1, max = 512)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub allow: Vec<String>,
    /// Hosts of client ID metadata documents, for instance `claude.ai`: clients whose id is an https URL of exactly this host
    /// may call too. In lower case, with a port only if it is not 443.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 259)))]
    #[x_kube(merge_strategy = ListMerge::Set, validation = cel::rule(
        "self.all(host, host.matches('^[a-z0-9]([-.a-z0-9]*[a-z0-9])?(:[1-9][0-9]{0,4})?$'))",
        "auth.clients.allowHosts are host names in lower case, without https:// and path",
    ))]
    pub allow_hosts: Vec<String>,
}

/// A scope that this server knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeclaredScope {
    /// The scope as it stands in access tokens. Wildcards and names that grant everything, such as `*`, `all` and `admin`,
    /// are refused.
    #[schemars(length(min = 1, max = 256))]
    #[x_kube(
        validation = cel::scope_characters(),
        validation = cel::scope_wildcard(),
        validation = cel::scope_omnibus(),
    )]
    pub name: String,
    /// What the scope permits, in words for a person who is asked for consent.
    #[schemars(length(min = 1, max = 512))]
    pub description: String,
    /// Scopes that a token with this one has as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 256)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub implies: Vec<String>,
}

/// A named rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = cel::naming(
    "self.action != 'Deny' || !has(self.scopes)",
    "'rule `' + self.name + '` denies, so it can not require scopes'",
))]
pub struct AuthRule {
    /// The name that audit records, explanations and rate limit policies use.
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
    /// What the rule is about.
    #[serde(rename = "match")]
    pub matches: OperationMatch,
    /// `Allow`: permits, if the token has the scopes. `Deny`: refuses, whatever other rules say.
    #[serde(default = "allow")]
    pub action: Action,
    /// Scopes that the token needs, all of them. Only with action Allow. Empty means that any valid token suffices.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 16), inner(length(min = 1, max = 256)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub scopes: Vec<String>,
    /// What a caller without the scopes is told. `Challenge`: which scopes to ask for; lists show the target. `Hide`: as if
    /// the target did not exist.
    #[serde(default = "challenge")]
    pub on_missing_scope: OnMissingScope,
    /// What must hold besides, in CEL: an expression over `principal` (issuer, subject, client, scopes, claims, groups,
    /// roles), `call` (method, tool, resource, prompt, revision), `args` and `now`, for instance `args.amount <= 100`. If it
    /// can't be decided, for instance since an argument is missing, an Allow does not apply and a Deny does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub condition: Option<String>,
}

fn refused() -> AudienceSharing {
    AudienceSharing::Refused
}

fn compat() -> AuthServerMetadata {
    AuthServerMetadata::Compat
}

fn allow() -> Action {
    Action::Allow
}

fn challenge() -> OnMissingScope {
    OnMissingScope::Challenge
}
