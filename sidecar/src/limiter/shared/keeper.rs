//! Keeps the line to one store open, in the background: no call ever opens a connection, and one trial at a time is made.

use super::breaker::{Breaker, FIRST};
use super::connect::{Connector, Open};
use super::line::Line;
use super::trouble::Trouble;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::{Instant, sleep};
use tollward_policy::limits::StoreAddress;

/// Nodes of a cluster that are followed one after the other. More is a cluster that does not agree with itself.
const HOPS: u32 = 5;

/// What the keeper works with.
pub(super) struct Keeper {
    pub(super) line: Arc<Line>,
    pub(super) connector: Connector,
    /// Microseconds within which calls want to be answered.
    pub(super) deadline: Arc<AtomicU64>,
    /// Any number, so that processes differ.
    pub(super) chance: fn() -> u32,
}

impl Keeper {
    /// Never ends.
    pub(super) async fn keep(self) {
        let seed = self.connector.store.address.clone();
        let (mut place, mut hops, mut generation) = (seed.clone(), 0, 0);
        let mut breaker = Breaker::default();
        loop {
            generation += 1;
            let deadline = Duration::from_micros(self.deadline.load(Ordering::Relaxed));
            let (trouble, counted_for) = match self.connector.open(&place, generation, deadline).await {
                Ok(open) => {
                    let since = Instant::now();
                    hops = 0;
                    (self.broken(Arc::new(open)).await, since.elapsed())
                }
                Err(trouble) => (trouble, Duration::ZERO),
            };
            if let Some(node) = next_node(&trouble, &mut hops) {
                place = node;
                continue;
            }
            let rest = breaker.failed(counted_for, (self.chance)());
            if counted_for.is_zero() || rest > FIRST {
                self.line.down(&trouble);
            }
            // Whoever is named in the configuration knows best, once a node that it named is gone.
            place = seed.clone();
            hops = 0;
            sleep(rest).await;
        }
    }

    /// Puts a connection in use until it breaks, by what calls find or by itself; returns why.
    async fn broken(&self, open: Arc<Open>) -> Trouble {
        self.line.up(Arc::clone(&open));
        tokio::select! {
            biased;
            trouble = self.line.broken() => trouble,
            () = open.closed.cancelled() => {
                self.line.failed(&open, &Trouble::Closed);
                self.line.broken().await
            }
        }
    }
}

fn next_node(trouble: &Trouble, hops: &mut u32) -> Option<StoreAddress> {
    let Trouble::Moved(node) = trouble else { return None };
    *hops += 1;
    (*hops <= HOPS).then(|| node.clone())
}
