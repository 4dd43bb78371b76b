//! Access tokens (RFC 9068) and the answer that carries them (RFC 6749 section 5.1).

use std::time::SystemTime;

use serde::Serialize;
use serde_json::{Map, Value};

use super::refresh_token;
use crate::broker::Broker;
use crate::clock::unix_seconds;
use crate::config::Settings;
use crate::error::{Fault, TokenError};
use crate::events::{BrokerEvent, GrantType};
use crate::grant::{FamilyId, Grant};
use crate::random::random_text;
use crate::scope::ScopeSet;

/// All that was decided about a token that will be issued now.
pub(super) struct Issuance {
    pub(super) grant: Grant,
    pub(super) scopes: ScopeSet,
    pub(super) family: FamilyId,
    /// The generation of the refresh token that goes along, if one does.
    pub(super) refresh_generation: Option<u64>,
    pub(super) grant_type: GrantType,
}

/// The answer. `Debug` is absent: it is made of secrets.
#[derive(Serialize)]
pub(crate) struct IssuedTokens {
    access_token: String,
    token_type: &'static str,
    expires_in: u64,
    scope: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
}

pub(super) fn issue(broker: &Broker, issuance: Issuance) -> Result<IssuedTokens, TokenError> {
    let Issuance { grant, scopes, family, refresh_generation, grant_type } = issuance;
    let settings = broker.settings();
    let token_id = random_text::<16>(broker.random())?;
    let claims = claims(settings, &grant, &scopes, &token_id, broker.now());
    let access_token = broker.keys().current().sign_access_token(&claims).map_err(|_| Fault::Signing)?;
    let issued = IssuedTokens {
        access_token,
        token_type: "Bearer",
        expires_in: settings.token_lifetime.as_secs(),
        scope: scopes.to_string(),
        refresh_token: refresh_generation.map(|generation| refresh_token::write(broker.seals(), &family, generation)),
    };
    broker.record(BrokerEvent::TokenIssued { grant, scopes, token_id, family, grant_type });
    Ok(issued)
}

/// The claims of RFC 9068 section 2.2 over those that configuration gives the user, so that the latter can't win.
fn claims(
    settings: &Settings,
    grant: &Grant,
    scopes: &ScopeSet,
    token_id: &str,
    now: SystemTime,
) -> Map<String, Value> {
    let mut claims: Map<String, Value> = settings.claims(&grant.subject).into_iter().collect();
    let issued_at = unix_seconds(now);
    let expires_at = issued_at.saturating_add(settings.token_lifetime.as_secs());
    let own: [(&str, Value); 9] = [
        ("iss", settings.issuer.as_str().into()),
        ("sub", grant.subject.as_str().into()),
        ("aud", grant.resource.as_str().into()),
        ("client_id", grant.client_id.as_str().into()),
        ("scope", scopes.to_string().into()),
        ("iat", issued_at.into()),
        ("exp", expires_at.into()),
        ("jti", token_id.into()),
        ("auth_time", unix_seconds(grant.auth_time).into()),
    ];
    claims.extend(own.map(|(name, value)| (name.to_owned(), value)));
    claims
}
