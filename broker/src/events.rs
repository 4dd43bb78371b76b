//! What the broker tells an auditor. The set is closed and holds no code, token, verifier, state or cookie.

use crate::client::ClientId;
use crate::error::{DecisionError, RegisterError, RequestError, TokenError, UnverifiedError};
use crate::grant::{FamilyId, Grant, Subject};
use crate::resource::ResourceId;
use crate::scope::ScopeSet;

/// The grant a token came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrantType {
    /// A code.
    AuthorizationCode,
    /// A refresh token.
    RefreshToken,
}

/// Why a family of tokens ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RevocationCause {
    /// Its code came a second time.
    CodeReplayed,
    /// An old refresh token came a second time.
    RefreshReused,
    /// The user's consent is gone.
    ConsentWithdrawn,
}

/// Why a request was refused, by endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// `/register`.
    Registration(RegisterError),
    /// `/authorize`, before client and redirect URI were verified.
    Unverified(UnverifiedError),
    /// `/authorize`, told to the client.
    Request(RequestError),
    /// An answer to the consent page.
    Decision(DecisionError),
    /// `/token`.
    Token(TokenError),
    /// Any path, for another host name than the issuer's.
    Host,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BrokerEvent {
    /// A client registered itself.
    ClientRegistered {
        /// Its new id.
        client_id: ClientId,
        /// Where it takes codes.
        redirect_uris: Vec<String>,
    },
    /// A user approved.
    ConsentGranted(Grant),
    /// A user refused.
    ConsentRefused {
        /// The client that asked.
        client_id: ClientId,
        /// The server it asked for.
        resource: ResourceId,
        /// What it asked for.
        scopes: ScopeSet,
    },
    /// A consent was taken back.
    ConsentWithdrawn {
        /// Whose.
        subject: Subject,
        /// For which client.
        client_id: ClientId,
    },
    /// A code went to the client.
    CodeIssued(Grant),
    /// An access token went to the client.
    TokenIssued {
        /// Who, where.
        grant: Grant,
        /// What the token may do; at most what was granted.
        scopes: ScopeSet,
        /// The token's `jti`.
        token_id: String,
        /// The family it belongs to.
        family: FamilyId,
        /// How it was asked for.
        grant_type: GrantType,
    },
    /// A family ended before its time.
    FamilyRevoked {
        /// Which one.
        family: FamilyId,
        /// Why.
        cause: RevocationCause,
    },
    /// A request was refused.
    Refused {
        /// Why.
        refusal: Refusal,
        /// Who claimed to ask, unproven.
        client_id: Option<ClientId>,
    },
}

/// Where events go. Called on the request's path: an implementation queues and returns.
pub trait Events: Send + Sync + 'static {
    /// Takes one event.
    fn record(&self, event: BrokerEvent);
}

/// Writes events as log lines.
#[derive(Debug, Clone, Copy)]
pub struct LoggedEvents;

impl Events for LoggedEvents {
    fn record(&self, event: BrokerEvent) {
        match event {
            BrokerEvent::ClientRegistered { client_id, redirect_uris } => {
                tracing::info!(%client_id, ?redirect_uris, "client registered");
            }
            BrokerEvent::ConsentGranted(grant) => log_grant(&grant, "consent granted"),
            BrokerEvent::ConsentRefused { client_id, resource, scopes } => {
                tracing::info!(%client_id, resource = resource.as_str(), %scopes, "consent refused");
            }
            BrokerEvent::ConsentWithdrawn { subject, client_id } => {
                tracing::info!(subject = subject.as_str(), %client_id, "consent withdrawn");
            }
            BrokerEvent::CodeIssued(grant) => log_grant(&grant, "authorization code issued"),
            BrokerEvent::TokenIssued { grant, scopes, token_id, family, grant_type } => tracing::info!(
                subject = grant.subject.as_str(), client_id = %grant.client_id, resource = grant.resource.as_str(),
                %scopes, token_id, %family, ?grant_type, "access token issued"
            ),
            BrokerEvent::FamilyRevoked { family, cause } => tracing::warn!(%family, ?cause, "token family revoked"),
            BrokerEvent::Refused { refusal, client_id } => {
                let client_id = client_id.as_ref().map(ClientId::as_str);
                tracing::warn!(client_id, reason = ?refusal, "request refused");
            }
        }
    }
}

fn log_grant(grant: &Grant, message: &'static str) {
    tracing::info!(
        subject = grant.subject.as_str(), client_id = %grant.client_id, resource = grant.resource.as_str(),
        scopes = %grant.scopes, "{message}"
    );
}
