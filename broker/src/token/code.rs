//! The authorization code grant (RFC 6749 section 4.1.3 with PKCE, RFC 7636 section 4.6).

use std::time::Duration;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq;

use super::issue::{self, Issuance, IssuedTokens};
use crate::broker::Broker;
use crate::client::{Client, ClientId};
use crate::error::TokenError;
use crate::events::{BrokerEvent, GrantType, RevocationCause};
use crate::grant::{CodeHash, CodeRecord, Family, FamilyId};
use crate::parameters::Parameters;
use crate::random::random_text;
use crate::store::Redemption;

/// How long a used code is remembered, to notice that it leaked.
const REPLAY_MEMORY: Duration = Duration::from_mins(10);

pub(super) async fn exchange(
    broker: &Broker,
    client: &Client,
    parameters: &Parameters,
) -> Result<IssuedTokens, TokenError> {
    let code = parameters.get("code")?.ok_or(TokenError::Missing("code"))?;
    let presented = Presented {
        client_id: &client.id,
        redirect_uri: parameters.get("redirect_uri")?,
        verifier: parameters.get("code_verifier")?.ok_or(TokenError::Missing("code_verifier"))?,
    };
    let hash = CodeHash::of(code);
    let record = broker.store().code(&hash, broker.now()).await?.ok_or(TokenError::CodeUnknown)?;
    presented.check(&record)?;
    super::check_resource(parameters, &record.grant.resource)?;
    if !super::is_consented(broker, &record.grant).await? {
        return Err(TokenError::ConsentWithdrawn);
    }
    let family = redeem(broker, &hash, &record).await?;
    super::note_use(broker, client).await?;
    let issuance = Issuance {
        scopes: record.grant.scopes.clone(),
        grant: record.grant,
        family,
        refresh_generation: client.may_refresh.then_some(0),
        grant_type: GrantType::AuthorizationCode,
    };
    issue::issue(broker, issuance)
}

/// What the caller shows besides the code.
struct Presented<'a> {
    client_id: &'a ClientId,
    redirect_uri: Option<&'a str>,
    verifier: &'a str,
}

impl Presented<'_> {
    /// OAuth 2.1 clients no longer repeat the redirect URI, as PKCE protects more than it did; a differing one is
    /// refused.
    fn check(&self, record: &CodeRecord) -> Result<(), TokenError> {
        if *self.client_id != record.grant.client_id {
            return Err(TokenError::CodeClient);
        }
        if self.redirect_uri.is_some_and(|uri| uri != record.redirect_uri) {
            return Err(TokenError::CodeRedirect);
        }
        if !proves(self.verifier, &record.code_challenge) {
            return Err(TokenError::Verifier);
        }
        Ok(())
    }
}

/// Whether `verifier` is well-formed (RFC 7636 section 4.1) and its digest is the challenge.
fn proves(verifier: &str, challenge: &str) -> bool {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    if !(43..=128).contains(&verifier.len()) || !verifier.bytes().all(unreserved) {
        return false;
    }
    let digest = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()));
    digest.as_bytes().ct_eq(challenge.as_bytes()).into()
}

async fn redeem(broker: &Broker, hash: &CodeHash, record: &CodeRecord) -> Result<FamilyId, TokenError> {
    let now = broker.now();
    let id = FamilyId(random_text::<16>(broker.random())?);
    let family = Family {
        grant: record.grant.clone(),
        generation: 0,
        revoked: false,
        expires_at: now + broker.settings().refresh_lifetime,
        last_used: now,
    };
    match broker.store().redeem_code(hash, id.clone(), family, now + REPLAY_MEMORY, now).await? {
        Redemption::First => Ok(id),
        Redemption::Replayed(family) => {
            broker.record(BrokerEvent::FamilyRevoked { family, cause: RevocationCause::CodeReplayed });
            Err(TokenError::CodeReplayed)
        }
        Redemption::Unknown => Err(TokenError::CodeUnknown),
    }
}

#[cfg(test)]
mod tests {
    use super::proves;

    #[test]
    fn the_example_of_rfc_7636_appendix_b_proves_itself() {
        let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        assert!(proves("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", challenge));
        assert!(!proves("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXl", challenge));
        assert!(!proves(challenge, challenge), "plain is not accepted");
        assert!(!proves("", challenge));
    }
}
