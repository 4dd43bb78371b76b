//! Where counts are kept: one call charges all limits of a request at once, or none.

use super::refused::Cause;
use super::standing::Standing;
use futures_util::future::{BoxFuture, Either, Ready, ready};
use std::time::Duration;
use tollward_policy::limits::Charge;

/// Why a request was refused, and how its limits stand: the one that refused comes last, and is what the cause is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub cause: Cause,
    /// The limits that were looked at.
    pub standings: Vec<Standing>,
}

/// What becomes of a charge.
pub type Charged = Result<Vec<Standing>, Refusal>;

/// A charge under way. A store in this process answers at once and allocates nothing for it.
pub type Charging<'a> = Either<Ready<Charged>, BoxFuture<'a, Charged>>;

/// An answer that is there already.
pub fn at_once<'a>(charged: Charged) -> Charging<'a> {
    Either::Left(ready(charged))
}

/// Keeps counts. Implementations never admit more than the rates say; they may refuse for a moment what a concurrent charge
/// is about to give back.
pub trait LimitStore: Send + Sync + std::fmt::Debug {
    /// Charges every limit in this order, or none: what was charged before a refusal is given back before it is told.
    fn charge<'a>(&'a self, charges: &'a [Charge<'a>]) -> Charging<'a>;

    /// Gives back charges that were admitted so long ago and stood like that afterwards, for a call that was refused by somebody
    /// else. What was paid back since is not given back once more. Nothing waits for it.
    fn refund(&self, charges: &[Charge<'_>], standings: &[Standing], ago: Duration);
}
