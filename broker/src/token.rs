//! The token endpoint: a code or a refresh token in, a short access token out. All that binds a credential to its
//! owner is checked before the credential is used up, so that a thief's attempt costs the owner nothing.

mod code;
mod issue;
mod refresh;
mod refresh_token;

use http::{HeaderMap, header};

use crate::broker::Broker;
use crate::client::{Client, ClientId};
use crate::error::TokenError;
use crate::grant::Grant;
use crate::parameters::{Parameters, is_form};
use crate::resource::ResourceId;
use crate::scope::ScopeSet;
use crate::store::ConsentKey;

pub(crate) use self::issue::IssuedTokens;

/// A refusal, and who claimed to ask.
pub(crate) struct Refused {
    pub(crate) error: TokenError,
    pub(crate) client_id: Option<ClientId>,
}

/// `POST /token`.
pub(crate) async fn exchange(broker: &Broker, headers: &HeaderMap, body: &[u8]) -> Result<IssuedTokens, Refused> {
    let parameters = read(headers, body).map_err(|error| Refused { error, client_id: None })?;
    let client_id = parameters.get("client_id").ok().flatten().and_then(ClientId::parse);
    let result = exchange_for(broker, &parameters, client_id.as_ref()).await;
    result.map_err(|error| Refused { error, client_id })
}

fn read(headers: &HeaderMap, body: &[u8]) -> Result<Parameters, TokenError> {
    if !is_form(headers) {
        return Err(TokenError::NotForm);
    }
    let parameters = Parameters::parse(body)?;
    if headers.contains_key(header::AUTHORIZATION) {
        return Err(TokenError::ClientAuthentication);
    }
    for name in ["client_secret", "client_assertion"] {
        if parameters.get(name)?.is_some() {
            return Err(TokenError::ClientAuthentication);
        }
    }
    Ok(parameters)
}

async fn exchange_for(
    broker: &Broker,
    parameters: &Parameters,
    client_id: Option<&ClientId>,
) -> Result<IssuedTokens, TokenError> {
    let grant_type = parameters.get("grant_type")?.ok_or(TokenError::Missing("grant_type"))?;
    parameters.get("client_id")?.ok_or(TokenError::Missing("client_id"))?;
    let client_id = client_id.ok_or(TokenError::ClientUnknown)?;
    let client = broker.store().client(client_id, broker.now()).await?.ok_or(TokenError::ClientUnknown)?;
    match grant_type {
        "authorization_code" => code::exchange(broker, &client, parameters).await,
        "refresh_token" => refresh::exchange(broker, &client, parameters).await,
        _ => Err(TokenError::GrantType),
    }
}

/// RFC 8707 section 2.2: a token request may name the resource again, and only the granted one.
fn check_resource(parameters: &Parameters, granted: &ResourceId) -> Result<(), TokenError> {
    if parameters.is_repeated("resource") {
        return Err(TokenError::Resource);
    }
    match parameters.get("resource")? {
        Some(presented) if !granted.is_named_by(presented) => Err(TokenError::Resource),
        Some(_) | None => Ok(()),
    }
}

/// The scopes asked for, or all that were granted.
fn check_scopes(parameters: &Parameters, granted: &ScopeSet) -> Result<ScopeSet, TokenError> {
    let Some(text) = parameters.get("scope")? else {
        return Ok(granted.clone());
    };
    let asked = ScopeSet::parse(text).map_err(|_| TokenError::Scope)?;
    if asked.is_empty() || !asked.is_subset(granted) {
        return Err(TokenError::Scope);
    }
    Ok(asked)
}

/// Whether the user still agrees to all of `grant`.
async fn is_consented(broker: &Broker, grant: &Grant) -> Result<bool, TokenError> {
    let key = ConsentKey {
        subject: grant.subject.clone(),
        client_id: grant.client_id.clone(),
        resource: grant.resource.clone(),
    };
    let consented = broker.store().consent(&key).await?;
    Ok(consented.is_some_and(|scopes| grant.scopes.is_subset(&scopes)))
}

/// Keeps a client that is in use.
async fn note_use(broker: &Broker, client: &Client) -> Result<(), TokenError> {
    let now = broker.now();
    broker.store().client_used(&client.id, now, now + broker.settings().client_idle_lifetime).await?;
    Ok(())
}
