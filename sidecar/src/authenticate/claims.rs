//! From verified claims to a caller, in two steps: [`read`] judges what stays true as long as the token exists, so that it is
//! remembered; [`judge`] what depends on the time and on the route, so that it is asked again for every request.

use super::advice;
use super::compact::Verified;
use super::confirmation::Confirmation;
use super::kind;
use super::membership;
use super::proof::ProvenKey;
use super::refusal::Refusal;
use super::sender_proof::SenderProof;
use serde_json::{Map, Value};
use std::sync::Arc;
use tollward_policy::clients::AllowedClients;
use tollward_policy::config::{ClaimNames, ProviderConfig, TokenProfile, Vendor};
use tollward_policy::principal::TokenPrincipal;
use tollward_policy::reason::Reason;

/// Longest subject, client id and token id in bytes.
const MAX_NAME: usize = 1024;

/// What a token proves about its holder, who is nobody until its sender is judged too.
#[derive(Debug)]
pub(super) struct Facts {
    principal: Arc<TokenPrincipal>,
    /// What it is bound to.
    pub(super) bound: Option<Confirmation>,
    /// The key of its proofs, once one was verified.
    pub(super) key: ProvenKey,
    audiences: Vec<String>,
    not_before: Option<i64>,
    issued_at: Option<i64>,
    leeway: i64,
    vendor: Vendor,
}

/// What a route asks of every token.
#[derive(Debug)]
pub(super) struct Demands {
    /// Values of `aud` that mean this server.
    pub(super) audiences: Vec<String>,
    /// Clients that may call.
    pub(super) clients: AllowedClients,
}

impl Demands {
    /// Whether the token is for this server.
    fn are_met_by(&self, audiences: &[String]) -> bool {
        self.audiences.iter().any(|own| audiences.contains(own))
    }

    /// Whether claims that were read before are of a token for this server.
    pub(super) fn is_meant(&self, claims: &Map<String, Value>, profile: &TokenProfile) -> bool {
        audiences(claims, &profile.audience).is_ok_and(|audiences| self.are_met_by(&audiences))
    }

    /// Whether the client may not call.
    pub(super) fn refuses_client(&self, token: &TokenPrincipal) -> bool {
        !self.clients.allow(token.client.as_deref())
    }
}

/// What is taken for granted about claims that do not say it themselves.
pub(super) struct Assumed {
    /// When the token expires.
    pub(super) expires_at: i64,
    /// Who holds it, if not whom the subject's claim names.
    pub(super) subject: Option<String>,
}

/// Reads the claims of `provider`'s token.
pub(super) fn read(verified: Verified, provider: &ProviderConfig) -> Result<Facts, Refusal> {
    let expires_at =
        first_look(&verified, provider).map_err(|refusal| advised(refusal, provider, verified.claims()))?;
    facts(verified.into_claims(), provider, Assumed { expires_at, subject: None })
}

/// Whether it is an access token of this issuer at all, and its `exp`.
fn first_look(verified: &Verified, provider: &ProviderConfig) -> Result<i64, Refusal> {
    kind::check(verified, provider)?;
    let claims = verified.claims();
    if claims.get("iss").and_then(Value::as_str) != Some(&provider.issuer) {
        return Err(Refusal::new(Reason::IssuerUnknown, "the access token is not from this issuer"));
    }
    time(claims, "exp")?.ok_or(invalid("the claim exp is missing"))
}

/// With what to change at the identity provider.
fn advised(refusal: Refusal, provider: &ProviderConfig, claims: &Map<String, Value>) -> Refusal {
    let advice = advice::for_claims(provider.profile.vendor, refusal.reason, claims);
    refusal.advised(advice)
}

/// What a token says itself that no answer about it may loosen.
pub(super) struct Own {
    /// `exp`.
    pub(super) expires_at: Option<i64>,
    /// `cnf`.
    pub(super) confirmation: Option<Value>,
}

impl Own {
    /// Of a token that says nothing.
    pub(super) const UNKNOWN: Self = Self { expires_at: None, confirmation: None };
}

/// Refuses a signed token that is no access token of `provider` or has expired, and gives what must hold whatever the
/// authorization server says about it.
pub(super) fn own(verified: &Verified, provider: &ProviderConfig, now: i64) -> Result<Own, Refusal> {
    kind::check(verified, provider).map_err(|refusal| advised(refusal, provider, verified.claims()))?;
    let expires_at = time(verified.claims(), "exp")?;
    let leeway = i64::from(provider.leeway_seconds);
    if expires_at.is_some_and(|expires_at| expires_at.saturating_add(leeway) < now) {
        return Err(expired());
    }
    Ok(Own { expires_at, confirmation: verified.claims().get("cnf").cloned() })
}

/// What is read out of claims.
struct Read {
    bound: Option<Confirmation>,
    subject: String,
    client: Option<String>,
    token_id: Option<String>,
    scopes: Vec<String>,
    audiences: Vec<String>,
    not_before: Option<i64>,
    issued_at: Option<i64>,
}

/// Reads claims that are known to be of an access token of `provider`.
pub(super) fn facts(claims: Map<String, Value>, provider: &ProviderConfig, assumed: Assumed) -> Result<Facts, Refusal> {
    let expires_at = assumed.expires_at;
    let Read { bound, subject, client, token_id, scopes, audiences, not_before, issued_at } =
        read_all(&claims, provider, assumed).map_err(|refusal| advised(refusal, provider, &claims))?;
    let ClaimNames { scopes: _, client: _, subject: _, token_id: _, groups, roles } = &provider.claims;
    let (groups, roles) = (membership::read(&claims, groups), membership::read(&claims, roles));
    Ok(Facts {
        principal: Arc::new(TokenPrincipal {
            provider: provider.name.clone(),
            issuer: provider.issuer.clone(),
            subject,
            client,
            token_id,
            scopes,
            groups,
            roles,
            expires_at,
            claims,
        }),
        bound,
        key: ProvenKey::default(),
        audiences,
        not_before,
        issued_at,
        leeway: provider.leeway_seconds.into(),
        vendor: provider.profile.vendor,
    })
}

fn read_all(claims: &Map<String, Value>, provider: &ProviderConfig, assumed: Assumed) -> Result<Read, Refusal> {
    let Assumed { expires_at, subject } = assumed;
    let bound = Confirmation::read(claims)?;
    let not_before = time(claims, "nbf")?;
    let issued_at = time(claims, "iat")?;
    check_lifetime(expires_at, issued_at, provider)?;
    let audiences = audiences(claims, &provider.profile.audience)?;
    let subject = match subject {
        Some(subject) => subject,
        None => claims
            .get(&provider.claims.subject)
            .ok_or(invalid("the claim that names the subject is missing"))
            .and_then(name)?,
    };
    let client = client(claims, provider)?;
    let token_id = first(claims, &provider.claims.token_id).map(name).transpose()?;
    let scopes = first(claims, &provider.claims.scopes).map_or_else(|| Ok(Vec::new()), scope_list)?;
    Ok(Read { bound, subject, client, token_id, scopes, audiences, not_before, issued_at })
}

impl Facts {
    /// `exp`, in seconds since the epoch.
    pub(super) fn expires_at(&self) -> i64 {
        self.principal.expires_at
    }

    /// Issuer and subject. No caller, since nothing shows yet who sent the token.
    pub(super) fn holder(&self) -> (&str, &str) {
        (&self.principal.issuer, &self.principal.subject)
    }

    /// Bytes that it takes, about: names, numbers and allocations come to about as much as a short text.
    pub(super) fn weight(&self) -> u64 {
        512 + weight_of(&self.principal.claims)
    }

    /// The caller. `_sender` is proof that the token came from whom it is bound to.
    pub(super) fn caller(&self, _sender: &SenderProof) -> &Arc<TokenPrincipal> {
        &self.principal
    }
}

fn weight_of(members: &Map<String, Value>) -> u64 {
    let weight = |value: &Value| match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 32,
        Value::String(text) => 32 + text.len() as u64,
        // Within: as text, since nothing is kept twice.
        Value::Array(_) | Value::Object(_) => 32 + 4 * value.to_string().len() as u64,
    };
    members.iter().map(|(name, value)| 64 + name.len() as u64 + weight(value)).sum()
}

/// Judges a token for a route at a time, in seconds since the epoch.
pub(super) fn judge(facts: &Facts, demands: &Demands, now: i64) -> Result<(), Refusal> {
    let Facts { principal, bound: _, key: _, audiences, not_before, issued_at, leeway, vendor } = facts;
    if principal.expires_at.saturating_add(*leeway) < now {
        return Err(expired());
    }
    let latest = now.saturating_add(*leeway);
    if not_before.is_some_and(|not_before| not_before > latest) {
        return Err(Refusal::new(Reason::TokenNotYetValid, "the access token is not valid yet"));
    }
    if issued_at.is_some_and(|issued_at| issued_at > latest) {
        return Err(Refusal::new(Reason::TokenNotYetValid, "the access token was issued in the future"));
    }
    if !demands.are_met_by(audiences) {
        let reason = Reason::AudienceMismatch;
        return Err(Refusal::new(reason, "the access token was issued for another resource")
            .advised(advice::for_claims(*vendor, reason, &principal.claims)));
    }
    if demands.refuses_client(principal) {
        return Err(Refusal::new(Reason::ClientNotAllowed, "the client of the access token may not call this server"));
    }
    Ok(())
}

/// The OAuth client, if the claims name one.
pub(super) fn client(claims: &Map<String, Value>, provider: &ProviderConfig) -> Result<Option<String>, Refusal> {
    first(claims, &provider.claims.client).map(name).transpose()
}

/// Whole seconds since the epoch. RFC 7519 would allow fractions, which no issuer writes and readers round differently.
pub(super) fn time(claims: &Map<String, Value>, name: &str) -> Result<Option<i64>, Refusal> {
    claims
        .get(name)
        .map(|value| {
            value.as_i64().filter(|time| *time >= 0).ok_or(invalid("exp, nbf or iat is not a whole number of seconds"))
        })
        .transpose()
}

fn check_lifetime(expires_at: i64, issued_at: Option<i64>, provider: &ProviderConfig) -> Result<(), Refusal> {
    let Some(longest) = provider.max_lifetime_seconds else {
        return Ok(());
    };
    let issued_at = issued_at.ok_or(invalid("the claim iat is missing"))?;
    if expires_at.saturating_sub(issued_at) > longest.into() {
        return Err(Refusal::new(
            Reason::TokenLifetimeTooLong,
            "the access token lives longer than its provider may grant",
        ));
    }
    Ok(())
}

/// One text or a list of texts (RFC 7519 §4.1.3).
fn audiences(claims: &Map<String, Value>, names: &[String]) -> Result<Vec<String>, Refusal> {
    let value = first(claims, names).ok_or(invalid("the claim aud is missing"))?;
    one_or_more(value).ok_or(invalid("the claim aud is neither text nor a list of texts"))
}

fn one_or_more(value: &Value) -> Option<Vec<String>> {
    if let Some(one) = value.as_str() {
        return Some(vec![one.to_owned()]);
    }
    value.as_array()?.iter().map(|member| member.as_str().map(str::to_owned)).collect()
}

/// The first claim that is present counts, whatever it holds: falling through to the next would let a broken claim hide.
fn first<'c>(claims: &'c Map<String, Value>, names: &[String]) -> Option<&'c Value> {
    names.iter().find_map(|name| claims.get(name))
}

/// A name that may stand in a header, a log line and a comparison without meaning something else in one of them.
fn name(value: &Value) -> Result<String, Refusal> {
    value
        .as_str()
        .filter(|text| (1..=MAX_NAME).contains(&text.len()))
        .filter(|text| !text.chars().any(char::is_control) && text.trim() == *text)
        .map(str::to_owned)
        .ok_or(invalid(
            "subject, client or token id is not text of 1 to 1024 bytes without control characters and outer spaces",
        ))
}

/// Scopes of RFC 6749 §3.3, as a text with single spaces between them or a list. An empty text grants nothing.
fn scope_list(value: &Value) -> Result<Vec<String>, Refusal> {
    let listed = match value.as_str() {
        Some("") => Some(Vec::new()),
        Some(text) => Some(text.split(' ').map(str::to_owned).collect()),
        None => value.is_array().then(|| one_or_more(value)).flatten(),
    };
    listed
        .filter(|scopes| scopes.iter().all(|scope| is_scope_token(scope)))
        .ok_or(invalid("the scopes of the access token are neither a text nor a list of scope names"))
}

/// `1*( %x21 / %x23-5B / %x5D-7E )`
fn is_scope_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\')
}

const fn expired() -> Refusal {
    Refusal::new(Reason::TokenExpired, "the access token has expired")
}

pub(super) const fn invalid(detail: &'static str) -> Refusal {
    Refusal::new(Reason::TokenClaimsInvalid, detail)
}
