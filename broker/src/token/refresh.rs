//! The refresh token grant with rotation and reuse detection (OAuth 2.1 section 4.3): a forged token has no effect at
//! all, a genuine old one ends the family.

use super::issue::{self, Issuance, IssuedTokens};
use super::refresh_token;
use crate::broker::Broker;
use crate::client::Client;
use crate::error::TokenError;
use crate::events::{BrokerEvent, GrantType, RevocationCause};
use crate::grant::FamilyId;
use crate::parameters::Parameters;
use crate::store::Rotation;

pub(super) async fn exchange(
    broker: &Broker,
    client: &Client,
    parameters: &Parameters,
) -> Result<IssuedTokens, TokenError> {
    if !client.may_refresh {
        return Err(TokenError::GrantNotRegistered);
    }
    let presented = parameters.get("refresh_token")?.ok_or(TokenError::Missing("refresh_token"))?;
    let (id, generation) = refresh_token::read(broker.seals(), presented).ok_or(TokenError::RefreshUnknown)?;
    let now = broker.now();
    let family = broker.store().family(&id, now).await?.ok_or(TokenError::RefreshUnknown)?;
    if family.grant.client_id != client.id {
        return Err(TokenError::RefreshClient);
    }
    super::check_resource(parameters, &family.grant.resource)?;
    let scopes = super::check_scopes(parameters, &family.grant.scopes)?;
    if !super::is_consented(broker, &family.grant).await? {
        broker.store().revoke_family(&id, now).await?;
        broker.record(BrokerEvent::FamilyRevoked { family: id, cause: RevocationCause::ConsentWithdrawn });
        return Err(TokenError::ConsentWithdrawn);
    }
    let generation = rotate(broker, &id, generation).await?;
    super::note_use(broker, client).await?;
    let issuance = Issuance {
        grant: family.grant,
        scopes,
        family: id,
        refresh_generation: Some(generation),
        grant_type: GrantType::RefreshToken,
    };
    issue::issue(broker, issuance)
}

async fn rotate(broker: &Broker, id: &FamilyId, presented: u64) -> Result<u64, TokenError> {
    match broker.store().rotate_family(id, presented, broker.now()).await? {
        Rotation::Rotated(generation) => Ok(generation),
        Rotation::Reused => {
            let cause = RevocationCause::RefreshReused;
            broker.record(BrokerEvent::FamilyRevoked { family: id.clone(), cause });
            Err(TokenError::RefreshReused)
        }
        Rotation::Unknown => Err(TokenError::RefreshUnknown),
    }
}
