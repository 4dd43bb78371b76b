//! What can go wrong at each endpoint, one enum per step. The texts go to clients as `error_description`, so they are
//! constant, name no user's data and keep to the characters of RFC 6749 section 5.2. `answer.rs` alone maps them to HTTP.

use std::time::Duration;

use thiserror::Error;

use crate::random::RandomnessUnavailable;
use crate::redirect::RedirectUriError;
use crate::scope::ScopeError;
use crate::store::StoreError;

/// A fault of the broker itself; the caller may try again later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Fault {
    /// The store failed or is full.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No random bytes.
    #[error(transparent)]
    Randomness(#[from] RandomnessUnavailable),
    /// The token could not be signed.
    #[error("the token could not be signed")]
    Signing,
    /// A page or document could not be written.
    #[error("the answer could not be written")]
    Rendering,
}

/// Why a query or form is not read at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ParametersError {
    /// More bytes than any honest request needs.
    #[error("the request is longer than 16 KiB")]
    TooLong,
    /// More parameters than any honest request needs.
    #[error("the request has more than 64 parameters")]
    TooMany,
    /// A parameter that must stand at most once is repeated (RFC 6749 section 3.1).
    #[error("the parameter {0} is repeated")]
    Repeated(&'static str),
}

/// Why a registration is refused (RFC 7591 section 3.2.2).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RegisterError {
    /// The rate of registrations is used up.
    #[error("too many registrations; wait for as long as Retry-After says")]
    TooMany {
        /// How long until the next one is accepted.
        retry_after: Duration,
    },
    /// Not `application/json`.
    #[error("send the client metadata as application/json")]
    NotJson,
    /// The body is over 16 KiB.
    #[error("the client metadata is longer than 16 KiB")]
    TooLong,
    /// Not the JSON object of RFC 7591.
    #[error("the client metadata is not a JSON object as RFC 7591 describes it")]
    Malformed,
    /// None, or more than ten redirect URIs.
    #[error("redirect_uris must hold 1 to 10 URIs")]
    RedirectUriCount,
    /// A redirect URI breaks a rule.
    #[error(transparent)]
    RedirectUri(#[from] RedirectUriError),
    /// Wants to prove itself by other means than PKCE or a shared secret.
    #[error("token_endpoint_auth_method must be none: clients here are public and use PKCE")]
    AuthMethod,
    /// No authorization code grant.
    #[error("grant_types must contain authorization_code")]
    GrantTypes,
    /// No `code` response.
    #[error("response_types must contain code")]
    ResponseTypes,
    /// The broker failed.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Why an authorization request ends in a page: as long as client and redirect URI aren't verified, redirecting would
/// make the broker an open redirector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum UnverifiedError {
    /// Query too long, too many parameters, or `client_id`/`redirect_uri` repeated.
    #[error(transparent)]
    Parameters(#[from] ParametersError),
    /// No client id.
    #[error("the request names no client_id")]
    ClientMissing,
    /// Never registered, expired, or evicted.
    #[error(
        "this application is not registered here, or its registration has expired; remove the sign-in that \
         it stored for this server and connect again"
    )]
    ClientUnknown,
    /// No redirect URI.
    #[error("the request names no redirect_uri")]
    RedirectMissing,
    /// Not one of those the client registered.
    #[error("the redirect_uri is not one that this application has registered")]
    RedirectUnregistered,
    /// The broker failed.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Why a request of a verified client is sent back to it (RFC 6749 section 4.1.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RequestError {
    /// A parameter is repeated.
    #[error(transparent)]
    Parameters(#[from] ParametersError),
    /// Not the code flow.
    #[error("response_type must be code")]
    ResponseType,
    /// No `response_type`.
    #[error("response_type is missing")]
    ResponseTypeMissing,
    /// Asks for the answer elsewhere than in the query.
    #[error("response_mode must be query")]
    ResponseMode,
    /// A request object (RFC 9101).
    #[error("request objects are not supported; send plain parameters")]
    RequestObject,
    /// No PKCE.
    #[error("code_challenge is missing: PKCE is required")]
    ChallengeMissing,
    /// PKCE, but `plain` (also the meaning of a missing method) or something unknown.
    #[error("code_challenge_method must be S256")]
    ChallengeMethod,
    /// Not what SHA-256 and base64url make.
    #[error("code_challenge is not the base64url form of a SHA-256 digest")]
    ChallengeMalformed,
    /// No resource (RFC 8707).
    #[error("resource is missing: name the MCP server that the token is for")]
    ResourceMissing,
    /// More than one resource.
    #[error("exactly one resource is allowed in a request")]
    ResourceRepeated,
    /// Not a resource of this broker.
    #[error("resource is not an MCP server that this server issues tokens for")]
    ResourceUnknown,
    /// Not a set of scopes.
    #[error(transparent)]
    Scope(#[from] ScopeError),
    /// A scope that the resource doesn't have.
    #[error("scope names one that this MCP server does not have")]
    ScopeUnknown,
    /// No scope asked for, and none is given by default.
    #[error("scope is missing and this MCP server has no default scopes")]
    ScopeMissing,
    /// Over 2048 bytes.
    #[error("state is longer than 2048 bytes")]
    StateTooLong,
    /// The user said no.
    #[error("the user refused")]
    UserRefused,
    /// The broker failed.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Why an answer to the consent page does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DecisionError {
    /// Too long, too many, repeated, or not a form.
    #[error(transparent)]
    Parameters(#[from] ParametersError),
    /// Not `application/x-www-form-urlencoded`, or fields are missing.
    #[error("this is not an answer to the consent page")]
    Malformed,
    /// Sent by another site.
    #[error("the answer came from another site")]
    CrossSite,
    /// No cookie, or not one of this broker.
    #[error("the browser sent no cookie of this server; allow cookies for it and start again from the application")]
    Browser,
    /// The request in the form was not made for this browser, or was changed.
    #[error("the request was not made for this browser; start again from the application")]
    Ticket,
    /// The page was open too long.
    #[error("the page has expired after ten minutes; start again from the application")]
    Expired,
    /// Answered before.
    #[error("this request was answered already; start again from the application")]
    AlreadyDecided,
    /// The client vanished meanwhile.
    #[error(transparent)]
    Unverified(#[from] UnverifiedError),
    /// The broker failed.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Why no token is issued (RFC 6749 section 5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TokenError {
    /// Too long, too many, or repeated.
    #[error(transparent)]
    Parameters(#[from] ParametersError),
    /// Not `application/x-www-form-urlencoded`.
    #[error("send the parameters as application/x-www-form-urlencoded")]
    NotForm,
    /// A required parameter is missing.
    #[error("the parameter {0} is missing")]
    Missing(&'static str),
    /// Not `authorization_code` or `refresh_token`.
    #[error("grant_type must be authorization_code or refresh_token")]
    GrantType,
    /// The client sent a secret, though it has none.
    #[error("clients here are public: send client_id and no client authentication")]
    ClientAuthentication,
    /// Never registered, expired, or evicted.
    #[error("the client is not registered here, or its registration has expired; register again")]
    ClientUnknown,
    /// The client has not registered the `refresh_token` grant.
    #[error("the client has not registered the refresh_token grant")]
    GrantNotRegistered,
    /// No such code, or it expired.
    #[error("the code is unknown or has expired")]
    CodeUnknown,
    /// Another client's code.
    #[error("the code was issued to another client")]
    CodeClient,
    /// Another redirect URI than in the request.
    #[error("redirect_uri differs from the one of the authorization request")]
    CodeRedirect,
    /// Not the verifier of the challenge.
    #[error("code_verifier does not match the code_challenge")]
    Verifier,
    /// Used before: what came of it is revoked.
    #[error("the code was used before; all that was issued for it is revoked")]
    CodeReplayed,
    /// Not a refresh token of this broker, or its family ended.
    #[error("the refresh token is unknown, expired or revoked")]
    RefreshUnknown,
    /// Another client's refresh token.
    #[error("the refresh token was issued to another client")]
    RefreshClient,
    /// An older generation: the family is revoked.
    #[error("the refresh token was used before; all that descends from it is revoked")]
    RefreshReused,
    /// The user withdrew consent.
    #[error("the user has withdrawn consent")]
    ConsentWithdrawn,
    /// Another resource than granted, or more than one.
    #[error("resource differs from the one that was granted")]
    Resource,
    /// More scopes than granted.
    #[error("scope goes beyond what was granted")]
    Scope,
    /// The broker failed.
    #[error(transparent)]
    Fault(#[from] Fault),
}

macro_rules! from_fault_sources {
    ($($error:ty),+) => { $(
        impl From<StoreError> for $error {
            fn from(error: StoreError) -> Self {
                Self::Fault(Fault::Store(error))
            }
        }
        impl From<RandomnessUnavailable> for $error {
            fn from(error: RandomnessUnavailable) -> Self {
                Self::Fault(Fault::Randomness(error))
            }
        }
    )+ };
}

from_fault_sources!(RegisterError, UnverifiedError, RequestError, DecisionError, TokenError);
