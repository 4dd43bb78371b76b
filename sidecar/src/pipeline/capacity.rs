//! How much the process carries at once: requests in flight, and bytes of bodies that are being read.
//!
//! A request takes its place before its body is read, so that slow and large bodies can't grow memory without bound. Both
//! bounds are of the process: what one caller may use of them is for the limits of concurrency to say, whose permits are kept
//! here too.

use crate::denial::Denial;
use crate::limiter::Permit;
use crate::session::{Opening, SessionInUse, StreamPlace};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tollward_policy::reason::Reason;

/// Kibibytes of request bodies that may be in memory at once.
const BODIES: usize = 64 * 1024;
/// When to come back.
const RETRY: Duration = Duration::from_secs(1);

/// The bounds of the process.
pub struct Capacity {
    in_flight: Arc<Semaphore>,
    bodies: Arc<Semaphore>,
}

/// What one request has taken; given back when it is dropped.
pub(super) struct Place {
    _in_flight: OwnedSemaphorePermit,
    bodies: Arc<Semaphore>,
    body: Option<OwnedSemaphorePermit>,
    permits: Vec<Permit>,
    /// Of a session that may begin.
    pub(super) opening: Option<Opening>,
    /// Of the session that it is made in.
    pub(super) session: Option<SessionInUse>,
    /// Of a stream.
    pub(super) stream: Option<StreamPlace>,
}

impl Capacity {
    /// Bounds for that many requests.
    pub fn new(max_in_flight: usize) -> Self {
        Self { in_flight: Arc::new(Semaphore::new(max_in_flight)), bodies: Arc::new(Semaphore::new(BODIES)) }
    }

    /// Takes a place.
    pub(super) fn enter(&self) -> Result<Place, Denial> {
        let permit = self.in_flight.clone().try_acquire_owned().map_err(|_| full())?;
        Ok(Place {
            _in_flight: permit,
            bodies: self.bodies.clone(),
            body: None,
            permits: Vec::new(),
            opening: None,
            session: None,
            stream: None,
        })
    }
}

impl Place {
    /// Takes room for more bytes of the body, in whole kibibytes.
    pub(super) fn hold(&mut self, bytes: usize) -> Result<(), Denial> {
        let kibibytes = u32::try_from(bytes.div_ceil(1024)).map_err(|_| full())?;
        let more = self.bodies.clone().try_acquire_many_owned(kibibytes).map_err(|_| full())?;
        match &mut self.body {
            Some(held) => held.merge(more),
            none => *none = Some(more),
        }
        Ok(())
    }

    /// Keeps its caller's permits as long as the request is in flight.
    pub(super) fn keep(&mut self, permits: Vec<Permit>) {
        self.permits = permits;
    }

    /// The body is on its way and no longer kept.
    pub(super) fn release_body(&mut self) {
        self.body = None;
    }
}

fn full() -> Denial {
    Denial::new(Reason::ConcurrencyLimited).retry_after(RETRY)
}

#[cfg(test)]
mod tests {
    use super::{BODIES, Capacity};

    #[test]
    fn places_and_room_for_bodies_are_bounded_and_given_back() {
        let capacity = Capacity::new(2);
        let (mut first, second) = (capacity.enter().unwrap(), capacity.enter().unwrap());
        assert!(capacity.enter().is_err());
        drop(second);
        let mut third = capacity.enter().unwrap();
        first.hold((BODIES - 1) * 1024).unwrap();
        third.hold(1).unwrap();
        assert!(third.hold(1).is_err());
        first.release_body();
        assert!(third.hold(4096).is_ok());
    }
}
