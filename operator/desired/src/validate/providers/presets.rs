//! What each preset sets: one row for each vendor, as its documents describe access tokens. Nothing is computed here, so that
//! the rows can be read beside those documents.
//!
//! The manual has a page for each vendor (`docs/src/identity-providers`), with the same facts and what to set at the vendor.

use tollward_api::identityprovider::Preset;
use tollward_policy::config::Algorithm::{self, ES256, EdDSA, PS256, RS256};
use tollward_policy::config::TokenType::{self, Absent, AccessToken, Jwt};
use tollward_policy::config::{ScopeForm, Vendor};

/// Characteristics of a vendor's access tokens. The first claim of a list that a token has counts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    /// Whose words the audit record uses.
    pub(super) vendor: Vendor,
    /// Signature algorithms.
    pub(super) algorithms: &'static [Algorithm],
    /// `typ` in the header.
    pub(super) token_types: &'static [TokenType],
    /// Claims with the scopes.
    pub(super) scopes: &'static [&'static str],
    /// Claims with the client's id.
    pub(super) client: &'static [&'static str],
    /// The claim with the caller.
    pub(super) subject: &'static str,
    /// Claims with the token's id.
    pub(super) token_id: &'static [&'static str],
    /// Claims with the groups; a name that begins with `/` is a JSON pointer.
    pub(super) groups: &'static [&'static str],
    /// Claims with the roles.
    pub(super) roles: &'static [&'static str],
    /// Claims with the audience.
    pub(super) audience: &'static [&'static str],
    /// Claims that every access token has, with their values; no value means any.
    pub(super) marks: &'static [(&'static str, &'static [&'static str])],
    /// How scopes with a prefix stand in tokens.
    pub(super) scope_form: ScopeForm,
}

/// RFC 9068, and what is near it.
const GENERIC: Row = Row {
    vendor: Vendor::Generic,
    algorithms: &[RS256, PS256, ES256, EdDSA],
    token_types: &[AccessToken, Jwt],
    scopes: &["scope", "scp"],
    client: &["client_id", "azp", "cid"],
    subject: "sub",
    token_id: &["jti", "uti"],
    // RFC 9068 section 2.2.3.1.
    groups: &["groups"],
    roles: &["roles"],
    audience: &["aud"],
    marks: &[],
    scope_form: ScopeForm::Full,
};

/// auth0.com/docs/secure/tokens/access-tokens/access-token-profiles: the Auth0 profile has `typ` JWT and `azp`, the RFC 9068
/// profile `at+jwt` and `client_id`. `permissions` are roles of the person, not what was granted to the client.
const AUTH0: Row = Row {
    vendor: Vendor::Auth0,
    algorithms: &[RS256, PS256],
    scopes: &["scope"],
    client: &["azp", "client_id"],
    token_id: &["jti"],
    roles: &["permissions"],
    ..GENERIC
};

/// developer.okta.com/docs/api/oauth2/#access-token: the header has no `typ`, scopes are a list, and every token names its
/// client in `cid`, which ID tokens don't have.
const OKTA: Row = Row {
    vendor: Vendor::Okta,
    algorithms: &[RS256],
    token_types: &[AccessToken, Jwt, Absent],
    scopes: &["scp"],
    client: &["cid"],
    token_id: &["jti"],
    marks: &[("cid", &[])],
    ..GENERIC
};

/// learn.microsoft.com/entra/identity-platform/access-token-claims-reference, version 2.0. `sub` differs from app to app, `oid`
/// is the person. ID tokens for an app that is client and API at once have the same `aud`, but no `azp`. What is issued for
/// the scope `api://app/read` says `read`.
const ENTRA_V2: Row = Row {
    vendor: Vendor::Entra,
    algorithms: &[RS256],
    token_types: &[Jwt],
    scopes: &["scp"],
    client: &["azp"],
    subject: "oid",
    token_id: &["uti", "jti"],
    marks: &[("ver", &["2.0"]), ("azp", &[])],
    scope_form: ScopeForm::Short,
    ..GENERIC
};

/// The same, version 1.0.
const ENTRA_V1: Row = Row { client: &["appid"], marks: &[("ver", &["1.0"]), ("appid", &[])], ..ENTRA_V2 };

/// keycloak.org/securing-apps/mcp-authz-server, and tokens of version 26: the claim `typ` tells access tokens from ID, refresh and
/// logout tokens.
const KEYCLOAK: Row = Row {
    vendor: Vendor::Keycloak,
    algorithms: &[RS256, PS256, ES256],
    scopes: &["scope"],
    client: &["azp", "client_id"],
    token_id: &["jti"],
    roles: &["/realm_access/roles"],
    marks: &[("typ", &["Bearer", "DPoP"])],
    ..GENERIC
};

/// docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-access-token.html: no `typ`, and no `aud`
/// unless the client asked for a resource. Without one the token is for whatever its client may use, so that the client's id
/// is the audience; a server accepts that only if it says so in `auth.audience.value`.
const COGNITO: Row = Row {
    vendor: Vendor::Cognito,
    algorithms: &[RS256],
    token_types: &[Absent, Jwt],
    scopes: &["scope"],
    client: &["client_id"],
    token_id: &["jti"],
    groups: &["cognito:groups"],
    roles: &["cognito:roles"],
    audience: &["aud", "client_id"],
    marks: &[("token_use", &["access"]), ("client_id", &[])],
    ..GENERIC
};

/// cloud.google.com/docs/authentication/token-types: access tokens are opaque. What can be verified are identity tokens of
/// service accounts, whose audience the program chooses; they have no scopes. People's ID tokens are for an OAuth client.
const GOOGLE: Row = Row {
    vendor: Vendor::Google,
    algorithms: &[RS256],
    token_types: &[Jwt],
    scopes: &["scope"],
    client: &["azp"],
    token_id: &["jti"],
    groups: &[],
    roles: &[],
    marks: &[("azp", &[])],
    ..GENERIC
};

/// The row of a preset. Entra's depends on the version of its tokens, which the issuer tells.
pub(super) const fn row(preset: Preset, version_1: bool) -> Row {
    match (preset, version_1) {
        (Preset::Generic, _) => GENERIC,
        (Preset::Auth0, _) => AUTH0,
        (Preset::Okta, _) => OKTA,
        (Preset::Entra, true) => ENTRA_V1,
        (Preset::Entra, false) => ENTRA_V2,
        (Preset::Keycloak, _) => KEYCLOAK,
        (Preset::Cognito, _) => COGNITO,
        (Preset::Google, _) => GOOGLE,
    }
}
