//! How often, and how many at once: limits, their tiers and their keys, compiled. No state lives here.
//!
//! A limit of `requests` per `window` never lets more than `requests` through in any window of any position: of the
//! budget, `burst` may come at once and the rest is refilled evenly, at `(requests - burst) / window`.

mod claim;
mod config;
mod decide;
mod error;
mod key;
mod rate;
mod set;
mod store;
mod tier;

pub use claim::CLAIMS_OF_CLIENTS;
pub use config::{
    AddressConfig, ConcurrencyConfig, Concurrent, CostConfig, Dimension, LimitConfig, RateConfig, RateLimitConfig,
    TierSelection,
};
pub use error::LimitError;
pub use key::Counted;
pub use rate::{Admitted, Rate};
pub use set::{BEFORE_AUTHENTICATION, Before, Charge, FAILED_AUTHENTICATION, Hold, LimitSet, Named, Shared};
pub use store::{
    DEADLINE_MILLIS, DEFAULT_DEADLINE_MILLIS, OnStoreFailure, Store, StoreAddress, StoreConfig, StoreError, StoreMode,
    StoreUse,
};

#[cfg(test)]
mod tests;
