//! Whether a verified token is an access token at all. An issuer signs ID, refresh and logout tokens with the same keys, and
//! one of those at a resource server is somebody else's sign-in (RFC 8725 §2.8, RFC 9068 §5).

use super::compact::Verified;
use super::refusal::Refusal;
use serde_json::{Map, Value};
use tollward_policy::config::{ClaimMark, ProviderConfig, TokenType};
use tollward_policy::reason::Reason;

/// Claims of ID tokens, security events and verifiable credentials, which no access token has.
const FOREIGN_CLAIMS: [&str; 7] = ["nonce", "at_hash", "c_hash", "s_hash", "events", "vc", "vp"];
/// Keycloak's `typ` claim of tokens that are no access tokens, in lower case.
const FOREIGN_TYPES: [&str; 7] =
    ["id", "refresh", "offline", "logout", "serialized-id", "registrationaccesstoken", "initialaccesstoken"];

/// Refuses what is not an access token of a type that the provider may issue.
pub(super) fn check(verified: &Verified, provider: &ProviderConfig) -> Result<(), Refusal> {
    let claims = verified.claims();
    let token_type = match verified.token_type() {
        None => TokenType::Absent,
        Some("jwt") => TokenType::Jwt,
        Some("at+jwt") => TokenType::AccessToken,
        Some(_) => return Err(refused("typ in the header of the token is not that of an access token")),
    };
    if !provider.token_types.contains(&token_type) {
        return Err(refused("typ in the header of the token is not one that the provider may use"));
    }
    match token_type {
        TokenType::AccessToken => {}
        TokenType::Jwt | TokenType::Absent => check_marks(claims, provider)?,
    }
    check_profile(claims, &provider.profile.marks)
}

/// What every access token of the vendor has, whatever its header says.
fn check_profile(claims: &Map<String, Value>, marks: &[ClaimMark]) -> Result<(), Refusal> {
    let holds = |ClaimMark { name, values }: &ClaimMark| {
        let text = claims.get(name).and_then(Value::as_str);
        text.is_some_and(
            |text| if values.is_empty() { !text.is_empty() } else { values.iter().any(|value| value == text) },
        )
    };
    if marks.iter().all(holds) {
        Ok(())
    } else {
        Err(refused("the token lacks a claim that every access token of its provider has"))
    }
}

/// Refuses an answer about something else than an access token: servers answer about refresh tokens too (RFC 7662 §2.1).
pub(super) fn check_answer(members: &Map<String, Value>, provider: &ProviderConfig) -> Result<(), Refusal> {
    let is_one_of = |name: &str, good: &[&str]| {
        let listed = |text: &str| good.iter().any(|good| good.eq_ignore_ascii_case(text));
        members.get(name).is_none_or(|value| value.as_str().is_some_and(listed))
    };
    // RFC 6749 §7.1 has `Bearer`, RFC 9449 §5 `DPoP`, which is nothing without the key. Some servers tell here, others in
    // `token_use`, that it is no refresh token.
    let types: &[&str] =
        if members.contains_key("cnf") { &["Bearer", "DPoP", "access_token"] } else { &["Bearer", "access_token"] };
    if !is_one_of("token_type", types) {
        return Err(refused(
            "the authorization server says that the token is no access token of a known type (token_type)",
        ));
    }
    if !is_one_of("token_use", &["access", "access_token"]) {
        return Err(refused("the authorization server says that the token is no access token (token_use)"));
    }
    check_content(members, provider)
}

/// A token that does not say what it is must look like an access token and like nothing else.
fn check_marks(claims: &Map<String, Value>, provider: &ProviderConfig) -> Result<(), Refusal> {
    check_content(claims, provider)?;
    if claims.get("token_use").is_some_and(|value| value.as_str() != Some("access")) {
        return Err(refused("the claim token_use is not access"));
    }
    Ok(())
}

fn check_content(claims: &Map<String, Value>, provider: &ProviderConfig) -> Result<(), Refusal> {
    if FOREIGN_CLAIMS.iter().any(|name| claims.contains_key(*name)) {
        return Err(refused("the token has a claim of an ID token, a security event or a credential"));
    }
    let is_foreign =
        |value: &Value| value.as_str().is_none_or(|text| FOREIGN_TYPES.contains(&text.to_ascii_lowercase().as_str()));
    if claims.get("typ").is_some_and(is_foreign) {
        return Err(refused("the claim typ is not that of an access token"));
    }
    // An ID token without a nonce shows itself only by what it lacks.
    let names = &provider.claims;
    if !names.client.iter().chain(&names.scopes).any(|name| claims.contains_key(name)) {
        return Err(refused("the token has neither a client nor scopes, so it may be an ID token"));
    }
    Ok(())
}

const fn refused(detail: &'static str) -> Refusal {
    Refusal::new(Reason::TokenTypeRefused, detail)
}
