//! What the broker remembers, behind a trait: memory here, a database elsewhere. Every method is one atomic step, so
//! that two requests with the same code or refresh token can't both win. Codes arrive hashed; no method sees a secret.

mod memory;
mod table;

use std::time::SystemTime;

use futures_util::future::BoxFuture;
use thiserror::Error;

use crate::client::{Client, ClientId};
use crate::grant::{CodeHash, CodeRecord, Family, FamilyId, Subject};
use crate::resource::ResourceId;
use crate::scope::ScopeSet;

pub use self::memory::{MemoryStore, StoreLimits};

/// Why a store did not do what it was asked. The request fails closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum StoreError {
    /// A table that must not evict is full.
    #[error("too many requests are open at once; try again in a minute")]
    Full,
    /// The store can't be reached.
    #[error("the store is unavailable; try again later")]
    Unavailable,
}

/// The outcome of using a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redemption {
    /// First use: the family was stored in the same step.
    First,
    /// Used before: the family of the first use was revoked in the same step.
    Replayed(FamilyId),
    /// No such code, or it expired.
    Unknown,
}

/// The outcome of using a refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// This generation works from now on.
    Rotated(u64),
    /// An old generation came: the family was revoked in the same step.
    Reused,
    /// No such family, or it ended.
    Unknown,
}

/// A consent's identity: one user, one client, one MCP server.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConsentKey {
    /// The user.
    pub subject: Subject,
    /// The client.
    pub client_id: ClientId,
    /// The MCP server.
    pub resource: ResourceId,
}

/// The future of a store's method.
pub type StoreFuture<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

/// What the broker needs to remember. Expired rows count as absent, whether or not they were removed yet.
pub trait Store: Send + Sync + 'static {
    /// Adds a client; when full, the one unused for longest goes, never-used ones first.
    fn add_client(&self, client: Client, now: SystemTime) -> StoreFuture<'_, ()>;
    /// Finds a client.
    fn client<'a>(&'a self, id: &'a ClientId, now: SystemTime) -> StoreFuture<'a, Option<Client>>;
    /// Notes that a client was used, which keeps it until `expires_at`.
    fn client_used<'a>(&'a self, id: &'a ClientId, now: SystemTime, expires_at: SystemTime) -> StoreFuture<'a, ()>;

    /// Marks a consent request as answered; `false` if it was already.
    fn settle_request(&self, request_id: String, expires_at: SystemTime, now: SystemTime) -> StoreFuture<'_, bool>;

    /// Adds scopes to a consent.
    fn add_consent(&self, key: ConsentKey, scopes: ScopeSet) -> StoreFuture<'_, ()>;
    /// What the user consented to.
    fn consent<'a>(&'a self, key: &'a ConsentKey) -> StoreFuture<'a, Option<ScopeSet>>;
    /// Removes all consents of a user to a client, with the codes and families that rest on them, so that a later
    /// consent does not bring them back to life; `false` if there was no consent.
    fn remove_consents<'a>(&'a self, subject: &'a Subject, client_id: &'a ClientId) -> StoreFuture<'a, bool>;

    /// Adds a code.
    fn add_code(&self, hash: CodeHash, record: CodeRecord, now: SystemTime) -> StoreFuture<'_, ()>;
    /// Finds a code, used or not, without using it.
    fn code<'a>(&'a self, hash: &'a CodeHash, now: SystemTime) -> StoreFuture<'a, Option<CodeRecord>>;
    /// Uses a code: stores the family that begins with it, or ends the one that had begun. The used code is kept
    /// until `remember_until`, to notice a replay.
    fn redeem_code<'a>(
        &'a self,
        hash: &'a CodeHash,
        family_id: FamilyId,
        family: Family,
        remember_until: SystemTime,
        now: SystemTime,
    ) -> StoreFuture<'a, Redemption>;

    /// Finds a family that has not ended.
    fn family<'a>(&'a self, id: &'a FamilyId, now: SystemTime) -> StoreFuture<'a, Option<Family>>;
    /// Uses generation `presented`: the next one works from now on, or, if it isn't the newest, none does.
    fn rotate_family<'a>(&'a self, id: &'a FamilyId, presented: u64, now: SystemTime) -> StoreFuture<'a, Rotation>;
    /// Ends a family.
    fn revoke_family<'a>(&'a self, id: &'a FamilyId, now: SystemTime) -> StoreFuture<'a, ()>;
}
