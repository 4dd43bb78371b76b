//! The limits of one route under one configuration: found once, then charged without a global lock.

use super::bucket::Bucket;
use super::concurrency::{Open, Permit};
use super::local::Local;
use super::look::Look;
use super::shared::{RouteStores, StoreStatus};
use super::standing::{CountedBy, Standing};
use super::store::{Charging, LimitStore as _};
use futures_util::future::Either;
use governor::clock::{Clock, DefaultClock};
use std::sync::Arc;
use std::time::Duration;
use tollward_policy::limits::{Charge, Hold};

/// When to come back for a place that an earlier call has: nobody knows when that one ends.
const RETRY: Duration = Duration::from_secs(1);

/// The limits of one route under one configuration.
#[derive(Debug)]
pub struct RouteLimiter<C: Clock = DefaultClock> {
    local: Local<C>,
    open: Vec<Arc<Open>>,
    stores: RouteStores,
}

/// Places that a call has as long as it is open.
#[derive(Debug, Default)]
pub struct Held {
    /// Given back when they are dropped.
    pub permits: Vec<Permit>,
    /// How the limits stand.
    pub standings: Vec<Standing>,
}

impl<C: Clock> RouteLimiter<C> {
    pub(super) fn new(local: Local<C>, open: Vec<Arc<Open>>) -> Self {
        Self { local, open, stores: RouteStores::default() }
    }

    /// Counts in these stores what its policies say.
    #[must_use]
    pub fn sharing(self, stores: RouteStores) -> Self {
        Self { stores, ..self }
    }

    /// How the store at this position of the route's limits stands.
    pub fn store_status(&self, position: usize) -> Option<StoreStatus> {
        self.stores.status(position)
    }

    /// Takes a place in each limit, or in none: the limit that refuses comes last in the error.
    pub fn hold(&self, holds: &[Hold<'_>]) -> Result<Held, Vec<Standing>> {
        let mut held = Held::default();
        for hold in holds {
            let most = hold.most.get();
            let entered = self.open.get(hold.slot).and_then(|open| open.enter(&hold.key, most));
            let remaining = entered.as_ref().map_or(0, |(_, remaining)| *remaining);
            held.standings.push(Standing {
                limit: hold.id.to_owned(),
                tier: hold.tier.to_owned(),
                requests: most,
                window: None,
                cost: 1,
                burst: most,
                remaining,
                reset: Duration::ZERO,
                retry_after: entered.is_none().then_some(RETRY),
                counted: CountedBy::Replica,
            });
            match entered {
                Some((permit, _)) => held.permits.push(permit),
                None => return Err(held.standings),
            }
        }
        Ok(held)
    }

    /// How many have a place in a limit, without taking one.
    pub fn open(&self, hold: &Hold<'_>) -> u32 {
        self.open.get(hold.slot).map_or(0, |open| open.count(&hold.key))
    }

    /// The counts of one limit and tier, by its slot.
    pub fn bucket(&self, slot: usize) -> Option<&Bucket<C>> {
        self.local.bucket(slot)
    }
}

impl<C> RouteLimiter<C>
where
    C: Clock + Send + Sync + std::fmt::Debug,
{
    /// Charges a call to each of its limits, or to none.
    pub fn charge<'a>(&'a self, charges: &'a [Charge<'a>]) -> Charging<'a> {
        if RouteStores::count(charges) {
            return Either::Right(Box::pin(self.stores.charge(&self.local, charges)));
        }
        self.local.charge(charges)
    }

    /// How the count of each charge stands, or why its store does not tell. Charges nothing, and begins no count.
    pub async fn look(&self, charges: &[Charge<'_>]) -> Vec<Result<Look, String>> {
        let mut stored = self.stores.look(charges).await;
        charges
            .iter()
            .enumerate()
            .map(|(position, charge)| match stored.remove(&position) {
                Some(look) => look,
                None => Ok(self.local.look(charge)),
            })
            .collect()
    }

    /// Gives back what this replica admitted so long ago, for a call that goes no further.
    pub fn refund(&self, charges: &[Charge<'_>], standings: &[Standing], ago: Duration) {
        self.local.refund(charges, standings, ago);
    }
}
