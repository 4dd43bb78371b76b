//! The authorization server's metadata (RFC 8414). There is no `openid-configuration`: this is no OpenID provider, and
//! clients fall back to the RFC 8414 document, which every MCP revision reads first.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::config::Settings;
use crate::resource::ResourceId;
use crate::scope::ScopeName;

/// Endpoint paths below the issuer.
pub(crate) mod paths {
    /// Authorization endpoint and consent page.
    pub(crate) const AUTHORIZE: &str = "/authorize";
    /// The consent page's style sheet.
    pub(crate) const STYLE: &str = "/authorize/style.css";
    /// Token endpoint.
    pub(crate) const TOKEN: &str = "/token";
    /// Registration endpoint.
    pub(crate) const REGISTER: &str = "/register";
    /// Public keys.
    pub(crate) const JWKS: &str = "/jwks";
}

/// The document.
#[derive(Debug, Serialize)]
pub(crate) struct Metadata<'a> {
    issuer: &'a str,
    authorization_endpoint: String,
    token_endpoint: String,
    registration_endpoint: String,
    jwks_uri: String,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    scopes_supported: BTreeSet<&'a ScopeName>,
    response_types_supported: [&'static str; 1],
    response_modes_supported: [&'static str; 1],
    grant_types_supported: [&'static str; 2],
    token_endpoint_auth_methods_supported: [&'static str; 1],
    code_challenge_methods_supported: [&'static str; 1],
    authorization_response_iss_parameter_supported: bool,
    client_id_metadata_document_supported: bool,
    /// RFC 9728 section 4: lets a client check that both sides name each other.
    protected_resources: Vec<&'a ResourceId>,
}

impl<'a> Metadata<'a> {
    pub(crate) fn of(settings: &'a Settings) -> Self {
        let issuer = &settings.issuer;
        let scopes = settings.resources.iter().flat_map(|resource| &resource.scopes);
        Self {
            issuer: issuer.as_str(),
            authorization_endpoint: issuer.url_of(paths::AUTHORIZE),
            token_endpoint: issuer.url_of(paths::TOKEN),
            registration_endpoint: issuer.url_of(paths::REGISTER),
            jwks_uri: issuer.url_of(paths::JWKS),
            scopes_supported: scopes.map(|scope| &scope.name).collect(),
            response_types_supported: ["code"],
            response_modes_supported: ["query"],
            grant_types_supported: ["authorization_code", "refresh_token"],
            token_endpoint_auth_methods_supported: ["none"],
            code_challenge_methods_supported: ["S256"],
            authorization_response_iss_parameter_supported: true,
            client_id_metadata_document_supported: false,
            protected_resources: settings.resources.iter().map(|resource| &resource.id).collect(),
        }
    }
}
