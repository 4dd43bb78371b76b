//! Counts in this process.

use super::bucket::Bucket;
use super::look::Look;
use super::refused::Refused;
use super::standing::Standing;
use super::store::{Charged, Charging, LimitStore, Refusal, at_once};
use governor::clock::Clock;
use std::time::Duration;
use tollward_policy::limits::Charge;

/// The counts of one route's limits, by their slots.
#[derive(Debug)]
pub struct Local<C: Clock> {
    buckets: Vec<Bucket<C>>,
}

impl<C: Clock> Local<C> {
    pub(super) fn new(buckets: Vec<Bucket<C>>) -> Self {
        Self { buckets }
    }

    /// The counts of one limit and tier.
    pub(super) fn bucket(&self, slot: usize) -> Option<&Bucket<C>> {
        self.buckets.get(slot)
    }

    /// How the count of a charge stands. One without state refuses.
    pub(super) fn look(&self, charge: &Charge<'_>) -> Look {
        let nothing = || Look { left: 0, full_after: charge.rate.window, retry_after: Some(charge.rate.window) };
        self.bucket(charge.slot).map_or_else(nothing, |bucket| bucket.stands(&charge.key))
    }

    /// Charges all of these or none.
    pub(super) fn charge_all(&self, charges: &[Charge<'_>]) -> Charged {
        let mut standings = Vec::with_capacity(charges.len());
        for (position, charge) in charges.iter().enumerate() {
            let standing = Standing::of(charge.id, charge.tier, &charge.rate, charge.cost);
            let taken = match self.bucket(charge.slot) {
                Some(bucket) => bucket.charge(&charge.key, charge.cost),
                // A limit without state can't be counted, so it refuses.
                None => Err(Refused::exceeded(charge.rate.window)),
            };
            match taken {
                Ok(admitted) => standings.push(standing.left(admitted.remaining, admitted.reset)),
                Err(Refused { cause, wait }) => {
                    self.refund_all(charges.get(..position).unwrap_or_default(), &standings, Duration::ZERO);
                    standings.push(standing.refused(wait));
                    return Err(Refusal { cause, standings });
                }
            }
        }
        Ok(standings)
    }

    /// Gives back what was charged so long ago, and stood like that afterwards.
    pub(super) fn refund_all(&self, charges: &[Charge<'_>], standings: &[Standing], ago: Duration) {
        for (charge, standing) in charges.iter().zip(standings) {
            if let Some(bucket) = self.bucket(charge.slot) {
                bucket.refund(&charge.key, charge.cost, standing.reset.saturating_sub(ago));
            }
        }
    }
}

impl<C> LimitStore for Local<C>
where
    C: Clock + Send + Sync + std::fmt::Debug,
{
    fn charge<'a>(&'a self, charges: &'a [Charge<'a>]) -> Charging<'a> {
        at_once(self.charge_all(charges))
    }

    fn refund(&self, charges: &[Charge<'_>], standings: &[Standing], ago: Duration) {
        self.refund_all(charges, standings, ago);
    }
}
