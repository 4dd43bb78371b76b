//! A call with limits in stores: what this replica counts by itself comes first, then each store is asked once, and a refusal by
//! any gives back what the others took.

use super::counter::{Counted, SharedStore};
use super::line::StoreStatus;
use super::trouble::Trouble;
use crate::limiter::local::Local;
use crate::limiter::look::Look;
use crate::limiter::refused::Cause;
use crate::limiter::standing::{CountedBy, Standing};
use crate::limiter::store::{Charged, Refusal};
use governor::clock::Clock;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::time::Instant;
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

/// What a group was charged.
struct Taken {
    standings: Vec<Standing>,
    /// When it was counted, or before.
    asked: Instant,
    /// The same in microseconds by the store's clock, if the store counted.
    counted: Option<u64>,
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
        let mut taken: Vec<Taken> = Vec::with_capacity(self.stores.len() + 1);
        for group in self.groups(charges) {
            let asked = Instant::now();
            let outcome = match group.store {
                None => local.charge_all(group.charges).map(|standings| Taken { standings, asked, counted: None }),
                Some(store) => self.charge_at(store, local, group.charges).await,
            };
            match outcome {
                Ok(more) => taken.push(more),
                Err(refusal) => {
                    self.give_back(local, charges, &taken);
                    let standings = together(taken).chain(refusal.standings).collect();
                    return Err(Refusal { standings, ..refusal });
                }
            }
        }
        Ok(together(taken).collect())
    }

    /// How the counts of those charges stand that a store counts, by their positions, or what is wrong with it; each store is
    /// asked once.
    pub(crate) async fn look(&self, charges: &[Charge<'_>]) -> HashMap<usize, Result<Look, String>> {
        let mut looks = HashMap::new();
        for (store, counter) in self.stores.iter().enumerate() {
            let of = |charge: &Charge<'_>| charge.shared.is_some_and(|shared| shared.store.store == store);
            let (positions, own): (Vec<_>, Vec<_>) =
                charges.iter().cloned().enumerate().filter(|(_, charge)| of(charge)).unzip();
            if own.is_empty() {
                continue;
            }
            match counter.look(&self.server, &own).await {
                Ok(found) => looks.extend(positions.into_iter().zip(found.into_iter().map(Ok))),
                Err(trouble) => {
                    let told = trouble.public_message();
                    looks.extend(positions.into_iter().map(|position| (position, Err(told.clone()))));
                }
            }
        }
        looks
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

    async fn charge_at<C: Clock>(
        &self,
        store: &SharedStore,
        local: &Local<C>,
        charges: &[Charge<'_>],
    ) -> Result<Taken, Refusal> {
        match store.charge(&self.server, charges).await {
            Ok(Counted::Admitted { at, standings }) => {
                keep_warm(local, charges);
                Ok(Taken { standings, asked: Instant::now(), counted: Some(at) })
            }
            Ok(Counted::Refused(standings)) => Err(Refusal { cause: Cause::Exceeded, standings }),
            Err(trouble) => {
                let asked = Instant::now();
                without(store, local, charges, &trouble).map(|standings| Taken { standings, asked, counted: None })
            }
        }
    }

    /// A group that was counted by this replica in place of its store has nothing to be given back there. What went along with
    /// a store's counts stays, since it may not have fitted in: it says too little at worst.
    fn give_back<C: Clock>(&self, local: &Local<C>, charges: &[Charge<'_>], taken: &[Taken]) {
        for (group, Taken { standings, asked, counted }) in self.groups(charges).zip(taken) {
            match (group.store, counted) {
                (None, _) => local.refund_all(group.charges, standings, asked.elapsed()),
                (Some(store), Some(at)) => store.refund(&self.server, group.charges, standings, *at),
                // Those that were counted come first, in their order.
                (Some(_), None) => local.refund_all(&counted_instead(group.charges), standings, asked.elapsed()),
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
    let own = counted_instead(charges);
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

/// Those that this replica counts in place of the store.
fn counted_instead<'c>(charges: &[Charge<'c>]) -> Vec<Charge<'c>> {
    charges.iter().filter(|charge| decision(charge) == OnStoreFailure::Local).cloned().collect()
}

fn together(taken: Vec<Taken>) -> impl Iterator<Item = Standing> {
    taken.into_iter().flat_map(|group| group.standings)
}

/// A limit without a store is not asked for here; it would count for itself.
fn decision(charge: &Charge<'_>) -> OnStoreFailure {
    charge.shared.map_or(OnStoreFailure::Local, |shared| shared.store.on_failure)
}
