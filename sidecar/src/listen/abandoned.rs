//! Requests that a connection has begun and not waited for. A client of HTTP/2 may reset a stream as soon as it has opened it, which
//! frees its place among the streams while the work was begun (rapid reset, CVE-2023-44487): the library bounds only those that it
//! has not handed on yet. So a connection that abandons many more requests than it waits for is ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio_util::sync::CancellationToken;

/// More requests than this, beyond those that were waited for, are no client that changed its mind.
const MOST: u32 = 200;

/// The requests of one connection.
#[derive(Debug, Clone, Default)]
pub(super) struct Abandoned {
    surplus: Arc<AtomicU32>,
    end: CancellationToken,
}

/// A request without an answer yet.
#[derive(Debug)]
pub(super) struct Pending {
    of: Abandoned,
    answered: bool,
}

impl Abandoned {
    /// A request has begun.
    pub(super) fn begin(&self) -> Pending {
        Pending { of: self.clone(), answered: false }
    }

    /// Returns once there are too many.
    pub(super) async fn too_many(&self) {
        self.end.cancelled().await;
    }
}

impl Pending {
    /// The client has waited until there was an answer. What it reads of it is its own affair.
    pub(super) fn answered(mut self) {
        self.answered = true;
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        let Abandoned { surplus, end } = &self.of;
        if self.answered {
            // Nothing is owed for more than was abandoned.
            let _ = surplus.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |surplus| surplus.checked_sub(1));
        } else if surplus.fetch_add(1, Ordering::Relaxed) >= MOST {
            end.cancel();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Abandoned, MOST};

    #[test]
    fn who_abandons_many_more_than_it_waits_for_is_ended() {
        let requests = Abandoned::default();
        for _ in 0..10 * MOST {
            drop(requests.begin());
            requests.begin().answered();
        }
        assert!(!requests.end.is_cancelled(), "as many were waited for");
        for _ in 0..MOST {
            drop(requests.begin());
        }
        assert!(!requests.end.is_cancelled());
        drop(requests.begin());
        assert!(requests.end.is_cancelled());
    }

    #[test]
    fn answers_of_before_are_no_credit() {
        let requests = Abandoned::default();
        for _ in 0..10 * MOST {
            requests.begin().answered();
        }
        for _ in 0..=MOST {
            drop(requests.begin());
        }
        assert!(requests.end.is_cancelled());
    }
}
