//! Dynamic client registration (RFC 7591). Anyone may register, so that a registration proves nothing: it is a random
//! id for a set of redirect URIs. No address in the metadata is ever fetched, and what isn't kept isn't echoed.

use std::time::SystemTime;

use http::HeaderMap;
use serde::{Deserialize, Serialize};

use crate::broker::Broker;
use crate::client::{ApplicationType, Client, ClientId, DisplayName};
use crate::clock::unix_seconds;
use crate::error::{Fault, RegisterError};
use crate::events::BrokerEvent;
use crate::parameters::{MAX_BYTES, is_media_type};
use crate::random::{RandomnessUnavailable, random_text};
use crate::redirect::RedirectUri;

/// Most redirect URIs of a client.
const MAX_REDIRECT_URIS: usize = 10;

/// What of the client's metadata is read; all else is ignored (RFC 7591 section 2 allows that).
#[derive(Debug, Deserialize)]
struct ClientMetadata {
    #[serde(default)]
    redirect_uris: Vec<String>,
    client_name: Option<String>,
    token_endpoint_auth_method: Option<String>,
    grant_types: Option<Vec<String>>,
    response_types: Option<Vec<String>>,
    application_type: Option<ApplicationType>,
}

/// Client metadata that keeps to the rules.
#[derive(Debug)]
struct Accepted {
    redirect_uris: Vec<RedirectUri>,
    name: Option<DisplayName>,
    may_refresh: bool,
    application_type: ApplicationType,
}

/// The answer (RFC 7591 section 3.2.1): what was registered, which may be less than what was asked for.
#[derive(Debug, Serialize)]
pub(crate) struct Registered {
    client_id: ClientId,
    client_id_issued_at: u64,
    redirect_uris: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_name: Option<DisplayName>,
    token_endpoint_auth_method: &'static str,
    grant_types: Vec<&'static str>,
    response_types: [&'static str; 1],
    application_type: ApplicationType,
}

/// Registers a client.
pub(crate) async fn register(broker: &Broker, headers: &HeaderMap, body: &[u8]) -> Result<Registered, RegisterError> {
    broker.admit_registration().map_err(|retry_after| RegisterError::TooMany { retry_after })?;
    if !is_media_type(headers, "application/json") {
        return Err(RegisterError::NotJson);
    }
    if body.len() > MAX_BYTES {
        return Err(RegisterError::TooLong);
    }
    let metadata = serde_json::from_slice(body).map_err(|_| RegisterError::Malformed)?;
    let accepted = accept(metadata, &broker.settings().private_use_schemes)?;
    let id = new_client_id(broker)?;
    let now = broker.now();
    let client = client(id, accepted, now, now + broker.settings().client_idle_lifetime);
    let registered = Registered::of(&client);
    broker.store().add_client(client, now).await?;
    let (client_id, redirect_uris) = (registered.client_id.clone(), registered.redirect_uris.clone());
    broker.record(BrokerEvent::ClientRegistered { client_id, redirect_uris });
    Ok(registered)
}

fn accept(metadata: ClientMetadata, private_use_schemes: &[String]) -> Result<Accepted, RegisterError> {
    if metadata.redirect_uris.is_empty() || metadata.redirect_uris.len() > MAX_REDIRECT_URIS {
        return Err(RegisterError::RedirectUriCount);
    }
    let parsed = metadata.redirect_uris.iter().map(|text| RedirectUri::parse(text, private_use_schemes));
    let redirect_uris = parsed.collect::<Result<Vec<_>, _>>()?;
    // Clients that ask for a secret out of habit get none and are told so by `none` in the answer.
    let auth_method = metadata.token_endpoint_auth_method.as_deref().unwrap_or("none");
    if !matches!(auth_method, "none" | "client_secret_basic" | "client_secret_post") {
        return Err(RegisterError::AuthMethod);
    }
    let grant_types = metadata.grant_types.unwrap_or_else(|| vec!["authorization_code".to_owned()]);
    if !grant_types.iter().any(|grant| grant == "authorization_code") {
        return Err(RegisterError::GrantTypes);
    }
    if metadata.response_types.is_some_and(|types| !types.iter().any(|kind| kind == "code")) {
        return Err(RegisterError::ResponseTypes);
    }
    let native = redirect_uris.iter().any(RedirectUri::is_native);
    let derived = if native { ApplicationType::Native } else { ApplicationType::Web };
    Ok(Accepted {
        name: metadata.client_name.as_deref().and_then(DisplayName::from_client),
        may_refresh: grant_types.iter().any(|grant| grant == "refresh_token"),
        application_type: metadata.application_type.unwrap_or(derived),
        redirect_uris,
    })
}

fn new_client_id(broker: &Broker) -> Result<ClientId, RegisterError> {
    let text = random_text::<16>(broker.random())?;
    ClientId::parse(&text).ok_or(RegisterError::Fault(Fault::Randomness(RandomnessUnavailable)))
}

fn client(id: ClientId, accepted: Accepted, now: SystemTime, expires_at: SystemTime) -> Client {
    let Accepted { redirect_uris, name, may_refresh, application_type } = accepted;
    Client { id, name, redirect_uris, may_refresh, application_type, registered_at: now, last_used: None, expires_at }
}

impl Registered {
    fn of(client: &Client) -> Self {
        let refresh = client.may_refresh.then_some("refresh_token");
        Self {
            client_id: client.id.clone(),
            client_id_issued_at: unix_seconds(client.registered_at),
            redirect_uris: client.redirect_uris.iter().map(|uri| uri.as_str().to_owned()).collect(),
            client_name: client.name.clone(),
            token_endpoint_auth_method: "none",
            grant_types: ["authorization_code"].into_iter().chain(refresh).collect(),
            response_types: ["code"],
            application_type: client.application_type,
        }
    }
}
