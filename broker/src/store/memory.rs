//! The store of `tollward dev` and of tests: everything in memory, every table bounded, gone with the process.

use std::future::ready;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use super::table::Table;
use super::{ConsentKey, Redemption, Rotation, Store, StoreError, StoreFuture};
use crate::client::{Client, ClientId};
use crate::grant::{CodeHash, CodeRecord, Family, FamilyId, Grant, Subject};
use crate::scope::ScopeSet;

/// How many rows each table may hold; 0 counts as 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreLimits {
    /// Registered clients; the one unused for longest is evicted.
    pub clients: usize,
    /// Answered consent requests, each for ten minutes; when full, answers are refused.
    pub requests: usize,
    /// Codes, each for ten minutes; when full, none is issued.
    pub codes: usize,
    /// Families of refresh tokens; revoked and then least recently used ones are evicted.
    pub families: usize,
    /// Consents; the oldest is evicted, and its refresh tokens stop working.
    pub consents: usize,
}

impl StoreLimits {
    /// Enough for a team, at most some tens of megabytes.
    pub const fn standard() -> Self {
        Self { clients: 5_000, requests: 10_000, codes: 10_000, families: 10_000, consents: 10_000 }
    }
}

#[derive(Debug)]
struct Consent {
    scopes: ScopeSet,
    order: u64,
}

#[derive(Debug)]
struct Tables {
    clients: Table<ClientId, Client>,
    requests: Table<String, ()>,
    codes: Table<CodeHash, CodeRecord>,
    families: Table<FamilyId, Family>,
    consents: Table<ConsentKey, Consent>,
    consents_added: u64,
}

/// See the module. One lock over all tables makes each method one step; none waits while holding it.
#[derive(Debug)]
pub struct MemoryStore {
    tables: Mutex<Tables>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new(limits: StoreLimits) -> Self {
        Self {
            tables: Mutex::new(Tables {
                clients: Table::new(limits.clients),
                requests: Table::new(limits.requests),
                codes: Table::new(limits.codes),
                families: Table::new(limits.families),
                consents: Table::new(limits.consents),
                consents_added: 0,
            }),
        }
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(crate) fn client_count(&self) -> usize {
        self.tables().clients.len()
    }
}

fn done<'a, T: Send + 'a>(result: Result<T, StoreError>) -> StoreFuture<'a, T> {
    Box::pin(ready(result))
}

fn stored(fits: bool) -> Result<(), StoreError> {
    if fits { Ok(()) } else { Err(StoreError::Full) }
}

fn insert_family(families: &mut Table<FamilyId, Family>, id: FamilyId, family: Family, now: SystemTime) {
    let expires_at = Some(family.expires_at);
    families.insert_evicting(id, family, expires_at, now, |family| (!family.revoked, family.last_used));
}

fn revoke(families: &mut Table<FamilyId, Family>, id: &FamilyId, now: SystemTime) {
    if let Some(family) = families.get_mut(id, now) {
        family.revoked = true;
    }
}

impl Store for MemoryStore {
    fn add_client(&self, client: Client, now: SystemTime) -> StoreFuture<'_, ()> {
        let expires_at = Some(client.expires_at);
        let rank = |client: &Client| (client.last_used.is_some(), client.last_used.unwrap_or(client.registered_at));
        self.tables().clients.insert_evicting(client.id.clone(), client, expires_at, now, rank);
        done(Ok(()))
    }

    fn client<'a>(&'a self, id: &'a ClientId, now: SystemTime) -> StoreFuture<'a, Option<Client>> {
        done(Ok(self.tables().clients.get(id, now).cloned()))
    }

    fn client_used<'a>(&'a self, id: &'a ClientId, now: SystemTime, expires_at: SystemTime) -> StoreFuture<'a, ()> {
        let mut tables = self.tables();
        if let Some(client) = tables.clients.get_mut(id, now) {
            client.last_used = Some(now);
            client.expires_at = expires_at;
            tables.clients.set_expiry(id, expires_at);
        }
        done(Ok(()))
    }

    fn settle_request(&self, request_id: String, expires_at: SystemTime, now: SystemTime) -> StoreFuture<'_, bool> {
        let mut tables = self.tables();
        if tables.requests.get(&request_id, now).is_some() {
            return done(Ok(false));
        }
        done(stored(tables.requests.insert(request_id, (), expires_at, now)).map(|()| true))
    }

    fn add_consent(&self, key: ConsentKey, scopes: ScopeSet) -> StoreFuture<'_, ()> {
        let mut tables = self.tables();
        let always = SystemTime::UNIX_EPOCH;
        let before = tables.consents.get(&key, always).map(|consent| consent.scopes.clone());
        let scopes = before.map_or_else(|| scopes.clone(), |before| before.union(&scopes));
        tables.consents_added = tables.consents_added.saturating_add(1);
        let consent = Consent { scopes, order: tables.consents_added };
        tables.consents.insert_evicting(key, consent, None, always, |consent| consent.order);
        done(Ok(()))
    }

    fn consent<'a>(&'a self, key: &'a ConsentKey) -> StoreFuture<'a, Option<ScopeSet>> {
        let tables = self.tables();
        done(Ok(tables.consents.get(key, SystemTime::UNIX_EPOCH).map(|consent| consent.scopes.clone())))
    }

    fn remove_consents<'a>(&'a self, subject: &'a Subject, client_id: &'a ClientId) -> StoreFuture<'a, bool> {
        let mut tables = self.tables();
        let theirs = |grant: &Grant| grant.subject == *subject && grant.client_id == *client_id;
        tables.codes.remove_where(|_, record| theirs(&record.grant));
        for family in tables.families.values_mut().filter(|family| theirs(&family.grant)) {
            family.revoked = true;
        }
        let removed = tables.consents.remove_where(|key, _| key.subject == *subject && key.client_id == *client_id);
        done(Ok(removed))
    }

    fn add_code(&self, hash: CodeHash, record: CodeRecord, now: SystemTime) -> StoreFuture<'_, ()> {
        let expires_at = record.expires_at;
        done(stored(self.tables().codes.insert(hash, record, expires_at, now)))
    }

    fn code<'a>(&'a self, hash: &'a CodeHash, now: SystemTime) -> StoreFuture<'a, Option<CodeRecord>> {
        done(Ok(self.tables().codes.get(hash, now).cloned()))
    }

    fn redeem_code<'a>(
        &'a self,
        hash: &'a CodeHash,
        family_id: FamilyId,
        family: Family,
        remember_until: SystemTime,
        now: SystemTime,
    ) -> StoreFuture<'a, Redemption> {
        let mut tables = self.tables();
        let Tables { codes, families, .. } = &mut *tables;
        let Some(record) = codes.get_mut(hash, now) else {
            return done(Ok(Redemption::Unknown));
        };
        if let Some(first) = record.redeemed.clone() {
            revoke(families, &first, now);
            return done(Ok(Redemption::Replayed(first)));
        }
        record.redeemed = Some(family_id.clone());
        codes.set_expiry(hash, remember_until);
        insert_family(families, family_id, family, now);
        done(Ok(Redemption::First))
    }

    fn family<'a>(&'a self, id: &'a FamilyId, now: SystemTime) -> StoreFuture<'a, Option<Family>> {
        let tables = self.tables();
        done(Ok(tables.families.get(id, now).filter(|family| !family.revoked).cloned()))
    }

    fn rotate_family<'a>(&'a self, id: &'a FamilyId, presented: u64, now: SystemTime) -> StoreFuture<'a, Rotation> {
        let mut tables = self.tables();
        let family = tables.families.get_mut(id, now).filter(|family| !family.revoked);
        let Some(family) = family else {
            return done(Ok(Rotation::Unknown));
        };
        if family.generation != presented {
            family.revoked = true;
            return done(Ok(Rotation::Reused));
        }
        family.generation = family.generation.saturating_add(1);
        family.last_used = now;
        done(Ok(Rotation::Rotated(family.generation)))
    }

    fn revoke_family<'a>(&'a self, id: &'a FamilyId, now: SystemTime) -> StoreFuture<'a, ()> {
        revoke(&mut self.tables().families, id, now);
        done(Ok(()))
    }
}

#[cfg(test)]
mod tests;
