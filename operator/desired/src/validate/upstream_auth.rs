//! As whom the server is called. What a tenant writes here must lead neither to the caller's token, nor to a token that is
//! good at Tollward itself, nor to a Secret that he may not read.

use super::{EndpointPlan, ProviderPlan};
use crate::finding::Findings;
use crate::identity::Identity;
use crate::names::{MAX_SECRET_KEY, UPSTREAM_FOLDER};
use crate::provider_key::referenced_key;
use std::path::{Path, PathBuf};
use tollward_api::condition::ConditionReason;
use tollward_api::mcpserver::{
    ActAs, AuthMode, AuthSpec, Credential, CredentialScheme, ExchangeClient, SignedAssertion, TokenExchange,
    UpstreamAuthSpec, UpstreamAuthType,
};
use tollward_api::owned::is_owned;
use tollward_policy::config::{ClientAuthentication, is_credential_header};

const REASON: ConditionReason = ConditionReason::InvalidUpstreamAuth;
const PLACE: &str = "spec.upstreamAuth";

/// As whom the server is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UpstreamAuthPlan {
    /// As nobody.
    None,
    /// With a signed assertion.
    SignedAssertion {
        /// `aud`.
        audience: String,
    },
    /// With an exchanged token.
    TokenExchange {
        /// Client id.
        client: String,
        /// How the client's secret is shown.
        authentication: ClientAuthentication,
        /// The client's secret: one key.
        secret: MountedSecret,
        /// `audience` of the request.
        audience: Option<String>,
        /// `resource` of the request.
        resource: Option<String>,
        /// `scope` of the request.
        scopes: Vec<String>,
        /// Longest life, in seconds.
        max_lifetime_seconds: u32,
    },
    /// With one credential for all.
    Credential {
        /// Its form.
        form: FormPlan,
        /// Where it is: one key, or user and password.
        secret: MountedSecret,
    },
}

/// How a credential is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FormPlan {
    /// `Authorization: Bearer`.
    Bearer,
    /// `Authorization: Basic`.
    Basic,
    /// In this header.
    Header(String),
}

/// A Secret of the server's namespace, as the data plane's container has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountedSecret {
    /// Name of the Secret.
    pub name: String,
    /// Keys that are used.
    pub keys: Vec<String>,
}

impl MountedSecret {
    /// Its folder in the data plane's container.
    pub(crate) fn folder(&self) -> PathBuf {
        Path::new(UPSTREAM_FOLDER).join(&self.name)
    }
}

impl UpstreamAuthPlan {
    /// The Secret that it needs.
    pub fn secret(&self) -> Option<&MountedSecret> {
        match self {
            Self::None | Self::SignedAssertion { audience: _ } => None,
            Self::TokenExchange { secret, .. } | Self::Credential { form: _, secret } => Some(secret),
        }
    }
}

pub(super) fn judge(
    spec: &UpstreamAuthSpec,
    auth: &AuthSpec,
    endpoint: &EndpointPlan,
    providers: &[ProviderPlan],
    identity: &Identity,
    findings: &mut Findings,
) -> Option<UpstreamAuthPlan> {
    let UpstreamAuthSpec { kind, signed_assertion, token_exchange, credential } = spec;
    let own = Own { endpoint: endpoint.url().as_str(), audience: auth.audience.as_ref().map(|it| it.value.as_str()) };
    match (kind, signed_assertion, token_exchange, credential) {
        (UpstreamAuthType::None, None, None, None) => Some(UpstreamAuthPlan::None),
        (UpstreamAuthType::SignedAssertion, given, None, None) => {
            needs_callers(auth, "SignedAssertion", findings)?;
            assertion(given.as_ref(), &own, identity, findings)
        }
        (UpstreamAuthType::TokenExchange, None, Some(given), None) => {
            needs_callers(auth, "TokenExchange", findings)?;
            token_endpoint(auth, providers, findings)?;
            exchange(given, &own, &exchange_key(auth, identity), findings)
        }
        (UpstreamAuthType::Credential, None, None, Some(given)) => shared(given, identity, findings),
        (
            UpstreamAuthType::None
            | UpstreamAuthType::SignedAssertion
            | UpstreamAuthType::TokenExchange
            | UpstreamAuthType::Credential,
            _,
            _,
            _,
        ) => {
            refuse(
                findings,
                "set tokenExchange if type is TokenExchange, credential if it is Credential, and nothing else",
            );
            None
        }
    }
}

fn refuse(findings: &mut Findings, message: impl std::fmt::Display) {
    findings.server(REASON, format!("{PLACE}: {message}"));
}

fn needs_callers(auth: &AuthSpec, kind: &str, findings: &mut Findings) -> Option<()> {
    match auth.mode {
        AuthMode::OAuth => Some(()),
        AuthMode::None => {
            refuse(findings, format!("type {kind} needs auth.mode OAuth: without it callers are unknown"));
            None
        }
    }
}

/// What a token or assertion for the server must not be made for: then the server could call Tollward with it.
struct Own<'a> {
    endpoint: &'a str,
    audience: Option<&'a str>,
}

impl Own<'_> {
    fn refuse(&self, field: &str, value: Option<&String>, findings: &mut Findings) -> Option<()> {
        let is_own = |value: &String| value == self.endpoint || Some(value.as_str()) == self.audience;
        if value.is_some_and(is_own) {
            refuse(findings, format!("{field} is what callers' tokens are issued for; name the server behind it"));
            return None;
        }
        Some(())
    }
}

fn assertion(
    given: Option<&SignedAssertion>,
    own: &Own<'_>,
    identity: &Identity,
    findings: &mut Findings,
) -> Option<UpstreamAuthPlan> {
    let named = given.and_then(|given| given.audience.as_ref());
    own.refuse("signedAssertion.audience", named, findings)?;
    let audience = named.cloned().unwrap_or_else(|| identity.uid().to_owned());
    Some(UpstreamAuthPlan::SignedAssertion { audience })
}

/// With a configured key set there is no discovery, which would find the token endpoint.
fn token_endpoint(auth: &AuthSpec, providers: &[ProviderPlan], findings: &mut Findings) -> Option<()> {
    // One with several tenants is several issuers.
    if auth.identity_providers.len() != 1 || providers.len() > 1 {
        refuse(
            findings,
            "type TokenExchange needs exactly one entry in auth.identityProviders, with one tenant: a caller's token may go \
             to its issuer only",
        );
        return None;
    }
    for provider in providers {
        if provider.config.jwks_url.is_some() && provider.config.token_url.is_none() {
            let name = provider.name();
            let message = "has jwksURL, so that its metadata are not read; set tokenURL as well";
            refuse(findings, format!("type TokenExchange: IdentityProvider `{name}` {message}"));
            return None;
        }
    }
    Some(())
}

/// The one key of a Secret that may be shown to the provider for this server. Who may write `MCPServer`s chooses both, and need
/// not be somebody who may read the Secret: the key says that its owner means this very server and provider.
fn exchange_key(auth: &AuthSpec, identity: &Identity) -> String {
    let provider = auth.identity_providers.first().map(|it| referenced_key(it, identity.namespace()));
    format!("exchange.{}.{}", identity.name(), provider.unwrap_or_default().replace('/', "."))
}

/// The same for a credential, which goes to whatever is behind this server.
fn credential_key(identity: &Identity) -> String {
    format!("credential.{}", identity.name())
}

fn exchange(given: &TokenExchange, own: &Own<'_>, key: &str, findings: &mut Findings) -> Option<UpstreamAuthPlan> {
    let TokenExchange { client, audience, resource, scopes, max_token_lifetime } = given;
    let ExchangeClient { id, secret_name, authentication } = client;
    own.refuse("tokenExchange.audience", audience.as_ref(), findings)?;
    own.refuse("tokenExchange.resource", resource.as_ref(), findings)?;
    let lifetime = "spec.upstreamAuth.tokenExchange.maxTokenLifetime";
    let max_lifetime_seconds = findings.keep(REASON, lifetime, max_token_lifetime.seconds())?;
    Some(UpstreamAuthPlan::TokenExchange {
        client: id.clone(),
        authentication: *authentication,
        secret: mounted(secret_name, vec![key.to_owned()], findings)?,
        audience: audience.clone(),
        resource: resource.clone(),
        scopes: scopes.clone(),
        max_lifetime_seconds,
    })
}

fn shared(given: &Credential, identity: &Identity, findings: &mut Findings) -> Option<UpstreamAuthPlan> {
    let Credential { scheme, secret_name, header, act_as } = given;
    match act_as {
        Some(ActAs::Shared) => {}
        Some(ActAs::User) => {
            refuse(findings, "credential.actAs User needs the broker, which this version does not have");
        }
        None => {
            refuse(findings, "credential: all callers would share this account; if that is meant, write actAs: Shared");
        }
    }
    let key = credential_key(identity);
    let (form, keys) = match (scheme, header) {
        (CredentialScheme::Bearer, None) => (FormPlan::Bearer, vec![key]),
        (CredentialScheme::Basic, None) => {
            (FormPlan::Basic, ["username", "password"].map(|part| format!("{key}.{part}")).into())
        }
        (CredentialScheme::Header, Some(name)) if is_credential_header(name) => {
            (FormPlan::Header(name.clone()), vec![key])
        }
        (CredentialScheme::Header, Some(name)) => {
            refuse(findings, format!("credential.header: a credential may not stand in `{name}`"));
            return None;
        }
        (CredentialScheme::Bearer | CredentialScheme::Basic | CredentialScheme::Header, _) => {
            refuse(findings, "credential: set header only and always with scheme Header");
            return None;
        }
    };
    act_as.filter(|it| *it == ActAs::Shared)?;
    Some(UpstreamAuthPlan::Credential { form, secret: mounted(secret_name, keys, findings)? })
}

/// A file's path is made of both names.
fn mounted(name: &str, keys: Vec<String>, findings: &mut Findings) -> Option<MountedSecret> {
    let plain = |text: &str, more: &str| {
        !text.is_empty()
            && !text.starts_with('.')
            && text.chars().all(|it| it.is_ascii_alphanumeric() || more.contains(it))
    };
    if is_owned(name) {
        refuse(findings, format!("Secret `{name}` belongs to Tollward"));
        return None;
    }
    if !plain(name, "-.") || !keys.iter().all(|key| plain(key, "-._")) {
        refuse(findings, format!("`{name}` with the keys {keys:?} is no Secret with keys that can be files"));
        return None;
    }
    if let Some(key) = keys.iter().find(|key| key.len() > MAX_SECRET_KEY) {
        refuse(
            findings,
            format!("no Secret has the key `{key}` of more than {MAX_SECRET_KEY} characters; choose shorter names"),
        );
        return None;
    }
    Some(MountedSecret { name: name.to_owned(), keys })
}
