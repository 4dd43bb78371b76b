//! Tollward's authorization broker: the authorization server for MCP clients whose identity provider can't register
//! clients, bind tokens to one MCP server, or ask for consent per client. It is the only part of Tollward that acts as
//! an authorization server.
//!
//! The library is an [`axum::Router`] and the decisions behind it. It reads no clock, file, environment or socket;
//! time, randomness, storage and audit are [`Parts`] that the caller gives.
//!
//! # Flow
//! 1. A client reads the metadata (RFC 8414) and registers itself as a public client (RFC 7591).
//! 2. It sends the user to `/authorize` with PKCE `S256` (RFC 7636) and the `resource` it wants (RFC 8707). One page
//!    signs the user in and asks for consent; the answer goes back with `iss` (RFC 9207).
//! 3. It exchanges the code at `/token` for a JWT access token (RFC 9068) of at most five minutes that is good for that
//!    one MCP server, and later a refresh token for the next.
//!
//! # Guarantees
//! - Nothing is sent to a redirect URI before it was matched with one the client registered.
//! - A code works once, for 60 seconds, for its client, redirect URI, verifier and resource. A failed attempt leaves it
//!   usable for its owner; a second use ends all that came from the first. The same holds for refresh tokens.
//! - Each store, body and text is bounded.
//!
//! # Example
//! ```
//! use std::{num::NonZeroU32, time::Duration};
//! use tollward_broker::{BrokerConfig, Parts, Resource, ScopeText, SignIn, Url};
//!
//! let config = BrokerConfig {
//!     issuer: Url::parse("http://127.0.0.1:8089/oauth")?,
//!     resources: vec![Resource {
//!         url: Url::parse("http://127.0.0.1:8080/mcp")?,
//!         name: "Catalog".to_owned(),
//!         scopes: vec![ScopeText { name: "catalog:read".to_owned(), description: "look products up".to_owned() }],
//!         default_scopes: vec!["catalog:read".to_owned()],
//!     }],
//!     sign_in: SignIn::AnyName { claims: [].into(), default_claims: [].into() },
//!     token_lifetime: Duration::from_mins(5),
//!     refresh_lifetime: Duration::from_hours(8),
//!     client_idle_lifetime: Duration::from_hours(24),
//!     registrations_per_minute: NonZeroU32::MIN.saturating_add(59),
//!     private_use_schemes: vec![],
//! };
//! let broker = config.validate(Parts::in_memory())?;
//! assert_eq!(broker.issuer(), "http://127.0.0.1:8089/oauth");
//! let app: axum::Router = broker.router();
//! # let _ = app;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod answer;
mod authorize;
mod broker;
mod client;
mod clock;
mod config;
mod error;
mod events;
mod grant;
mod keys;
mod metadata;
mod parameters;
mod random;
mod redirect;
mod register;
mod resource;
mod router;
mod scope;
mod seal;
mod store;
#[cfg(test)]
mod tests;
mod token;

pub use url::Url;

pub use self::broker::{Broker, BuildError, Parts};
pub use self::client::{ApplicationType, Client, ClientId, DisplayName};
pub use self::clock::{Clock, SystemClock};
pub use self::config::{BrokerConfig, Claims, ConfigError, Resource, ScopeText, SignIn};
pub use self::error::{
    DecisionError, Fault, ParametersError, RegisterError, RequestError, TokenError, UnverifiedError,
};
pub use self::events::{BrokerEvent, Events, GrantType, LoggedEvents, Refusal, RevocationCause};
pub use self::grant::{CodeHash, CodeRecord, Family, FamilyId, Grant, Subject};
pub use self::keys::KeyError;
pub use self::random::{Random, RandomnessUnavailable, SystemRandomness};
pub use self::redirect::{RedirectUri, RedirectUriError};
pub use self::resource::ResourceId;
pub use self::scope::{ScopeError, ScopeName, ScopeSet};
pub use self::store::{ConsentKey, MemoryStore, Redemption, Rotation, Store, StoreError, StoreFuture, StoreLimits};
