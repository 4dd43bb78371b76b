//! The authorization endpoint: `GET` verifies a client's request and shows the consent page, `POST` takes the answer.
//!
//! Nothing is stored by a `GET`: the form carries the request itself, sealed for this browser, so that a flood of
//! requests fills no table and an answer counts only for the request that was shown.

pub(crate) mod browser;
mod decision;
pub(crate) mod page;
mod request;
mod respond;
mod ticket;

use std::time::Duration;

use http::HeaderMap;

use self::browser::Browser;
use self::decision::{Answer, Decision};
use self::page::ConsentPage;
use self::request::{AuthorizationRequest, Claimed, Verified};
use self::ticket::Ticket;
use crate::broker::Broker;
use crate::client::ClientId;
use crate::error::{DecisionError, RequestError, UnverifiedError};
use crate::events::BrokerEvent;
use crate::grant::{CodeHash, CodeRecord, Grant, Subject};
use crate::parameters::Parameters;
use crate::random::random_text;
use crate::store::ConsentKey;

pub(crate) use self::respond::ClientRedirect;

/// How long a code works (RFC 6749 section 4.1.2 recommends at most ten minutes; clients exchange it at once).
const CODE_LIFETIME: Duration = Duration::from_mins(1);

/// How a `GET` ends.
pub(crate) enum Shown {
    /// The page, and the cookie that binds it to this browser.
    Page { page: Box<ConsentPage>, cookie: String },
    /// An error for the client.
    Refused { redirect: ClientRedirect, error: RequestError, client_id: ClientId },
}

/// How a `POST` ends, unless it doesn't count.
pub(crate) enum Decided {
    /// To the client, with a code or with its error.
    Redirect { redirect: ClientRedirect, refused: Option<(RequestError, ClientId)> },
    /// The page again, since the name can't be one.
    Again { page: Box<ConsentPage> },
}

/// `GET /authorize`.
pub(crate) async fn show(broker: &Broker, headers: &HeaderMap, query: &str) -> Result<Shown, UnverifiedError> {
    let parameters = Parameters::parse(query.as_bytes())?;
    let claimed = Claimed::read(&parameters)?;
    let verified = verify(broker, claimed).await?;
    let settings = broker.settings();
    let request = match AuthorizationRequest::check(&parameters, &verified, settings) {
        Ok(request) => request,
        Err(error) => {
            let redirect = verified.redirect_with_error(settings, &parameters, error);
            return Ok(Shown::Refused { redirect, error, client_id: verified.client.id });
        }
    };
    let browser = Browser::known_or_new(broker.seals(), headers, settings.issuer.is_secure(), broker.random())?;
    let ticket = Ticket::new(request, broker.now(), broker.random())?;
    let sealed = ticket.seal(broker.seals(), &browser)?;
    let page = ConsentPage::ask(settings, &verified.client, &ticket.request, sealed, None);
    Ok(Shown::Page { page: Box::new(page), cookie: browser.set_cookie(broker.seals(), settings.issuer.is_secure()) })
}

/// `POST /authorize`.
pub(crate) async fn decide(broker: &Broker, headers: &HeaderMap, body: &[u8]) -> Result<Decided, DecisionError> {
    let settings = broker.settings();
    decision::check_same_site(headers, settings.issuer.origin())?;
    let browser = Browser::known(broker.seals(), headers, settings.issuer.is_secure()).ok_or(DecisionError::Browser)?;
    let Answer { sealed, decision } = Answer::read(headers, body)?;
    let now = broker.now();
    let ticket = Ticket::open(&sealed, broker.seals(), &browser, now)?;
    let verified = verify(broker, ticket.request.claimed()).await?;
    match decision {
        Decision::ApproveWithoutName => {
            let page = ConsentPage::ask(settings, &verified.client, &ticket.request, sealed, Some(page::NAME_HINT));
            Ok(Decided::Again { page: Box::new(page) })
        }
        Decision::Approve(subject) => {
            let request = settle(broker, ticket).await?;
            let code = approve(broker, &request, subject).await?;
            Ok(Decided::Redirect { redirect: request.redirect_with_code(settings, &code), refused: None })
        }
        Decision::Refuse => {
            let request = settle(broker, ticket).await?;
            let error = RequestError::UserRefused;
            let redirect = request.redirect_with_error(settings, error);
            let AuthorizationRequest { client_id, resource, scopes, .. } = request;
            broker.record(BrokerEvent::ConsentRefused { client_id: client_id.clone(), resource, scopes });
            Ok(Decided::Redirect { redirect, refused: Some((error, client_id)) })
        }
    }
}

/// Uses the ticket up: a form counts once.
async fn settle(broker: &Broker, ticket: Ticket) -> Result<AuthorizationRequest, DecisionError> {
    let Ticket { id, expires_at, request } = ticket;
    if broker.store().settle_request(id, expires_at, broker.now()).await? {
        Ok(request)
    } else {
        Err(DecisionError::AlreadyDecided)
    }
}

async fn verify(broker: &Broker, claimed: Claimed) -> Result<Verified, UnverifiedError> {
    let client = broker.store().client(&claimed.client_id, broker.now()).await?;
    Verified::check(&claimed, client, &broker.settings().private_use_schemes)
}

/// Records the consent, then makes the code.
async fn approve(broker: &Broker, request: &AuthorizationRequest, subject: Subject) -> Result<String, DecisionError> {
    let now = broker.now();
    let grant = Grant {
        subject,
        client_id: request.client_id.clone(),
        resource: request.resource.clone(),
        scopes: request.scopes.clone(),
        auth_time: now,
    };
    let key = ConsentKey {
        subject: grant.subject.clone(),
        client_id: grant.client_id.clone(),
        resource: grant.resource.clone(),
    };
    broker.store().add_consent(key, grant.scopes.clone()).await?;
    broker.record(BrokerEvent::ConsentGranted(grant.clone()));
    let keep_client_until = now + broker.settings().client_idle_lifetime;
    broker.store().client_used(&grant.client_id, now, keep_client_until).await?;
    let code = random_text::<32>(broker.random())?;
    let record = CodeRecord {
        grant: grant.clone(),
        redirect_uri: request.redirect_uri.clone(),
        code_challenge: request.code_challenge.clone(),
        expires_at: now + CODE_LIFETIME,
        redeemed: None,
    };
    broker.store().add_code(CodeHash::of(&code), record, now).await?;
    broker.record(BrokerEvent::CodeIssued(grant));
    Ok(code)
}
