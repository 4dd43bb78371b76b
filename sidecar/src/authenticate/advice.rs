//! What to change at the identity provider when a token is refused, as far as the token shows it: sentences for whoever reads
//! the audit record, chosen by vendor. They decide nothing, say the same for every token, and are never sent to a caller.
//!
//! Tokens that were refused before their signature was verified may have been made by anybody: the sentences are worded so
//! that nobody is led to loosen anything by one.

use serde_json::{Map, Value};
use tollward_policy::config::{ProviderConfig, Vendor};
use tollward_policy::reason::Reason;

/// Microsoft Graph, as `aud` names it.
const GRAPH: [&str; 3] =
    ["00000003-0000-0000-c000-000000000000", "https://graph.microsoft.com", "https://graph.microsoft.com/"];

const ENTRA_GRAPH: &str = "Entra: the token is for Microsoft Graph, which nobody else can verify. The client asked for a scope \
    without the API's prefix: set identityProviders[].scopePrefix of the server to the Application ID URI and a slash, \
    and let the client ask for the scopes of the challenge.";
const ENTRA_V1: &str = "Entra: the token is of version 1.0, and the provider is set up for version 2.0. Set \
    requestedAccessTokenVersion to 2 in the manifest of the API's app registration.";
const ENTRA_V2: &str = "Entra: the token is of version 2.0, and the provider is set up for version 1.0. Set the provider's issuer \
    to https://login.microsoftonline.com/TENANT/v2.0.";
const ENTRA_TENANT: &str = "Entra: the token is of a tenant that is not accepted. If its people should call this server, list the \
    tenant's id in the provider's tenants.";
const ENTRA_OPAQUE: &str = "Entra: tokens of Microsoft's own APIs may be opaque. Let the client ask for a scope of the app \
    registration that stands for this server.";
const ENTRA_KIND: &str = "Entra: access tokens have ver, tid and the client (azp, or appid in version 1.0), and this token does not \
    have them as the provider is set up. If it is an ID token, the client must send the access token instead.";
const ENTRA_CLAIMS: &str = "Entra: the people's object id (oid) comes with the scope profile. Let the client ask for it, or set the \
    provider's claims.subject to sub.";
const ENTRA_AUDIENCE: &str = "Entra: aud of a version 2.0 token is the client id of the API's app registration, a GUID; of a version \
    1.0 token its client id or Application ID URI. Set spec.auth.audience.value of the server to it.";

const AUTH0_OPAQUE: &str = "Auth0: an opaque or encrypted token means that no API was asked for. Register an API whose identifier is \
    this server's URL, and switch on the Resource Parameter Compatibility Profile in the tenant's settings, or set the API \
    as the tenant's default audience.";
const AUTH0_ALGORITHM: &str = "Auth0: set the signing algorithm of the API to RS256. With HS256 whoever could verify tokens could also \
    make them.";
const AUTH0_USERINFO: &str = "Auth0: the token is for /userinfo only, so no API was asked for. Switch on the Resource Parameter \
    Compatibility Profile in the tenant's settings, and register an API whose identifier is this server's URL.";
const AUTH0_AUDIENCE: &str = "Auth0: the token is for another API. The API's identifier must be this server's URL, or \
    spec.auth.audience.value must be the API's identifier.";

const OKTA_ORG: &str = "Okta: the token is from the org authorization server, and only Okta may verify those. Let the client use the \
    custom authorization server that the provider names, https://ORG/oauth2/ID.";
const OKTA_AUDIENCE: &str = "Okta: aud is a setting of the custom authorization server. Set it to this server's URL, with an \
    authorization server for each MCP server, or set spec.auth.audience.value to what it is.";

const KEYCLOAK_AUDIENCE: &str = "Keycloak: without a mapper tokens have no aud, or only account. Add an Audience mapper (Included \
    Custom Audience: this server's URL) to the client scopes that this server uses, or switch on resource indicators.";
const KEYCLOAK_ISSUER: &str = "Keycloak: the token is of the same realm under another host name. Set hostname in Keycloak, so that the \
    issuer is the same from wherever it is asked, and use that issuer in the provider.";

const COGNITO_NO_AUDIENCE: &str = "Cognito: aud is only there if the client asked for a resource. Use managed login with the Essentials \
    or Plus plan, and register this server's URL as the identifier of a resource server; or accept the tokens of one app \
    client by setting spec.auth.audience.value to its id.";
const COGNITO_AUDIENCE: &str = "Cognito: the token was issued for another resource. Register this server's URL as the identifier of a \
    resource server in the user pool.";

const GOOGLE_OPAQUE: &str = "Google: access tokens are opaque and for no audience. Let people sign in at an authorization server that \
    federates Google, and let programs send an identity token of their service account with this server's URL as audience.";
const GOOGLE_KIND: &str = "Google: this is the ID token of a person's sign-in. Let people sign in at an authorization server that \
    federates Google.";
const GOOGLE_AUDIENCE: &str = "Google: aud must be this server's URL, as in an identity token of a service account. A token for an \
    OAuth client id is somebody's sign-in elsewhere.";

const ID_TOKEN: &str = "The token is not an access token. If it is an ID or refresh token, the client must send the access token \
    instead.";

/// About a token that is not even of the form of a signed JWT. `vendors` are those of the server's providers.
pub(super) fn for_form(vendors: impl Iterator<Item = Vendor>, reason: Reason) -> Option<&'static str> {
    let sentence = |vendor| match (vendor, reason) {
        (Vendor::Auth0, Reason::TokenMalformed) => Some(AUTH0_OPAQUE),
        (Vendor::Auth0, Reason::TokenAlgorithmRefused) => Some(AUTH0_ALGORITHM),
        (Vendor::Entra, Reason::TokenMalformed) => Some(ENTRA_OPAQUE),
        (Vendor::Google, Reason::TokenMalformed) => Some(GOOGLE_OPAQUE),
        (
            Vendor::Generic
            | Vendor::Auth0
            | Vendor::Okta
            | Vendor::Entra
            | Vendor::Keycloak
            | Vendor::Cognito
            | Vendor::Google,
            _,
        ) => None,
    };
    let mut found = vendors.filter_map(sentence);
    // With several vendors it would be a guess whose token it is.
    found.next().filter(|first| found.all(|other| other == *first))
}

/// About a token of an issuer that no provider names.
pub(super) fn for_issuer<'c>(
    mut configs: impl Iterator<Item = &'c ProviderConfig>,
    issuer: &str,
    claims: &Map<String, Value>,
) -> Option<&'static str> {
    let sentence = |config: &ProviderConfig| {
        let own = config.issuer.as_str();
        match config.profile.vendor {
            Vendor::Entra => entra_issuer(own, claims),
            Vendor::Okta => {
                own.strip_prefix(issuer).is_some_and(|rest| rest.starts_with("/oauth2/")).then_some(OKTA_ORG)
            }
            Vendor::Keycloak => (realm(own).is_some() && realm(own) == realm(issuer)).then_some(KEYCLOAK_ISSUER),
            Vendor::Generic | Vendor::Auth0 | Vendor::Cognito | Vendor::Google => None,
        }
    };
    configs.find_map(sentence)
}

/// About a token whose signature does not verify.
pub(super) fn before_the_signature(vendor: Vendor, claims: &Map<String, Value>) -> Option<&'static str> {
    (vendor == Vendor::Entra && is_for_graph(claims)).then_some(ENTRA_GRAPH)
}

/// About a token of the vendor that is refused for its claims.
pub(super) fn for_claims(vendor: Vendor, reason: Reason, claims: &Map<String, Value>) -> Option<&'static str> {
    match (vendor, reason) {
        (Vendor::Entra, Reason::AudienceMismatch) if is_for_graph(claims) => Some(ENTRA_GRAPH),
        (Vendor::Entra, Reason::AudienceMismatch) => Some(ENTRA_AUDIENCE),
        (Vendor::Entra, Reason::TokenTypeRefused) => Some(ENTRA_KIND),
        (Vendor::Entra, Reason::TokenClaimsInvalid) if !claims.contains_key("oid") => Some(ENTRA_CLAIMS),
        (Vendor::Auth0, Reason::AudienceMismatch) if all_audiences(claims, |aud| aud.ends_with("/userinfo")) => {
            Some(AUTH0_USERINFO)
        }
        (Vendor::Auth0, Reason::AudienceMismatch) => Some(AUTH0_AUDIENCE),
        (Vendor::Okta, Reason::AudienceMismatch) => Some(OKTA_AUDIENCE),
        (Vendor::Keycloak, Reason::AudienceMismatch) => Some(KEYCLOAK_AUDIENCE),
        (Vendor::Keycloak, Reason::TokenClaimsInvalid) if !claims.contains_key("aud") => Some(KEYCLOAK_AUDIENCE),
        (Vendor::Cognito, Reason::AudienceMismatch) if !claims.contains_key("aud") => Some(COGNITO_NO_AUDIENCE),
        (Vendor::Cognito, Reason::AudienceMismatch) => Some(COGNITO_AUDIENCE),
        (Vendor::Google, Reason::AudienceMismatch) => Some(GOOGLE_AUDIENCE),
        (Vendor::Google, Reason::TokenTypeRefused) => Some(GOOGLE_KIND),
        (Vendor::Auth0 | Vendor::Okta | Vendor::Keycloak | Vendor::Cognito, Reason::TokenTypeRefused) => Some(ID_TOKEN),
        (
            Vendor::Generic
            | Vendor::Auth0
            | Vendor::Okta
            | Vendor::Entra
            | Vendor::Keycloak
            | Vendor::Cognito
            | Vendor::Google,
            _,
        ) => None,
    }
}

fn entra_issuer(own: &str, claims: &Map<String, Value>) -> Option<&'static str> {
    if is_for_graph(claims) {
        return Some(ENTRA_GRAPH);
    }
    let version = claims.get("ver").and_then(Value::as_str)?;
    match (own.ends_with("/v2.0"), version) {
        (true, "1.0") => Some(ENTRA_V1),
        (false, "2.0") => Some(ENTRA_V2),
        (true, "2.0") | (false, "1.0") => Some(ENTRA_TENANT),
        (true | false, _) => None,
    }
}

/// The path of a realm, whatever the host.
fn realm(issuer: &str) -> Option<&str> {
    issuer.split_once("/realms/").map(|(_, realm)| realm)
}

fn is_for_graph(claims: &Map<String, Value>) -> bool {
    all_audiences(claims, |audience| GRAPH.contains(&audience))
}

/// Whether the token has an audience, and all of them are so.
fn all_audiences(claims: &Map<String, Value>, is_so: impl Fn(&str) -> bool) -> bool {
    match claims.get("aud") {
        Some(Value::String(one)) => is_so(one),
        Some(Value::Array(list)) => !list.is_empty() && list.iter().all(|one| one.as_str().is_some_and(&is_so)),
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) | None => false,
    }
}
