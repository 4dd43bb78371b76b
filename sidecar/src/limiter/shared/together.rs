//! A call with limits in stores: what this replica counts by itself comes first, then each store is asked once, and a refusal by
//! any gives back what the others took.

use super::counter::{Counted, SharedStore};
use super::line::StoreStatus;
use super::trouble::Trouble;
use crate::limiter::local::Local;
use crate::limiter::refused::Cause;
use crate::limiter::standing::{CountedBy, Standing};
use crate::limiter::store::{Charged, Refusal};
use governor::clock::Clock;
use std::sync::Arc;
use tollward_policy::limits::{Charge, OnStoreFailure};

/// The stores of one route, by their positions in its limits.
#[derive(Debug, Default)]
pub struct RouteStores {
    /// The server's uid.
    pub(super) server: String,
    pub(super) stores: Vec<Arc<SharedStore>>,
}

/// Charges of a call that one store counts, or this replica.
struct Group<'g, 'c> {
    store: Option<&'g SharedStore>,
    charges: &'g [Charge<'c>],
}

impl RouteStores {
    /// Whether any of these is counted in a store.
    pub(crate) fn count(charges: &[Charge<'_>]) -> bool {
        charges.iter().any(|charge| charge.shared.is_some())
    }

    /// How the store at this position stands.
    pub(crate) fn status(&self, position: usize) -> Option<StoreStatus> {
        self.stores.get(position).map(|store| store.status())
    }

    /// Charges every limit of a call, or none.
    pub(crate) async fn charge<C: Clock>(&self, local: &Local<C>, charges: &[Charge<'_>]) -> Charged {
        let mut standings = Vec::with_capacity(charges.len());
        for group in self.groups(charges) {
            let outcome = match group.store {
                None => local.charge_all(group.charges),
                Some(store) => self.charge_at(store, local, group.charges).await,
            };
            match outcome {
                Ok(more) => standings.extend(more),
                Err(refusal) => {
                    // Each that was charged has a standing by now.
                    self.give_back(local, charges.get(..standings.len()).unwrap_or_default(), &standings);
                    standings.extend(refusal.standings);
                    return Err(Refusal { standings, ..refusal });
                }
            }
        }
        Ok(standings)
    }

    /// Gives back what was charged.
    pub(crate) fn refund<C: Clock>(&self, local: &Local<C>, charges: &[Charge<'_>]) {
        for group in self.groups(charges) {
            match group.store {
                None => local.refund_all(group.charges),
                Some(store) => store.refund(&self.server, group.charges),
            }
        }
    }

    /// As they come: `LimitSet::charges` has what this replica counts by itself first, since it costs nothing to ask, and
    /// those of each store together.
    fn groups<'g, 'c>(&'g self, charges: &'g [Charge<'c>]) -> impl Iterator<Item = Group<'g, 'c>> {
        charges.chunk_by(|one, other| position(one) == position(other)).map(|charges| {
            let position = charges.first().and_then(position);
            let store = position.and_then(|position| self.stores.get(position));
            Group { store: store.map(AsRef::as_ref), charges }
        })
    }

    async fn charge_at<C: Clock>(&self, store: &SharedStore, local: &Local<C>, charges: &[Charge<'_>]) -> Charged {
        match store.charge(&self.server, charges).await {
            Ok(Counted::Admitted(standings)) => {
                keep_warm(local, charges);
                Ok(standings)
            }
            Ok(Counted::Refused(standings)) => Err(Refusal { cause: Cause::Exceeded, standings }),
            Err(trouble) => without(store, local, charges, &trouble),
        }
    }

    /// A group that was counted by this replica in place of its store has nothing to be given back there. What went along with
    /// a store's counts stays, since it may not have fitted in: it says too little at worst.
    fn give_back<C: Clock>(&self, local: &Local<C>, charges: &[Charge<'_>], standings: &[Standing]) {
        let mut standings = standings.iter();
        for group in self.groups(charges) {
            let counted: Vec<_> =
                standings.by_ref().take(group.charges.len()).map(|standing| standing.counted).collect();
            match group.store {
                None => local.refund_all(group.charges),
                Some(store) if counted.contains(&CountedBy::Store) => store.refund(&self.server, group.charges),
                Some(_) => refund_instead(local, group.charges),
            }
        }
    }
}

/// The store of a charge, by its position in the route's limits.
fn position(charge: &Charge<'_>) -> Option<usize> {
    charge.shared.map(|shared| shared.store.store)
}

/// Policies decide: one that denies does so before another counts.
fn without<C: Clock>(store: &SharedStore, local: &Local<C>, charges: &[Charge<'_>], trouble: &Trouble) -> Charged {
    let denying = charges.iter().find(|charge| decision(charge) == OnStoreFailure::Deny);
    if let Some(charge) = denying {
        store.decided(charge.id, OnStoreFailure::Deny);
        return Err(Refusal { cause: Cause::Unavailable(trouble.code()), standings: Vec::new() });
    }
    let mut standings = Vec::with_capacity(charges.len());
    let own: Vec<_> = charges.iter().filter(|charge| decision(charge) == OnStoreFailure::Local).cloned().collect();
    for charge in charges {
        store.decided(charge.id, decision(charge));
    }
    let instead = |standing: Standing| standing.counted_by(CountedBy::ReplicaForStore);
    match local.charge_all(&own) {
        Ok(counted) => standings.extend(counted.into_iter().map(instead)),
        Err(refusal) => {
            let refused = refusal.standings.into_iter().map(instead).collect();
            return Err(Refusal { standings: refused, ..refusal });
        }
    }
    let open = charges.iter().filter(|charge| decision(charge) == OnStoreFailure::Allow);
    standings.extend(
        open.map(|charge| {
            Standing::of(charge.id, charge.tier, &charge.rate, charge.cost).counted_by(CountedBy::Nobody)
        }),
    );
    Ok(standings)
}

/// The replica's own counts go along, so that a store that fails gives nobody who used up his part here a new one. What does
/// not fit into the part is not noted: it is no refusal.
fn keep_warm<C: Clock>(local: &Local<C>, charges: &[Charge<'_>]) {
    for charge in charges.iter().filter(|charge| decision(charge) == OnStoreFailure::Local) {
        if let Some(bucket) = local.bucket(charge.slot) {
            let _ = bucket.charge(&charge.key, charge.cost);
        }
    }
}

fn refund_instead<C: Clock>(local: &Local<C>, charges: &[Charge<'_>]) {
    for charge in charges.iter().filter(|charge| decision(charge) == OnStoreFailure::Local) {
        if let Some(bucket) = local.bucket(charge.slot) {
            bucket.refund(&charge.key, charge.cost);
        }
    }
}

/// A limit without a store is not asked for here; it would count for itself.
fn decision(charge: &Charge<'_>) -> OnStoreFailure {
    charge.shared.map_or(OnStoreFailure::Local, |shared| shared.store.on_failure)
}
