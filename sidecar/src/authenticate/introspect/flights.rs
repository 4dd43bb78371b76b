//! Questions under way: whoever asks the same waits for the same answer.

use super::trouble::Trouble;
use super::{Key, Verdict, lock};
use crate::authenticate::refusal::Refusal;
use futures_util::future::{BoxFuture, Shared};
use std::collections::HashMap;
use std::sync::Mutex;

/// Most questions under way, those that wait for their turn included.
const MOST: usize = 512;

/// An answer to come.
pub(super) type Flight = Shared<BoxFuture<'static, Verdict>>;

/// The questions under way.
#[derive(Default)]
pub(super) struct Flights(Mutex<HashMap<Key, Flight>>);

/// Ends a question when it is dropped, however that comes.
pub(super) struct Landing<'f> {
    flights: &'f Flights,
    key: Key,
}

impl Flights {
    /// The question about `key` that is under way, or the one that `start` starts. Nothing may be awaited in `start`.
    pub(super) fn join_or_start(
        &self,
        key: &Key,
        start: impl FnOnce() -> Result<Flight, Refusal>,
    ) -> Result<Flight, Refusal> {
        let mut flights = lock(&self.0);
        if let Some(flight) = flights.get(key) {
            return Ok(flight.clone());
        }
        if flights.len() >= MOST {
            return Err(Trouble::Busy.refusal());
        }
        let flight = start()?;
        flights.insert(key.clone(), flight.clone());
        Ok(flight)
    }

    /// To be held while the question about `key` is under way.
    pub(super) fn landing(&self, key: &Key) -> Landing<'_> {
        Landing { flights: self, key: key.clone() }
    }
}

impl Drop for Landing<'_> {
    fn drop(&mut self) {
        lock(&self.flights.0).remove(&self.key);
    }
}
