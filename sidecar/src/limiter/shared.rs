//! Counts in a store that replicas share: Redis 7 or newer, or Valkey.
//!
//! # Flow
//! `together` (which limit is counted where) -> `counter` (one store) -> `exhausted` (answered here?) -> `line` (is it up?) ->
//! `script` of `key` and `amount` (one round trip) -> `answer`. Beside it `keeper` keeps the line open: `connect` by `dial` (`bounded`),
//! and after a failure when `breaker` says. `trouble` is what can go wrong, `stores` all stores of the process.
//!
//! # Guarantees
//! - All limits of a call that one store counts are charged by one script, all or none, by the store's clock.
//! - A call waits for its deadline at most, and no call opens a connection. What happens then is the policy's to say.
//! - A store that fails is asked by nobody but one trial at a time until it counts.
//! - No name of a caller and no secret is stored, logged or reported.
//!
//! # Caveats
//! - A call whose answer was late may have been charged.
//! - A store that fails over may lose what it was told last. Clocks that differ give a caller a burst more at most, or keep it
//!   out for as long as the burst takes to refill at most.

mod amount;
mod answer;
mod bounded;
mod breaker;
mod connect;
mod counter;
mod dial;
mod exhausted;
mod keeper;
mod key;
mod line;
mod measure;
mod script;
mod stores;
mod together;
mod trouble;

pub use dial::{DialStore, GuardedDial};
pub use line::StoreStatus;
pub use stores::Stores;
pub use together::RouteStores;
